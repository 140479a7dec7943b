import { STALL_MS } from "./processes.ts"
import type { FuzzResult } from "./run.ts"

const MB = 1_048_576
/** What the functions remember on purpose, each up to a bound: the views of the tenants there were, tokens, chunks. */
const REMEMBERED_BYTES_MAX = 48 * MB
/** Connections come and go: as many may be open as the pools allow. */
const CONNECTIONS_MAX = 64

/**
 * Requests that hold the loop too long by themselves. A turn with 32 in flight does the work of several, and only tells
 * where to look.
 */
export const tooSlow = ({ slow }: FuzzResult): string[] =>
  slow.filter(({ ms }) => ms > STALL_MS).map(({ ms, words }) => `${Math.round(ms)} ms: ${words}`)

/** What grew, and is not one of the memories that are bounded. */
export const keptMemory = ({ memory: { before, after } }: FuzzResult): string[] => {
  const grown: string[] = []
  const heapGrowth = after.heapUsed - before.heapUsed
  if (heapGrowth > REMEMBERED_BYTES_MAX) grown.push(`heap by ${Math.round(heapGrowth / MB)} MB`)
  const external = after.external - before.external
  if (external > 16 * MB) grown.push(`external by ${Math.round(external / MB)} MB`)
  for (const [name, many] of Object.entries(after.resources))
    if (many > (before.resources[name] ?? 0) + CONNECTIONS_MAX) grown.push(`${name} ${many}`)
  if ((after.resources.Timeout ?? 0) > (before.resources.Timeout ?? 0) + 8) grown.push("timers")
  return grown
}
