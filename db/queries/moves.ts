import type { Instant } from "../../core/change/change.ts"
import type { Move } from "../../core/change/scope-state.ts"
import type { Environment } from "../../core/environment.ts"
import type { ScopeId } from "../../core/ids.ts"
import { toInstant } from "../instant.ts"
import type { Runner } from "../open.ts"
import { textQuery } from "../text-query.ts"

const moves = textQuery<{ moves: string }>(
  "select hotswap.read_moves($1, $2, $3::text::timestamptz) as moves",
  ["scope", "environment", "since"],
)

/** The rows of a pointer's history, oldest first, beginning with the one that was in force at `since`. */
export const readMoves = async (
  runner: Runner,
  scope: ScopeId,
  environment: Environment,
  since: Instant,
): Promise<Move[]> => {
  const [row] = await runner.run(moves, { scope, environment, since })
  return (JSON.parse(row!.moves) as Move[]).map((move) => ({ ...move, at: toInstant(move.at) }))
}
