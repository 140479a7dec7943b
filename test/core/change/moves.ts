import type { Move } from "../../../core/change/scope-state.ts"
import { EMPTY_RELEASE } from "../../../core/release/compile.ts"
import type { World } from "./world.ts"

const CREATED: Move = {
  seq: 0,
  at: "2026-01-01T00:00:00.000Z",
  stable: EMPTY_RELEASE.id,
  stableChangeId: null,
  cause: "created",
}

/** The pointer's rows, beginning with the one that was in force then. */
export const movesSince = ({ history, moves }: World, sinceMs: number): Move[] => {
  const rows = history.map(({ seq, at, stable, stableChangeId }, index): Move => {
    return { seq, at: at!, stable, stableChangeId, cause: moves[index]!.cause }
  })
  const all = [CREATED, ...rows]
  return all.slice(all.findLastIndex(({ at }) => Date.parse(at) <= sinceMs))
}
