import type { JsonObject } from "../json.ts"
import type { Change } from "./change.ts"
import { keysOf } from "./edits.ts"
import { heldBackBy } from "./machine/during.ts"
import type { NoticeType } from "./notice.ts"
import { owedStage, standingOf } from "./stages.ts"
import type { ChangeEvent } from "./transition.ts"
import type { Worksheet } from "./worksheet.ts"

/** So many keys are named; a message is no list. */
const KEYS_MAX = 50

/** Has people told what happened to a change: by whom, to which keys and why, never a value. */
export const notifyOf = (
  sheet: Worksheet,
  event: ChangeEvent,
  before: Change,
  after: Change,
  who: string = sheet.subject,
): void => {
  const tell = (type: NoticeType, more: JsonObject = {}) => tellOf(sheet, type, after, who, more)
  const was = before.status.state
  const { status } = after
  if (event.type === "remind") tell("change.approval_reminder", dueOf(sheet, after))
  else if (status.state === "awaiting_approval" && isAskedAnew(before, after))
    tell("change.approval_requested", dueOf(sheet, after))
  if (event.type === "break_glass") tell("change.glass_broken", said(event.comment))
  if (event.type === "hold" && heldBackBy(before)?.kind !== event.verdict.kind)
    tell("change.held", { words: event.verdict.words })
  if (event.type === "signal" && status.state === "rolling_out")
    tell("change.held", { source: event.source, words: event.summary })
  if (event.type === "trip") tell("change.tenant_tripped", { tenant: event.tenantId, words: event.words })
  if (was !== status.state) tellWhereItIs(tell, event, before, after)
}

const tellWhereItIs = (
  tell: (type: NoticeType, more?: JsonObject) => void,
  event: ChangeEvent,
  before: Change,
  after: Change,
): void => {
  const { status } = after
  switch (status.state) {
    case "scheduled":
      tell("change.approved")
      break
    case "rejected":
      tell("change.rejected", said(status.comment))
      break
    case "cancelled":
      tell("change.cancelled", {
        reason: status.reason,
        // What a person wrote; the clock's tells what does not fit, perhaps of values.
        ...(status.reason === "cancelled" ? said(status.detail) : {}),
        ...(status.keys ? { moved: status.keys.slice(0, KEYS_MAX) } : {}),
      })
      break
    case "rolled_back":
      tell("change.rolled_back", {
        reason: status.reason,
        ...said(status.comment),
        ...wordsOf(event, before, after),
      })
      break
    case "expired":
      tell("change.expired")
      break
    case "rolling_out":
      tell("change.started")
      break
    case "live":
      tell("change.live")
      break
    case "awaiting_approval":
  }
}

/** The like for a change that has just been submitted. */
export const notifySubmission = (sheet: Worksheet, change: Change): void => {
  if (change.status.state === "awaiting_approval")
    tellOf(sheet, "change.approval_requested", change, sheet.subject, dueOf(sheet, change))
}

const tellOf = (
  sheet: Worksheet,
  type: NoticeType,
  { content, status }: Change,
  who: string,
  more: JsonObject,
): void => {
  const keys = keysOf(content.edits)
  sheet.notify(type, content.changeId, {
    who,
    author: content.author.subject,
    keys: keys.slice(0, KEYS_MAX),
    keyCount: keys.length,
    state: status.state,
    ...said(content.comment),
    ...more,
  })
}

const isAskedAnew = (before: Change, after: Change): boolean =>
  before.status.state !== "awaiting_approval" ||
  (after.status.state === "awaiting_approval" && before.status.remindedAt !== after.status.remindedAt)

const dueOf = (sheet: Worksheet, change: Change): JsonObject => {
  const stage = owedStage(standingOf(change, sheet.policy))
  return stage === null ? {} : { roles: [stage.role], missing: stage.required - stage.approvals.length }
}

const said = (comment: string | undefined): JsonObject => (comment === undefined ? {} : { comment })

/** Why the gate or an alarm would not have it. */
const wordsOf = (event: ChangeEvent, before: Change, { status }: Change): JsonObject => {
  if (event.type === "signal") return { source: event.source, words: event.summary }
  if (event.type === "trip") return { words: event.words }
  if (before.status.state !== "rolling_out" || !("gate" in status)) return {}
  const { step } = before.status
  const judgement = status.gate?.find((one) => one.step === step)
  return judgement === undefined ? {} : { words: judgement.words }
}
