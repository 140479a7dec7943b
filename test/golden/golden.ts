/**
 * What every evaluator of flags has to answer, wherever it runs: all cases as data.
 *
 * Within one process: `new Flags(new Map(Object.entries(flags))).evaluate(flag, context, nowSeconds)` gives `expected`;
 * where `expected` has no `metadata` it is `{}`, and `errorMessage` may say anything.
 *
 * Over a wire: one view of each of `GOLDEN_VIEWS` (`configs`, as they are stored, under their keys), then ask its `cases`
 * one by one or all at once. Three things to mind there:
 * - `isRefused`: the service would not take this definition, so seed it where it is read from, or leave the case out.
 *   `GOLDEN_VIEWS` has the others of the same flags under `accepted`, ready to be written.
 * - `isTimed`: it holds only if `$flagd.timestamp` is `nowSeconds` to the second. Where the clock can be set but is another,
 *   `goldenAt(seconds)` gives all cases and views for that; where it cannot be set, leave the timed ones out.
 * - `isOurs`: flagd's format has no such thing, so another's evaluator need not know it.
 */
import { readFileSync } from "node:fs"
import type { Context } from "../../core/flag/definition.ts"
import { parseFlag } from "../../core/flag/flag-document.ts"
import type { Definition } from "../../core/flag/flags.ts"
import { unmeetable } from "../../core/flag/prerequisites.ts"
import type { Json } from "../../core/json.ts"

export interface GoldenCase {
  name: string
  /** All flags of the view it is asked of. Cases of one view have the very same object here. */
  flags: Readonly<Record<string, Definition>>
  flag: string
  context: Context
  nowSeconds: number
  expected: { value?: Json; variant?: string; reason: string; errorCode?: string; metadata?: Json }
  isTimed: boolean
  isRefused: boolean
  isOurs: boolean
}

export interface GoldenView {
  of: string
  /** The values of its configs, as they are stored: the short form with state and variants. */
  configs: Readonly<Record<string, Json>>
  /** The keys among them that the service would let be written. */
  accepted: readonly string[]
  cases: readonly GoldenCase[]
}

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

/** The seconds that the files are written for; they say a second later or earlier as such a number, too. */
export const GOLDEN_SECONDS = 1_700_000_000
const SECONDS_IN_FILES = /\b17000000\d\d\b|\b16999999\d\d\b/g

const read = <Content>(name: string, nowSeconds: number): Content => {
  const text = readFileSync(new URL(name, import.meta.url), "utf8")
  return JSON.parse(
    text.replace(SECONDS_IN_FILES, (seconds) => String(Number(seconds) - GOLDEN_SECONDS + nowSeconds)),
  ) as Content
}

/** A flag that is "yes" where the rule gives exactly that. */
const asking = (rule: Json, gives: Json): Definition => ({
  state: "ENABLED",
  variants: { yes: true, no: false },
  defaultVariant: "no",
  targeting: { if: [{ "===": [rule, gives] }, "yes", "no"] },
})

const YES = { value: true, variant: "yes", reason: "TARGETING_MATCH" }

const ofOperators = (groups: readonly OfOperators[]): Omit<OfFlags, "of"> & { names: string[] } => {
  const all = groups.flatMap(({ of, cases }) => cases.map((one) => ({ of, one })))
  const keyOf = (index: number) => `golden-${index}`
  return {
    names: all.map(
      ({ of, one: [rule, context, gives] }) =>
        `${of}: ${JSON.stringify(rule)} of ${JSON.stringify(context)} is ${JSON.stringify(gives)}`,
    ),
    flags: Object.fromEntries(
      // A rule that asks for its flag's key is told so here.
      all.map(({ one: [rule, , gives] }, index) => [
        keyOf(index),
        asking(rule, gives === "golden" ? keyOf(index) : gives),
      ]),
    ),
    cases: all.map(({ one: [, context] }, index) => [keyOf(index), context, YES]),
  }
}

const isRefused = (flag: string, definition: Definition | undefined): boolean => {
  if (!definition) return false
  try {
    parseFlag(flag, definition as unknown as Json)
    return false
  } catch {
    return true
  }
}

const stored = (definition: Definition): Json =>
  ("enabled" in definition
    ? {
        ...definition,
        state: definition.enabled ? "ENABLED" : "DISABLED",
        variants: { on: true, off: false },
      }
    : definition) as unknown as Json

const viewOf = (
  { of, ours = false, flags, cases }: OfFlags,
  nowSeconds: number,
  names?: readonly string[],
): GoldenView => {
  const made = cases.map(([flag, context, expected], index): GoldenCase => {
    const isBroken = expected.errorCode === "PARSE_ERROR"
    return {
      name:
        names?.[index] ??
        `${of}: ${flag} for ${JSON.stringify(context)} is ${expected.variant ?? expected.reason}`,
      flags,
      flag,
      context,
      nowSeconds,
      expected,
      isTimed: JSON.stringify(flags[flag] ?? null).includes("$flagd.timestamp"),
      // A flag that needs one which there is not would be refused for that.
      isRefused:
        isBroken ||
        isRefused(flag, flags[flag]) ||
        unmeetable(new Map(Object.entries(flags)), [flag]).length > 0,
      isOurs: ours,
    }
  })
  const refused = new Set(made.filter((one) => one.isRefused).map((one) => one.flag))
  const keys = Object.keys(flags)
  return {
    of,
    configs: Object.fromEntries(keys.map((key) => [key, stored(flags[key]!)])),
    accepted: keys.filter((key) => !refused.has(key)),
    cases: made,
  }
}

/** Everything, as it is at this time. */
export const goldenAt = (nowSeconds: number): readonly GoldenView[] => {
  const { names, ...operators } = ofOperators(read<OfOperators[]>("operators.json", nowSeconds))
  return [
    viewOf({ of: "operators", ...operators }, nowSeconds, names),
    ...read<OfFlags[]>("flags.json", nowSeconds).map((group) => viewOf(group, nowSeconds)),
  ]
}

export const GOLDEN_VIEWS: readonly GoldenView[] = goldenAt(GOLDEN_SECONDS)

export const GOLDEN: readonly GoldenCase[] = GOLDEN_VIEWS.flatMap((view) => view.cases)
