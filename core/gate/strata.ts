import type { Arm } from "../release/arms.ts"
import type { Evidence, InstanceGroup } from "./evidence.ts"
import type { Stratum } from "./ratio.ts"

/** Errors that every instance may count whatever the others do. */
const ALWAYS_COUNTED = 2
/** So many of an arm's instances, in tenths, may be sick without being believed; at least one. */
const SICK_TENTHS = 1

type Group = Pick<InstanceGroup, "errorsEach" | "instances">

/**
 * What an instance may count at most: as many errors as the worst ones but a tenth have (at least: but one). A sick host
 * fails all alone; a bad candidate fails on many.
 */
const errorsCap = (groups: readonly Group[]): number => {
  const all = groups.reduce((sum, { instances }) => sum + instances, 0)
  let left = Math.max(1, Math.floor((all * SICK_TENTHS) / 10))
  for (const { errorsEach, instances } of [...groups].sort((a, b) => b.errorsEach - a.errorsEach)) {
    left -= instances
    if (left < 0) return Math.max(ALWAYS_COUNTED, errorsEach)
  }
  return ALWAYS_COUNTED
}

const pinned = ({ groups }: Evidence, arm: Arm): InstanceGroup[] =>
  groups.filter((group) => !group.paired && group.arm === arm)

const errorsOf = (groups: readonly Group[], cap = Number.POSITIVE_INFINITY): number =>
  groups.reduce((sum, { errorsEach, instances }) => sum + Math.min(errorsEach, cap) * instances, 0)

const requestsOf = (groups: readonly InstanceGroup[]): number =>
  groups.reduce((sum, { requests }) => sum + requests, 0)

/**
 * The evidence as the test takes it. Instances that report on both arms are compared each with itself, so that a sick
 * one accuses neither; those that report on one arm are compared with those on the other.
 * `isCapped` as {@link errorsCap} says; else every error counts.
 */
export const strataOf = (evidence: Evidence, isCapped: boolean): Stratum[] => {
  const paired = evidence.groups.filter((group) => group.paired)
  const pairedErrors = errorsOf(paired)
  const stable = pinned(evidence, "stable")
  const candidate = pinned(evidence, "candidate")
  const counted = (groups: readonly InstanceGroup[]) =>
    errorsOf(groups, isCapped ? errorsCap(groups) : undefined)
  const candidateErrors = counted(candidate)
  const requests = requestsOf(candidate) + requestsOf(stable)
  return [
    {
      candidateErrors: errorsOf(paired.filter(({ arm }) => arm === "candidate")),
      errors: pairedErrors,
      // Weighted by errors. The logarithm is concave, so one average share accuses less than each instance's own would.
      share: pairedErrors === 0 ? 0 : evidence.pairedExpected / pairedErrors,
    },
    {
      candidateErrors,
      errors: candidateErrors + counted(stable),
      share: requests === 0 ? 0 : requestsOf(candidate) / requests,
    },
  ]
}
