import type { AuditBody } from "../audit/entry.ts"
import { type FieldError, Refusal } from "../errors.ts"
import { type ChangeId, type ConfigKey, isTenant, type ReleaseId } from "../ids.ts"
import { isEntitlement } from "../limits/entitlement.ts"
import { allEntries } from "../release/compile.ts"
import type { Candidate, Release } from "../release/release.ts"
import { type Change, owedReview } from "./change.ts"
import { checkEdits, entryEditsOf, keysOf } from "./edits.ts"
import { checkNeeds, haveNeeds } from "./flag-edits.ts"
import { checkAllowed } from "./plan.ts"
import { POLICY_KEY } from "./policy.ts"
import { checkPolicyEdit, isPolicyChange, policyMadeBy } from "./policy-change.ts"
import { recordEvent } from "./record.ts"
import { holdToRules, type Moved } from "./rules-held.ts"
import { isReached } from "./time.ts"
import { type ChangeEvent, type Effect, type Facts, type Transition, transition } from "./transition.ts"
import type { Worksheet } from "./worksheet.ts"

interface Circumstances {
  inTheWay?: ChangeId | null
  /** Who did it, if not who gave the command. */
  by?: AuditBody["actor"]
  /** The edits were checked against this very state a moment ago. */
  isChecked?: boolean
  /** What everyone reads then, where the event does not say. */
  release?: ReleaseId
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
    sheet.policy,
    sheet.context.now,
    factsOf(sheet, before, circumstances),
  )
  if (!result.ok) return result
  const { change, effects } = result
  if (event.type === "start" && !circumstances.isChecked && !isPolicyChange(change))
    checkAllowed(change.content.strategy, sheet.policy)
  const prepared = prepare(sheet, before, change, effects, circumstances.isChecked ?? false)
  sheet.put(change)
  const release = circumstances.release ?? prepared?.release.id ?? null
  recordEvent(sheet, event, before, change, release, circumstances.by)
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
    frozen: sheet.rules.frozenFor(change),
    overdueReview: overdue?.content.changeId ?? null,
    versions: Object.fromEntries(keysOf(change.content.edits).map((key) => [key, sheet.nextVersion(key)])),
  }
}

/**
 * The release with the change in it. Throws Refusal `RELEASE_TOO_LARGE`, or `FLAG_INVALID` where its flags and those
 * that are there come to need each other in a circle.
 */
export const compiledOn = (
  sheet: Worksheet,
  base: Release,
  { content, versions }: Pick<Change, "content" | "versions">,
): Release => {
  const release = sheet.compile(base, entryEditsOf(content.edits, versions!))
  if (haveNeeds(content.edits)) {
    sheet.needChunks(release.manifest.chunks)
    checkNeeds(release, sheet.chunks, content.edits)
  }
  return release
}

const prepare = (
  sheet: Worksheet,
  before: Change,
  change: Change,
  effects: readonly Effect[],
  isChecked: boolean,
): Prepared | null => {
  if (effects.includes("return") && before.status.state === "live")
    return prepareReturn(sheet, sheet.release(before.status.previousStable), [change])
  const isPublished = effects.includes("publish")
  if (!isPublished && !effects.includes("open")) return null
  const stable = sheet.release(sheet.pointer.stable)
  if (!isChecked) {
    checkBase(sheet, stable, change)
    checkEdits(change.content.edits)
    checkPolicyEdit(change.content)
  }
  const release = compiledOn(sheet, stable, change)
  const rollout = isPublished ? sheet.rollout() : null
  const candidate = rollout && compiledOn(sheet, release, rollout)
  const views: Moved[] = [{ before: stable, after: release }]
  if (candidate)
    views.push({
      before: sheet.release(sheet.pointer.candidate!.release),
      after: candidate,
      beside: rollout.content.changeId,
    })
  holdToRules(sheet, change.content, views)
  return { release, candidate }
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
      if (isPolicyChange(change)) applyPolicy(sheet, change)
      break
    case "open":
      sheet.giveVersions(change)
      sheet.setCandidate({ release: prepared!.release.id, changeId, ...stepOf(change) }, "start", changeId)
      break
    case "step":
    case "exclude":
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
      if (before.status.state === "live")
        returnStable(sheet, prepared!, before.status.previousChangeId, [change])
  }
}

/** How far a rollout has come, and on the platform and tiers whom it has reached. */
const stepOf = ({ content, status }: Change): Omit<Candidate, "release" | "changeId"> => {
  if (status.state !== "rolling_out") throw new Error("only what rolls out is at a step")
  const { step } = status
  const { weightBp, tiers, tenants = [] } = content.plan[step]!
  if (tiers === undefined) return { step, weightBp }
  const excluded = (status.tripped ?? []).map(({ tenantId }) => tenantId)
  return { step, weightBp, audience: { tiers, tenants, excluded } }
}

