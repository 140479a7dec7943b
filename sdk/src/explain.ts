import { type Explanation, explainFlag } from "../../core/flag/explain.ts"
import type { Definition } from "../../core/flag/flags.ts"
import type { Context, View } from "./types.ts"

export type { Bucket, Explanation, Step } from "../../core/flag/explain.ts"

/** Why a flag is for somebody what `view.evaluate` says it is: for people, as it takes its time. Never throws. */
export const explain = (view: View, flag: string, context: Context = {}): Explanation => {
  const definitions = new Map<string, Definition>()
  for (const key of view.flags()) definitions.set(key, view.get(key) as unknown as Definition)
  return explainFlag(definitions, flag, context, Math.floor(Date.now() / 1_000))
}
