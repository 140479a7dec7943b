import type { ConfigKey } from "../../core/ids.ts"
import { type PointerDocument, pollPace } from "../../core/release/pointer-document.ts"
import type { HeldPointer } from "./pointer.ts"
import type { Scope } from "./scope.ts"
import type { ViewContent, Views } from "./views.ts"

/** `"set":{…},"unset":[…]`: what a reader of `before` sets and takes away to have `next`; of one key only, if one is named. */
const differenceText = (before: ViewContent, next: ViewContent, key: ConfigKey | null): string => {
  const set: string[] = []
  const unset: string[] = []
  for (const name of key === null ? next.members.keys() : [key]) {
    const value = next.members.get(name)
    if (value !== undefined && value !== before.members.get(name)) set.push(`"${name}":${value}`)
  }
  for (const name of key === null ? before.members.keys() : [key])
    if (before.members.has(name) && !next.members.has(name)) unset.push(name)
  return `"set":{${set.join(",")}},"unset":${JSON.stringify(unset)}`
}

/** The candidate, told by its difference to `stable`. */
export const candidateText = (
  { candidate }: PointerDocument,
  stable: ViewContent,
  content: ViewContent,
  key: ConfigKey | null,
): string => `${JSON.stringify(candidate).slice(0, -1)},${differenceText(stable, content, key)}}`

/** Beyond this a view is not looked through for each move, nor is so much told to everybody. */
const VIEW_LENGTH_MAX = 262_144
const STEP_LENGTH_MAX = 16_384

/**
 * What makes the snapshot at `before` that at `next`, as members of a JSON object: `from` and `view` name the stable views,
 * `set` and `unset` lead from one to the other, `candidate` is told whole, `poll` is the pace to ask in. `null` where
 * that is long, or not all of it is in memory.
 */
export const stepText = (
  views: Pick<Views, "remembered">,
  scope: Scope,
  before: HeldPointer,
  next: HeldPointer,
): string | null => {
  const contentOf = (view: HeldPointer["document"]["stable"]): ViewContent | null => {
    const content = views.remembered(scope, { view, index: null })
    return content && content.text.length <= VIEW_LENGTH_MAX ? content : null
  }
  const { document } = next
  const [had, stable] = [contentOf(before.document.stable), contentOf(document.stable)]
  const content = document.candidate && contentOf(document.candidate.view)
  if (!had || !stable || (document.candidate && !content)) return null
  const candidate = content ? candidateText(document, stable, content, null) : "null"
  const named = JSON.stringify({
    from: before.document.stable,
    view: document.stable,
    poll: pollPace(document),
  })
  const step = `${named.slice(1, -1)},${differenceText(had, stable, null)},"candidate":${candidate}`
  return step.length <= STEP_LENGTH_MAX ? step : null
}
