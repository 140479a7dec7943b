import { readFileSync } from "node:fs"
import type { Context } from "../../core/flag/definition.ts"
import type { Definition } from "../../core/flag/flags.ts"
import type { Json } from "../../core/json.ts"

/** What every evaluator has to make of these flags, wherever it runs. */
export interface GoldenCase {
  name: string
  flags: Record<string, Definition>
  flag: string
  context: Context
  expected: { value?: Json; variant?: string; reason: string; errorCode?: string; metadata?: Json }
  /** flagd's format has no such thing. */
  isOurs: boolean
}

/** What `$flagd.timestamp` is in all of them. */
export const GOLDEN_SECONDS = 1_700_000_000

interface OfFlags {
  of: string
  ours?: boolean
  flags: Record<string, Definition>
  cases: [flag: string, context: Context, expected: GoldenCase["expected"]][]
}
interface OfOperators {
  of: string
  cases: [rule: Json, context: Context, gives: Json][]
}

const read = <Content>(name: string): Content =>
  JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8")) as Content

/** A flag that is "yes" where the rule gives exactly that. */
const asking = (rule: Json, gives: Json): Definition => ({
  state: "ENABLED",
  variants: { yes: true, no: false },
  defaultVariant: "no",
  targeting: { if: [{ "===": [rule, gives] }, "yes", "no"] },
})

const YES = { value: true, variant: "yes", reason: "TARGETING_MATCH" }

export const GOLDEN: readonly GoldenCase[] = [
  ...read<OfOperators[]>("operators.json").flatMap(({ of, cases }) =>
    cases.map(([rule, context, gives]) => ({
      name: `${of}: ${JSON.stringify(rule)} of ${JSON.stringify(context)} is ${JSON.stringify(gives)}`,
      flags: { golden: asking(rule, gives) },
      flag: "golden",
      context,
      expected: YES,
      isOurs: false,
    })),
  ),
  ...read<OfFlags[]>("flags.json").flatMap(({ of, ours = false, flags, cases }) =>
    cases.map(([flag, context, expected]) => ({
      name: `${of}: ${flag} for ${JSON.stringify(context)} is ${expected.variant ?? expected.reason}`,
      flags,
      flag,
      context,
      expected,
      isOurs: ours,
    })),
  ),
]
