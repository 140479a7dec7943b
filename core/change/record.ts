import type { AuditBody } from "../audit/entry.ts"
import type { ReleaseId } from "../ids.ts"
import type { JsonObject } from "../json.ts"
import type { Change } from "./change.ts"
import { keysOf } from "./edits.ts"
import { heldBackBy } from "./machine/during.ts"
import { notifyOf } from "./notify.ts"
import type { ChangeEvent } from "./transition.ts"
import type { Worksheet } from "./worksheet.ts"

/**
 * Puts into the audit what happened to a change: keys, versions, releases; never a value, never free text. And has those
 * told whom it concerns.
 */
export const recordEvent = (
  sheet: Worksheet,
  event: ChangeEvent,
  before: Change,
  after: Change,
  release: ReleaseId | null,
  by?: AuditBody["actor"],
): void => {
  const { changeId } = after.content
  const put = (action: string, detail: JsonObject = {}) => sheet.audit(action, changeId, detail, by)
  const served = { versions: { ...after.versions }, release: release ?? servedBy(sheet, before, after) }
  switch (event.type) {
    case "approve":
      put("change.approve", approvalDetail(before, after))
      break
    case "cancel":
      put("change.cancel", {
        reason: event.reason,
        ...(event.keys ? { keys: [...event.keys] } : {}),
        ...(event.movedBy ? { movedBy: event.movedBy } : {}),
      })
      break
    case "wait":
      put("change.wait", { behind: event.behind })
      break
    case "start":
      if (after.status.state === "rolling_out") put("change.start", { ...served, ...stepDetail(after) })
      break
    case "advance":
      if (after.status.state === "rolling_out")
        put("change.advance", { ...stepDetail(after), ...gateDetail(before, after) })
      break
    case "hold":
      // Looked at every few seconds; what is still so is not worth another entry.
      if (heldBackBy(before)?.kind !== event.verdict.kind)
        put("change.hold", { ...stepDetail(after), ...gateDetail(before, after) })
      break
    case "freeze":
      put("change.freeze", { until: event.frozen?.until ?? null })
      break
    case "signal":
      put("change.signal", { verdict: event.verdict, ...stepDetail(before) })
      break
    case "trip":
      put("change.trip", { tenant: event.tenantId, ...stepDetail(before) })
      break
    case "break_glass":
      put("change.break_glass", { keys: keysOf(after.content.edits) })
      break
    case "pause":
    case "resume":
      put(`change.${event.type}`, stepDetail(after))
      break
    case "reassess":
      put("change.reassess", { to: after.status.state })
      break
    case "withdraw":
    case "remind":
    case "reject":
    case "expire":
    case "review":
    case "comment":
      put(`change.${event.type}`)
  }
  if (after.status.state === "live" && before.status.state !== "live")
    put("change.live", { ...served, ...gateDetail(before, after) })
  if (after.status.state === "rolled_back" && before.status.state !== "rolled_back")
    put("change.rolled_back", { ...served, reason: after.status.reason, ...gateDetail(before, after) })
  notifyOf(sheet, event, before, after, by?.subject)
}

/** The release that everyone reads once this has happened. */
const servedBy = (sheet: Worksheet, before: Change, after: Change): ReleaseId => {
  if (before.status.state === "live") return before.status.previousStable
  const { candidate, stable } = sheet.pointer
  return after.status.state === "live" && candidate ? candidate.release : stable
}

const approvalDetail = (before: Change, after: Change): JsonObject => ({
  contentHash: after.content.contentHash,
  ...(after.approvals.length > before.approvals.length ? { role: after.approvals.at(-1)!.role } : {}),
})

/** What the gate said of the step that the change was at. */
const gateDetail = (before: Change, after: Change): JsonObject => {
  if (before.status.state !== "rolling_out" || !("gate" in after.status)) return {}
  const { step } = before.status
  const judgement = after.status.gate?.find((one) => one.step === step)
  return judgement === undefined ? {} : { gate: { ...judgement, numbers: { ...judgement.numbers } } }
}

const stepDetail = ({ content, status }: Change): JsonObject =>
  status.state === "rolling_out"
    ? { step: status.step, weightBp: content.plan[status.step]?.weightBp ?? null }
    : {}
