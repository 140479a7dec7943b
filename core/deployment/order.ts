import type { Target, Use } from "./deployments.ts"

/** What is known of a target when one is looked for. */
export interface Standing {
  /** Its last checks failed, or somebody has just failed to reach it. */
  isDown: boolean
}

/** 0: the same place; 1: one is a part of the other, as a zone of its region; 2: elsewhere, or it is not said where. */
const distance = (here: string | null, there: string | undefined): number => {
  if (here === null || there === undefined) return 2
  if (here === there) return 0
  return here.startsWith(there) || there.startsWith(here) ? 1 : 2
}

/**
 * A backend's targets in the order in which they are tried: those that are down last, as they may be back; then the nearest;
 * then by priority; then as they were named.
 */
export const inOrder = <Each extends { target: Target & { priority: number } }>(
  each: readonly Each[],
  use: Use,
  here: string | null,
  standingOf: (one: Each) => Standing,
): Each[] =>
  each
    .filter(({ target }) => target.use === undefined || target.use === use)
    .map((one, nth) => ({
      one,
      rank: [
        Number(standingOf(one).isDown),
        distance(here, one.target.region),
        one.target.priority,
        nth,
      ] as const,
    }))
    .sort(({ rank: left }, { rank: right }) => {
      const differs = left.findIndex((value, nth) => value !== right[nth])
      return differs === -1 ? 0 : left[differs]! - right[differs]!
    })
    .map(({ one }) => one)
