import type { Change } from "../../core/change/change.ts"
import { entryEditsOf, keysOf } from "../../core/change/edits.ts"
import { workSpent } from "../../core/flag/run.ts"
import { isTenant, layerOf, type TenantId } from "../../core/ids.ts"
import { canonical, type JsonObject } from "../../core/json.ts"
import { isReached } from "../../core/release/arms.ts"
import { FULL_BP, getsCandidate } from "../../core/release/bucket.ts"
import { type Merged, mergeLayers } from "../../core/release/view.ts"
import { brokenAmong, keysOfRule } from "../../core/rule/evaluate.ts"
import type { BrokenRule, ScopedRule } from "../../core/rule/rule.ts"
import { rulesOf } from "../platform/broken-rules.ts"
import { type Layers, layersOf, lookAtHeirs, type Question } from "./audience-layers.ts"
import type { ManageDeps } from "./deps.ts"
import type { Target } from "./show.ts"

type Deps = Pick<ManageDeps, "db" | "system">

const TOLD_MAX = 20

/** What is looked up to know what a change does: its keys, and the rules that it may break. */
const questionOf = ({ content }: Change): Question => {
  const keys = keysOf(content.edits)
  const edited = new Set(keys)
  return {
    environment: content.environment,
    keys,
    rulesOf: (policies) =>
      rulesOf(policies).filter(({ rule }) => keysOfRule(rule).some((key) => edited.has(key))),
  }
}

interface Effect {
  /** Would readers see anything else? Not of what a nearer or a locked layer hides. */
  alters: boolean
  /** The rules that hold now and would not then. */
  breaks: BrokenRule[]
  /** What it took to find out. */
  work: number
}

const brokenOf = (rules: readonly ScopedRule[], merged: Merged) => {
  if (rules.length === 0) return { broken: [], work: 0 }
  const broken = brokenAmong(rules, (key) => merged.get(key)?.value)
  return { broken, work: workSpent() }
}

/** What the change's edits in its layer do to a tenant's readers. */
const effectOf = ({ layers, rules }: Layers, { content }: Change): Effect => {
  const own = layerOf(content.scope)
  const versions = Object.fromEntries(content.edits.map(({ key }) => [key, 0]))
  const edited = layers.map(({ layer, entries }) => {
    if (layer !== own) return { layer, entries }
    const next = new Map(entries)
    for (const { key, entry } of entryEditsOf(content.edits, versions))
      if (entry === null) next.delete(key)
      else next.set(key, entry)
    return { layer, entries: next }
  })
  const [before, after] = [mergeLayers(layers), mergeLayers(edited)]
  const alters = content.edits.some(({ key }) => {
    const [old, new_] = [before.get(key), after.get(key)]
    return (old && canonical(old.value)) !== (new_ && canonical(new_.value))
  })
  let work = 0
  const brokenIn = (merged: Merged): BrokenRule[] => {
    const found = brokenOf(rules, merged)
    work += found.work
    return found.broken
  }
  const known = new Set(brokenIn(before).map(({ rule }) => rule))
  return { alters, breaks: brokenIn(after).filter(({ rule }) => !known.has(rule)), work }
}

interface Reach {
  step: number | null
  weightBp: number
  tiers: readonly string[]
  tenants: readonly string[]
}

/** Each step, and in the end everyone. */
const reachesOf = ({ content }: Change): Reach[] => [
  ...content.plan.map(({ weightBp, tiers = [], tenants = [] }, step) => ({ step, weightBp, tiers, tenants })),
  { step: null, weightBp: FULL_BP, tiers: [], tenants: [] },
]

/** A share is drawn by the change's id, which a preview has not got yet: as many, but others. */
const isExact = ({ weightBp }: Reach): boolean => weightBp === 0 || weightBp === FULL_BP

const subjectsOf = async (
  deps: Deps,
  change: Change,
  tenantId: TenantId,
  subjects: readonly string[],
): Promise<JsonObject> => {
  const read = await layersOf(deps, tenantId, questionOf(change))
  const altersAny = read !== null && effectOf(read, change).alters
  const { changeId } = change.content
  return {
    of: "subjects",
    lookedAt: subjects.length,
    truncated: false,
    alters: altersAny,
    steps: reachesOf(change).map((reach) => {
      const seeing = altersAny
        ? subjects.filter((subject) => getsCandidate(changeId, subject, reach.weightBp))
        : []
      return {
        step: reach.step,
        weightBp: reach.weightBp,
        reached: subjects.filter((subject) => getsCandidate(changeId, subject, reach.weightBp)).length,
        seeing: seeing.length,
        examples: seeing.slice(0, TOLD_MAX),
        exact: isExact(reach),
      }
    }),
  }
}

/** Tenants, and what of the rules does not hold for their readers: the first of them. */
const showBreaking = (breaking: ReadonlyMap<TenantId, readonly BrokenRule[]>): JsonObject => ({
  tenants: breaking.size,
  examples: [...breaking].slice(0, TOLD_MAX).map(([tenantId, rules]) => ({
    tenantId,
    rules: rules.map(({ scope, rule: { id, description }, keys }) => ({
      scope: scope as string,
      id,
      description,
      keys: [...keys],
    })),
  })),
})

const tenantsOf = async (deps: Deps, change: Change): Promise<JsonObject> => {
  const { scope, changeId } = change.content
  const altered = new Set<TenantId>()
  const breaking = new Map<TenantId, BrokenRule[]>()
  const looked = await lookAtHeirs(deps, scope, questionOf(change), ({ tenantId }, layers) => {
    const { alters, breaks, work } = effectOf(layers, change)
    if (alters) altered.add(tenantId)
    if (breaks.length > 0) breaking.set(tenantId, breaks)
    return work
  })
  const { tenants, truncated } = looked
  return {
    of: "tenants",
    lookedAt: tenants.length,
    truncated,
    alters: altered.size > 0,
    breaking: showBreaking(breaking),
    steps: reachesOf(change).map((reach) => {
      const { step, weightBp, tiers, tenants: named } = reach
      const audience = { tiers, tenants: named, excluded: [] } as never
      const reached = tenants.filter((tenant) =>
        isReached({ changeId, weightBp, audience }, tenant.tenantId, tenant.tier),
      )
      const seeing = reached.filter(({ tenantId }) => altered.has(tenantId))
      return {
        step,
        weightBp,
        reached: reached.length,
        seeing: seeing.length,
        examples: seeing.slice(0, TOLD_MAX).map(({ tenantId }) => tenantId),
        exact: isExact(reach),
      }
    }),
  }
}

/** Who would see something else at each step of a change that is not submitted yet. */
export const audienceOf = async (
  deps: Deps,
  change: Change,
  subjects: readonly string[],
): Promise<JsonObject> => {
  const { scope } = change.content
  return isTenant(scope) ? await subjectsOf(deps, change, scope, subjects) : await tenantsOf(deps, change)
}

/** The tenants that inherit from the scope for whose readers one of the rules does not hold now. */
export const heirsBreaking = async (
  deps: Deps,
  { scope, environment }: Target,
  rules: readonly ScopedRule[],
): Promise<JsonObject> => {
  const breaking = new Map<TenantId, BrokenRule[]>()
  const question = { environment, keys: [], rulesOf: () => rules }
  const { tenants, truncated } = await lookAtHeirs(deps, scope, question, ({ tenantId }, { layers }) => {
    const { broken, work } = brokenOf(rules, mergeLayers(layers))
    if (broken.length > 0) breaking.set(tenantId, broken)
    return work
  })
  return { lookedAt: tenants.length, truncated, ...showBreaking(breaking) }
}
