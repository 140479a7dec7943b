import type { ChangeListed, Layer } from "../shapes.ts"
import { STATE_WORDS, scopeOf } from "../words.ts"

/** Where a change has got to; the word says it, the colour only repeats it. */
export const StateBadge = ({ change }: { change: Pick<ChangeListed, "state" | "paused" | "frozen"> }) => (
  <span class={`badge state-${change.state}`}>
    {STATE_WORDS[change.state]}
    {change.paused && ", paused"}
    {change.frozen && ", in a freeze"}
  </span>
)

/** The layer something is read from. */
export const LayerBadge = ({ layer, scope, locked }: { layer: Layer; scope: string; locked?: boolean }) => (
  <span class={`badge layer-${layer}`}>
    {layer === "tenant" ? "Own" : scopeOf(scope)}
    {locked && ", locked"}
  </span>
)
