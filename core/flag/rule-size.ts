import type { Json } from "../json.ts"
import type { Definition } from "./flags.ts"

/** So many parts the rules of one flag may have: a list of 40,000 names is among them. Made ready they take some megabytes. */
export const PARTS_MAX = 50_000

/** How many parts a flag's rules have, a shared one counted wherever it is named: by them goes what a flag takes that is made ready. */
export const partsOf = (definition: Definition): number => {
  if ("enabled" in definition) return 1
  const { targeting = null, $evaluators: evaluators } = definition
  const shared = new Map(Object.entries(evaluators ?? {}).map(([name, rule]) => [name, partsIn(rule)]))
  return partsIn(targeting, shared)
}

const partsIn = (rule: Json, shared: ReadonlyMap<string, number> = new Map()): number => {
  if (typeof rule !== "object" || rule === null) return 1
  let parts = 1
  if (Array.isArray(rule)) for (const item of rule) parts += partsIn(item, shared)
  else
    for (const [name, part] of Object.entries(rule))
      parts += (name === "$ref" && shared.get(String(part))) || partsIn(part, shared)
  return parts
}