const recompiled = (sheet: Worksheet, candidate: Candidate, { id }: Release): void =>
  sheet.setCandidate({ ...candidate, release: id }, "recompiled", candidate.changeId)

/** A policy counts at once: for what waits to start, and for when the clock looks at what waits or rolls out. */
const applyPolicy = (sheet: Worksheet, change: Change): void => {
  sheet.rules.set(policyMadeBy(change))
  for (const other of sheet.changes()) {
    const { changeId } = other.content
    // Refused for all that has started, or owes what it owed.
    happen(sheet, changeId, { type: "reassess" })
    if (other.status.state === "rolling_out" && other.status.frozen !== undefined)
      happen(sheet, changeId, { type: "freeze", frozen: sheet.rules.frozenFor(other) })
    if (other.status.state === "rolling_out" || other.status.state === "awaiting_approval")
      sheet.touch(changeId)
  }
}

/**
 * The release that stable goes back to when these live changes are taken back, and what rolls out on top of it. The
 * policy in force stays, as does what a tenant is granted, and the keys that are named: no way back to another leads past
 * its approvals.
 */
export const prepareReturn = (
  sheet: Worksheet,
  target: Release,
  taken: readonly Change[],
  staying: readonly ConfigKey[] = [],
): Prepared => {
  const granted = grantedApart(sheet, target, taken)
  const release = withKept(sheet, target, [...new Set([POLICY_KEY, ...granted, ...staying])])
  const rollout = sheet.rollout()
  const isApart = rollout !== null && !taken.some((change) => overlaps(rollout, change))
  return { release, candidate: isApart ? compiledIfItFits(sheet, release, rollout) : null }
}

/** For so many keys only their chunks are read, for more all of them. */
const FEW_KEYS = 100

/**
 * What a tenant is granted wherever the target has something else, but for what is taken back itself. It may have come
 * before these changes and after the target: an earlier way back left it where it was.
 */
const grantedApart = (sheet: Worksheet, target: Release, taken: readonly Change[]): ConfigKey[] => {
  if (!isTenant(sheet.state.scope)) return []
  const stable = sheet.release(sheet.pointer.stable)
  const takenKeys = new Set(taken.flatMap(({ content }) => keysOf(content.edits)))
  if (takenKeys.size <= FEW_KEYS)
    for (const release of [stable, target]) sheet.needKeys(release, [POLICY_KEY, ...takenKeys])
  const [known, former] = [new Set(stable.manifest.chunks), new Set(target.manifest.chunks)]
  const apart = [
    { ...stable.manifest, chunks: stable.manifest.chunks.filter((id) => !former.has(id)) },
    { ...target.manifest, chunks: target.manifest.chunks.filter((id) => !known.has(id)) },
  ]
  sheet.needChunks(apart.flatMap(({ chunks }) => chunks))
  const keys = apart.flatMap((manifest) => [...allEntries(manifest, sheet.chunks).keys()])
  return keys.filter((key) => isEntitlement(key) && !takenKeys.has(key))
}

/** The release with what stable has of these keys. */
const withKept = (sheet: Worksheet, target: Release, keys: readonly ConfigKey[]): Release => {
  const stable = sheet.release(sheet.pointer.stable)
  for (const release of [stable, target]) sheet.needKeys(release, keys)
  const edits = keys
    .map((key) => ({ key, entry: sheet.entry(stable, key) }))
    .filter(({ key, entry }) => sheet.entry(target, key)?.version !== entry?.version)
  return edits.length === 0 ? target : sheet.compile(target, edits)
}

/** Stable goes back; a rollout that stands on keys taken back goes with it, any other is recompiled. */
export const returnStable = (
  sheet: Worksheet,
  { release, candidate }: Prepared,
  stableChangeId: ChangeId | null,
  taken: readonly Change[],
): void => {
  const rollout = sheet.rollout()
  sheet.setStable(release.id, stableChangeId, "rolled_back", taken[0]!.content.changeId)
  if (rollout && candidate) recompiled(sheet, sheet.pointer.candidate!, candidate)
  else if (rollout)
    happen(sheet, rollout.content.changeId, { type: "abort", by: sheet.subject, reason: "superseded" })
  for (const change of taken) moveBase(sheet, change)
}

const compiledIfItFits = (sheet: Worksheet, stable: Release, rollout: Change): Release | null => {
  try {
    const candidate = compiledOn(sheet, stable, rollout)
    holdToRules(sheet, rollout.content, [{ before: stable, after: candidate }])
    return candidate
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
