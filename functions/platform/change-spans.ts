import type { AuditBody } from "../../core/audit/entry.ts"
import type { Commit } from "../../core/change/scope-state.ts"
import type { ChangeId } from "../../core/ids.ts"
import { traceOfChange } from "../../core/trace/change-trace.ts"
import type { Attributes } from "../../core/trace/otlp.ts"
import { currentSpan } from "../../db/span.ts"

/** Of what the audit says of it: numbers and words of our own, never what somebody wrote. */
const detailOf = ({ detail = {} }: AuditBody): Attributes => {
  const { reason, step, weightBp, gate, verdict } = detail
  const found = typeof gate === "object" && gate !== null && "kind" in gate ? gate.kind : verdict
  return Object.fromEntries(
    [
      ["hotswap.change.reason", reason],
      ["hotswap.change.step", step],
      ["hotswap.change.weight_bp", weightBp],
      ["hotswap.verdict", found],
    ].filter(([, value]) => typeof value === "string" || typeof value === "number"),
  )
}

/**
 * Tells each change's own trace what a commit did to it, by whatever function: that it was submitted, approved, brought to a step, or
 * taken back. Each of these has a link to the span that did it.
 */
export const traceChanges = ({ scope, environment, audit, changes }: Commit): void => {
  const span = currentSpan()
  if (span === undefined) return
  const where = { "hotswap.tenant.id": scope, "hotswap.environment": environment }
  for (const { change, isNew } of changes) {
    if (!isNew) continue
    const { changeId, strategy } = change.content
    const { traceId, rootSpanId } = traceOfChange(changeId)
    const attributes = { ...where, "hotswap.change.id": changeId, "hotswap.change.strategy": strategy.type }
    span.also({ traceId, spanId: rootSpanId, parentSpanId: null }, "change", attributes)
  }
  for (const entry of audit) {
    const { changeId, action } = entry
    if (changeId === undefined || !action.startsWith("change.")) continue
    const { traceId, rootSpanId } = traceOfChange(changeId as ChangeId)
    const attributes = { ...where, "hotswap.change.id": changeId, ...detailOf(entry) }
    span.also({ traceId, parentSpanId: rootSpanId }, action, attributes)
  }
}
