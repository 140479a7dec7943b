import { type FieldError, Refusal } from "../errors.ts"
import { type ChangeId, type ConfigKey, isTenant, layerOf, PLATFORM } from "../ids.ts"
import { canonical, type Json } from "../json.ts"
import type { Entry, Release } from "../release/release.ts"
import { mergeLayers } from "../release/view.ts"
import { brokenAmong, keysOfRule, type ValueAt } from "../rule/evaluate.ts"
import type { BrokenRule, ScopedRule } from "../rule/rule.ts"
import type { ChangeContent } from "./change.ts"
import { keysOf } from "./edits.ts"
import { Needs } from "./needs.ts"
import type { PolicyDocument } from "./policy.ts"
import { policyEditOf } from "./policy-change.ts"
import type { Worksheet } from "./worksheet.ts"

/** What the readers of one arm have of the scope before and after. */
export interface Moved {
  before: Release
  after: Release
  /** What rolls out there, if it is not the change itself. */
  beside?: ChangeId
}

/**
 * Holds what readers get by a change to the rules of every layer that are about one of its keys. One that held has to hold after
 * it; one that did not has to be mended, where that is up to the scope: see {@link isToMend}. Throws Refusal
 * `RULE_BROKEN` with every rule.
 */
export const holdToRules = (
  sheet: Worksheet,
  content: Pick<ChangeContent, "edits">,
  views: readonly Moved[],
): void => {
  const asked = rulesAsked(sheet, content)
  if (asked.length === 0) return
  const keys = [...new Set(asked.flatMap(({ rule }) => keysOfRule(rule)))]
  for (const { before, after } of views) for (const release of [before, after]) sheet.needKeys(release, keys)
  const errors = new Map<string, FieldError>()
  for (const view of views) {
    const broken = brokenAmong(asked, effective(sheet, keys, view.after))
    // Asked together, so that all of them together cost no more than is allowed.
    const among = (release: Release | null) =>
      new Set(brokenAmong(broken, effective(sheet, keys, release)).map(({ rule }) => rule))
    const before = among(view.before)
    const above = among(null)
    const atFault = broken.filter(
      (one) => !before.has(one.rule) || isToMend(sheet, content, one, above.has(one.rule)),
    )
    for (const one of atFault) errors.set(canonical([one.scope, one.rule.id]), errorOf(one, content, view))
  }
  if (errors.size === 0) return
  const told = [...errors.values()]
  const names = told.map(({ rule }) => rule).join(", ")
  throw new Refusal(
    "RULE_BROKEN",
    `It would break ${told.length === 1 ? "a rule" : `${told.length} rules`}: ${names.slice(0, 500)}.`,
    { errors: told },
  )
}

/** Those that the change may break: about a key of its, or written by it. */
const rulesAsked = (sheet: Worksheet, { edits }: Pick<ChangeContent, "edits">): ScopedRule[] => {
  const inForce = sheet.rules.rules()
  const policy = policyEditOf(edits)
  if (policy === null) {
    const edited = new Set(keysOf(edits))
    return inForce.filter(({ rule }) => keysOfRule(rule).some((key) => edited.has(key)))
  }
  // What the platform asks, its tenants may bring: by itself it need not.
  if (!isTenant(sheet.state.scope)) return []
  const known = new Set(inForce.map(textOf))
  const document = (policy.value ?? {}) as unknown as PolicyDocument
  return sheet.rules.rules(document).filter((rule) => !known.has(textOf(rule)))
}

const textOf = ({ scope, rule }: ScopedRule): string => canonical([scope, rule as unknown as Json])

/**
 * Is a rule that was broken before to be mended by this change? Whoever writes it does, the tenant whose own it is, and one
 * without whose configs it would hold. Of the platform and the tiers it is not known: their tenants may bring what is missing.
 */
const isToMend = (
  { state }: Worksheet,
  { edits }: Pick<ChangeContent, "edits">,
  { scope }: BrokenRule,
  isBrokenAbove: boolean,
): boolean =>
  policyEditOf(edits) !== null || (isTenant(state.scope) && (scope === state.scope || !isBrokenAbove))

/** The keys as readers have them who get this release of the scope's own; `null`: nothing of its own. */
const effective = (sheet: Worksheet, keys: readonly ConfigKey[], release: Release | null): ValueAt => {
  const own = new Map<ConfigKey, Entry>()
  for (const key of keys) {
    const entry = release && sheet.entry(release, key)
    if (entry) own.set(key, entry)
  }
  const merged = mergeLayers([...inherited(sheet, keys), { layer: layerOf(sheet.state.scope), entries: own }])
  return (key) => merged.get(key)?.value
}

const inherited = ({ state, context }: Worksheet, keys: readonly ConfigKey[]) => {
  if (state.scope === PLATFORM) return []
  const known = context.inherited
  const missing = keys.filter((key) => !known?.keys.has(key))
  if (known === undefined || missing.length > 0)
    throw new Needs({ kind: "needs_inherited", keys: [...(known?.keys ?? []), ...missing] })
  return known.layers
}

const errorOf = (
  { scope, rule, keys, failure }: BrokenRule,
  { edits }: Pick<ChangeContent, "edits">,
  { beside }: Moved,
): FieldError => {
  const edited = new Set(keysOf(edits))
  const where = beside === undefined ? "" : `, beside what ${beside} rolls out`
  const why = failure === undefined ? "" : ` (it cannot be evaluated: ${failure})`
  return {
    path: keys.find((key) => edited.has(key)) ?? keys[0]!,
    message: `breaks the rule ${rule.id} of ${scope}${where}: ${rule.description}${why}`,
    rule: rule.id,
    scope,
    keys,
  }
}
