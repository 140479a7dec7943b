import { Refusal } from "../errors.ts"
import { blocks } from "../gate/verdict.ts"
import type { ChangeId } from "../ids.ts"
import type { Json } from "../json.ts"
import { checkGrant } from "../limits/entitlement.ts"
import type { Actor } from "./change.ts"
import type {
  Advance,
  BreakGlass,
  By,
  ChangeTier,
  Command,
  DecideContext,
  Decision,
  RaiseSignal,
  Refused,
  Rollback,
  RollbackTo,
  Submit,
  Tick,
} from "./command.ts"
import { defined } from "./defined.ts"
import { draftOf } from "./draft.ts"
import { happen } from "./happen.ts"
import { holdEndsAt } from "./machine/during.ts"
import { Needs } from "./needs.ts"
import { POLICY_BOUNDS } from "./policy-document.ts"
import { rollbackTo } from "./return-to.ts"
import type { ScopeState } from "./scope-state.ts"
import { collision, startDue } from "./start.ts"
import { submit } from "./submit.ts"
import { isReached, msBetween } from "./time.ts"
import type { ChangeEvent, Transition } from "./transition.ts"
import { Worksheet } from "./worksheet.ts"

/**
 * What a command comes to in this state: everything to be written, in one commit, or why not. Pure: the
 * same state, command and context give the same decision, so a conflict is answered by deciding again.
 */
export const decide = (state: ScopeState, command: Command, context: DecideContext): Decision => {
  const by = byOf(command)
  const sheet = new Worksheet(state, context, by.kind === "person" ? by.actor : null)
  try {
    carryOut(sheet, command)
    if (sheet.isUntouched()) return { kind: "nothing" }
    const changeId = "changeId" in command ? command.changeId : null
    const change = changeId && sheet.change(changeId)
    return { kind: "commit", commit: sheet.commit(), change, result: sheet.outcome(changeId) }
  } catch (error) {
    if (error instanceof Needs) return error.decision
    if (!(error instanceof Refusal)) throw error
    // A messenger has nobody to tell, and whatever it came for has been done, or will be.
    return by.kind === "clock" ? { kind: "nothing" } : refusedFrom(error)
  }
}

const byOf = (command: Command): By => {
  switch (command.type) {
    case "submit":
      return person(command.author)
    case "advance":
    case "abort":
      return command.by
    case "tick":
    case "trip":
      return { kind: "clock" }
    default:
      return person(command.actor)
  }
}
const person = (actor: Actor): By => ({ kind: "person", actor })

const carryOut = (sheet: Worksheet, command: Command): void => {
  switch (command.type) {
    case "submit":
      submit(sheet, command)
      break
    case "tick":
      tick(sheet, command)
      break
    case "tier":
      changeTier(sheet, command)
      break
    case "break_glass":
      breakGlass(sheet, command)
      break
    case "rollback":
      rollback(sheet, command)
      break
    case "rollback_to":
      rollbackTo(sheet, command)
      break
    case "signal":
      raiseSignal(sheet, command)
      break
    case "advance":
      if (command.by.kind === "clock") goOn(sheet, command)
      else must(happen(sheet, command.changeId, command))
      break
    default:
      must(happen(sheet, command.changeId, eventOf(sheet, command)))
  }
  remark(sheet, command)
  if (!STILL.has(command.type) && !sheet.isUntouched()) startDue(sheet)
}

/** What somebody says with these is kept among the change's comments: its state has no place for it. */
const remark = (sheet: Worksheet, command: Command): void => {
  switch (command.type) {
    case "advance":
    case "pause":
    case "resume":
    case "withdraw":
      if (command.comment)
        happen(sheet, command.changeId, { type: "comment", subject: sheet.subject, text: command.comment })
  }
}

/** Commands that neither schedule anything nor free a place for what is scheduled; a tick sees to it itself. */
const STILL: ReadonlySet<Command["type"]> = new Set([
  "tick",
  "tier",
  "withdraw",
  "remind",
  "reject",
  "pause",
  "resume",
  "review",
  "comment",
])

type Plain = Exclude<
  Command,
  Submit | Tick | ChangeTier | BreakGlass | Rollback | RollbackTo | RaiseSignal | Advance
>

const eventOf = (sheet: Worksheet, command: Plain): ChangeEvent => {
  switch (command.type) {
    case "cancel":
      return {
        type: "cancel",
        by: sheet.subject,
        reason: "cancelled",
        ...defined({ detail: command.comment }),
      }
    case "abort": {
      const { reason = "aborted", comment } = command
      return { type: "abort", by: sheet.subject, reason, ...defined({ comment }) }
    }
    case "remind":
      return { type: "remind", by: person(command.actor) }
    case "trip":
      return { ...command, by: sheet.subject }
    case "comment":
      return { type: "comment", subject: sheet.subject, text: command.text }
    default:
      return command
  }
}

