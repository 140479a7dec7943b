import type { AuditBody } from "../audit/entry.ts"
import { type FieldError, Refusal } from "../errors.ts"
import type { ChangeId } from "../ids.ts"
import type { Candidate, Release } from "../release/release.ts"
import { type Change, owedReview } from "./change.ts"
import { checkEdits, entryEditsOf, keysOf } from "./edits.ts"
import { recordEvent } from "./record.ts"
import { isReached } from "./time.ts"
import { type ChangeEvent, type Effect, type Facts, type Transition, transition } from "./transition.ts"
import type { Worksheet } from "./worksheet.ts"

interface Circumstances {
  inTheWay?: ChangeId | null
  /** Who did it, if not who gave the command. */
  by?: AuditBody["actor"]
  /** The edits were checked against this very state a moment ago. */
  isChecked?: boolean
}

/** The releases that a start leads to, compiled before anything is written down. */
interface Prepared {
  release: Release
  /** The running candidate on top of it. */
  candidate: Release | null
}

/**
 * Lets something happen to a change: asks the change machine, then does to the worksheet what it says, with
 * everything that follows for other changes. Throws the Refusal of a start whose edits do not hold
 * any more, before anything has changed.
 */
export const happen = (
  sheet: Worksheet,
  changeId: ChangeId,
  event: ChangeEvent,
  circumstances: Circumstances = {},
): Transition => {
  const before = sheet.change(changeId)
  const result = transition(
    before,
    event,
    sheet.context.policy,
    sheet.context.now,
    factsOf(sheet, before, circumstances),
  )
  if (!result.ok) return result
  const { change, effects } = result
  const prepared = prepare(sheet, change, effects, circumstances.isChecked ?? false)
  sheet.put(change)
  recordEvent(sheet, event, before, change, prepared?.release.id ?? null, circumstances.by)
  for (const effect of effects) carryOut(sheet, before, change, effect, prepared)
  return result
}

const factsOf = (sheet: Worksheet, change: Change, { inTheWay = null }: Circumstances): Facts => {
  const overdue = sheet.changes().find((other) => {
    const review = owedReview(other)
    return review !== null && isReached(review.due, sheet.context.now)
  })
  return {
    pointer: sheet.pointer,
    verdict: sheet.verdictOn(change),
    inTheWay,
    overdueReview: overdue?.content.changeId ?? null,
    versions: Object.fromEntries(keysOf(change.content.edits).map((key) => [key, sheet.nextVersion(key)])),
  }
}

const compiledOn = (sheet: Worksheet, base: Release, { content, versions }: Change): Release =>
  sheet.compile(base, entryEditsOf(content.edits, versions!))

const prepare = (
  sheet: Worksheet,
  change: Change,
  effects: readonly Effect[],
  isChecked: boolean,
): Prepared | null => {
  const isPublished = effects.includes("publish")
  if (!isPublished && !effects.includes("open")) return null
  const stable = sheet.release(sheet.pointer.stable)
  if (!isChecked) {
    checkBase(sheet, stable, change)
    checkEdits(change.content.edits)
  }
  const release = compiledOn(sheet, stable, change)
  const rollout = isPublished ? sheet.rollout() : null
  return { release, candidate: rollout && compiledOn(sheet, release, rollout) }
}

/** Throws Refusal `CHANGE_BASE_MOVED` naming the keys. */
const checkBase = (sheet: Worksheet, stable: Release, { content }: Change): void => {
  const keys = keysOf(content.edits)
  sheet.needKeys(stable, keys)
  const errors = keys.flatMap((key): FieldError[] => {
    const version = sheet.entry(stable, key)?.version ?? 0
    const base = content.base[key] ?? 0
    return version === base ? [] : [{ path: key, message: `is at version ${version}, and was at ${base}` }]
  })
  if (errors.length > 0) throw new Refusal("CHANGE_BASE_MOVED", "Edited keys have changed.", { errors })
}

const carryOut = (
  sheet: Worksheet,
  before: Change,
  change: Change,
  effect: Effect,
  prepared: Prepared | null,
): void => {
  const { changeId } = change.content
  const { candidate } = sheet.pointer
  switch (effect) {
    case "publish":
      sheet.giveVersions(change)
      sheet.setStable(prepared!.release.id, changeId, "live", changeId)
      if (candidate) recompiled(sheet, candidate, prepared!.candidate!)
      moveBase(sheet, change)
      break
    case "open":
      sheet.giveVersions(change)
      sheet.setCandidate({ release: prepared!.release.id, changeId, ...stepOf(change) }, "start", changeId)
      break
    case "step":
      sheet.setCandidate({ ...candidate!, ...stepOf(change) }, "advance", changeId)
      break
    case "settle":
      sheet.setStable(candidate!.release, changeId, "live", changeId)
      sheet.setCandidate(null, "live", changeId)
      moveBase(sheet, change)
      break
    case "drop":
      sheet.setCandidate(null, "rolled_back", changeId)
      break
    case "return":
      returnStable(sheet, before)
  }
}

const stepOf = ({ content, status }: Change): Pick<Candidate, "step" | "weightBp"> => {
  const step = status.state === "rolling_out" ? status.step : 0
  return { step, weightBp: content.plan[step]!.weightBp }
}

const recompiled = (sheet: Worksheet, candidate: Candidate, { id }: Release): void =>
  sheet.setCandidate({ ...candidate, release: id }, "recompiled", candidate.changeId)

/** Stable goes back; a rollout that stands on the keys taken back goes with it, any other is recompiled. */
const returnStable = (sheet: Worksheet, change: Change): void => {
  const { content, status } = change
  if (status.state !== "live") throw new Error("only a live change has something to return to")
  const rollout = sheet.rollout()
  const fits =
    rollout && !overlaps(rollout, change) ? recompiledIfItFits(sheet, status.previousStable, rollout) : null
  sheet.setStable(status.previousStable, status.previousChangeId, "rolled_back", content.changeId)
  if (rollout && fits) recompiled(sheet, sheet.pointer.candidate!, fits)
  else if (rollout)
    happen(sheet, rollout.content.changeId, { type: "abort", by: sheet.subject, reason: "superseded" })
  moveBase(sheet, change)
}

const recompiledIfItFits = (sheet: Worksheet, stable: Release["id"], rollout: Change): Release | null => {
  try {
    return compiledOn(sheet, sheet.release(stable), rollout)
  } catch (error) {
    // A rollback is never refused because something else would not fit beside it: that has to go.
    if (error instanceof Refusal) return null
    throw error
  }
}

/** Cancels what has not started and was made for other versions of these keys. */
const moveBase = (sheet: Worksheet, { content: mover }: Change): void => {
  const movedBy = mover.changeId
  const movedKeys = new Set(keysOf(mover.edits))
  for (const { content } of sheet.changes()) {
    if (content.changeId === movedBy) continue
    const keys = keysOf(content.edits).filter((key) => movedKeys.has(key))
    if (keys.length === 0) continue
    // Refused for all that has started or ended, which is as it should be.
    happen(sheet, content.changeId, {
      type: "cancel",
      by: sheet.subject,
      reason: "base_moved",
      keys,
      movedBy,
      detail: `${keys.join(", ")} changed`,
    })
  }
}

export const overlaps = (one: Change, other: Change): boolean => {
  const keys = new Set(keysOf(one.content.edits))
  return other.content.edits.some(({ key }) => keys.has(key))
}
