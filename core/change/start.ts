import { Refusal } from "../errors.ts"
import type { ChangeId } from "../ids.ts"
import type { Change } from "./change.ts"
import { happen, overlaps } from "./happen.ts"
import { owedStage, standingOf } from "./stages.ts"
import { isReached } from "./time.ts"
import { CLOCK, type Worksheet } from "./worksheet.ts"

/** The rollout whose keys the change edits too. */
export const collision = (sheet: Worksheet, change: Change): ChangeId | null => {
  const rollout = sheet.rollout()
  return rollout && overlaps(rollout, change) ? rollout.content.changeId : null
}

/**
 * What a start has to wait for: gradual ones for any rollout, also one of another shared scope; direct ones for one
 * that edits their keys.
 */
const inTheWay = (sheet: Worksheet, change: Change): ChangeId | null =>
  change.content.plan.length === 0
    ? collision(sheet, change)
    : (sheet.pointer.candidate?.changeId ?? sheet.state.elsewhere?.changeId ?? null)

const isDue = ({ content }: Change, now: string): boolean =>
  (content.startAt === undefined || isReached(content.startAt, now)) && !isReached(content.expiresAt, now)

/** `left`: it could start, but not in this commit. */
type Tried = "not_due" | "waits" | "left" | "over" | "started"

/**
 * Starts a scheduled change if it is due and nothing is in the way. Edits that do not hold any more cancel it.
 * `isChecked`: they were checked a moment ago for this very submission, which a Refusal then refuses.
 */
export const tryStart = (sheet: Worksheet, changeId: ChangeId, isChecked = false): Tried => {
  const change = sheet.change(changeId)
  if (change.status.state !== "scheduled" || !isDue(change, sheet.context.now)) return "not_due"
  const by = isChecked ? {} : { by: CLOCK }
  if (owedStage(standingOf(change, sheet.policy)) !== null) {
    happen(sheet, changeId, { type: "reassess" }, by)
    return "over"
  }
  if (isMadeToWait(sheet, change, by)) return "waits"
  if (change.content.plan.length === 0 && sheet.stableMoved) {
    leave(sheet, changeId)
    return "left"
  }
  try {
    const result = happen(sheet, changeId, { type: "start" }, { ...by, isChecked })
    if (!result.ok) throw new Error(`a change that may start did not: ${result.detail}`)
    return "started"
  } catch (error) {
    if (isChecked || !(error instanceof Refusal)) throw error
    cancelUnfit(sheet, change, error)
    return "over"
  }
}

/** Says what a change that is due has to wait for, if it has to. */
const isMadeToWait = (sheet: Worksheet, change: Change, by: { by?: typeof CLOCK }): boolean => {
  const { changeId } = change.content
  const frozen = sheet.rules.frozenFor(change)
  if (frozen !== null) {
    happen(sheet, changeId, { type: "freeze", frozen }, by)
    return true
  }
  const behind = inTheWay(sheet, change)
  if (behind === null) return false
  happen(sheet, changeId, { type: "wait", behind }, by)
  // Nobody tells this scope when it is over.
  if (behind === sheet.state.elsewhere?.changeId) sheet.touch(changeId)
  return true
}

/** Has the clock look again at once. */
const leave = (sheet: Worksheet, changeId: ChangeId): void => {
  happen(sheet, changeId, { type: "wait", behind: null }, { by: CLOCK })
  sheet.touch(changeId)
}

const cancelUnfit = (
  sheet: Worksheet,
  { content }: Change,
  { code, message: detail, errors }: Refusal,
): void => {
  const moved = content.edits.map(({ key }) => key).filter((key) => errors.some(({ path }) => path === key))
  happen(
    sheet,
    content.changeId,
    code === "CHANGE_BASE_MOVED"
      ? { type: "cancel", by: CLOCK.subject, reason: "base_moved", keys: moved, detail }
      : { type: "cancel", by: CLOCK.subject, reason: "invalid", detail: `${code}: ${detail}` },
    { by: CLOCK },
  )
}

/**
 * Starts what can start, first come, first served. Once one has to be left for the next commit, all behind it
 * are left too, so that none overtakes.
 */
export const startDue = (sheet: Worksheet): void => {
  const queue = sheet
    .changes()
    .flatMap(({ content: { changeId }, status }) =>
      status.state === "scheduled" ? [{ changeId, since: status.since }] : [],
    )
    .sort((a, b) => (a.since === b.since ? compare(a.changeId, b.changeId) : compare(a.since, b.since)))
  let isHeld = false
  for (const { changeId } of queue) {
    if (isHeld) holdBack(sheet, changeId)
    else isHeld = tryStart(sheet, changeId) === "left"
  }
}

const holdBack = (sheet: Worksheet, changeId: ChangeId): void => {
  const change = sheet.change(changeId)
  if (change.status.state !== "scheduled" || !isDue(change, sheet.context.now)) return
  if (!isMadeToWait(sheet, change, { by: CLOCK })) leave(sheet, changeId)
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