const must = (result: Transition): void => {
  if (!result.ok) throw new Refusal(result.code, result.detail)
}

/** What is due now: to step on, to expire, to start, to remind. */
const tick = (sheet: Worksheet, { changeId }: Tick): void => {
  const { status } = sheet.change(changeId)
  if (status.state === "rolling_out") goOn(sheet, { changeId })
  else if (!happen(sheet, changeId, { type: "expire" }).ok) lookAtWaiting(sheet, changeId)
  if (status.state === "scheduled" || !sheet.isUntouched()) startDue(sheet)
  const { status: next } = sheet.change(changeId)
  if (next.state === "scheduled" && next.frozen !== undefined) sheet.touch(changeId)
}

/** An inherited policy may have come to ask for more, or for less again, and told nobody. */
const lookAtWaiting = (sheet: Worksheet, changeId: ChangeId): void => {
  if (!happen(sheet, changeId, { type: "reassess" }).ok) remind(sheet, changeId)
}

const remind = (sheet: Worksheet, changeId: ChangeId): void => {
  if (happen(sheet, changeId, { type: "remind", by: { kind: "clock" } }).ok) return
  const { content, status } = sheet.change(changeId)
  if (status.state !== "awaiting_approval") return
  // The clock may have come at a time that an inherited policy named which has changed since: it is told another.
  const sinceMs = msBetween(status.remindedAt ?? content.createdAt, sheet.context.now)
  if (sinceMs >= POLICY_BOUNDS.remindEveryMs.min) sheet.touch(changeId)
}

/** The clock's advance: on if the hold is over and the gate agrees, back if it must not, else it is held where it is. */
const goOn = (
  sheet: Worksheet,
  { changeId, step }: { changeId: ChangeId; step?: number | undefined },
): void => {
  if (happen(sheet, changeId, { type: "advance", by: { kind: "clock" }, step }).ok) return
  const change = sheet.change(changeId)
  const { status } = change
  if (status.state !== "rolling_out" || (step ?? status.step) !== status.step) return
  const verdict = sheet.verdictOn(change)
  const holdEnd = holdEndsAt(change)
  if (verdict?.kind === "unhealthy")
    happen(sheet, changeId, { type: "abort", by: sheet.subject, reason: "unhealthy" })
  else if (holdEnd === null || !isReached(holdEnd, sheet.context.now)) return
  else if (verdict !== null && blocks(verdict)) happen(sheet, changeId, { type: "hold", verdict })
  else {
    // What is known already is only looked at again.
    happen(sheet, changeId, { type: "freeze", frozen: sheet.rules.frozenFor(change) })
    sheet.touch(changeId)
  }
}

/** An alarm that goes on is raised again and again; only the first time is there something to do. */
const raiseSignal = (sheet: Worksheet, { changeId, verdict, source, summary }: RaiseSignal): void => {
  const { status } = sheet.change(changeId)
  if (verdict === "healthy") return
  const known = status.state === "rolling_out" && status.paused ? status.signal : undefined
  if (verdict === "hold" && known?.source === source && known.summary === summary) return
  must(happen(sheet, changeId, { type: "signal", by: sheet.subject, verdict, source, summary }))
}

const breakGlass = (sheet: Worksheet, { changeId, actor, roles, comment }: BreakGlass): void => {
  const rollout = collision(sheet, sheet.change(changeId))
  // A change that is rolling out collides with itself; the machine refuses it below.
  if (rollout !== null && rollout !== changeId)
    must(happen(sheet, rollout, { type: "abort", by: sheet.subject, reason: "broken_glass" }))
  must(happen(sheet, changeId, { type: "break_glass", actor, roles, comment }))
}

const rollback = (sheet: Worksheet, { changeId, actor, comment, mayGrant = false }: Rollback): void => {
  const { content } = sheet.change(changeId)
  checkGrant(content.scope, content.edits, mayGrant)
  const result = happen(sheet, changeId, { type: "rollback", actor, ...defined({ comment }) })
  if (result.ok) return
  const draft = result.code.startsWith("ROLLBACK_") ? draftOf(sheet, sheet.change(changeId)) : null
  throw new Refusal(result.code, result.detail, draft === null ? {} : { extra: { draft } })
}

const changeTier = (sheet: Worksheet, { tier }: ChangeTier): void => {
  if (sheet.state.pointer.tier === tier) return
  sheet.setTier(tier)
  sheet.audit("tenant.tier", sheet.state.scope, { from: sheet.state.pointer.tier, to: tier })
}

const refusedFrom = ({ code, message, errors, extra }: Refusal): Refused => ({
  kind: "refused",
  code,
  detail: message,
  ...(errors.length > 0 ? { errors } : {}),
  ...(Object.keys(extra).length > 0 ? { extra: extra as Record<string, Json> } : {}),
})
