import type { ScopeState } from "../../core/change/scope-state.ts"
import type { ReleaseId } from "../../core/ids.ts"
import { toInstant } from "../instant.ts"

/** One row of a pointer's history: `[seq, stable, at, cause]`. */
export type Move = readonly [seq: number, stable: ReleaseId, at: string, cause: string]

/**
 * For how long each release was stable, newest first; moves of the candidate alone end nothing. The oldest period may
 * have begun before the first move that was read.
 */
export const periodsOf = (moves: readonly Move[]): ScopeState["history"] => {
  const starts = moves.filter(([, stable], index) => stable !== moves[index - 1]?.[1])
  const periods = starts.map(([seq, stable, at], index) => {
    const [, , until, endedBy] = starts[index + 1] ?? []
    return {
      seq,
      stable,
      at: toInstant(at),
      until: until === undefined ? null : toInstant(until),
      rolledBack: endedBy === "rolled_back",
    }
  })
  return periods.reverse()
}
