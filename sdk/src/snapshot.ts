import type { Context, Evaluation } from "../../core/flag/definition.ts"
import { hasRule } from "../../core/flag/flag.ts"
import { type Definition, FlagSet } from "../../core/flag/flag-set.ts"
import { isFlag } from "../../core/flag/is-flag.ts"
import type { Rules } from "../../core/flag/rules.ts"
import type { Json } from "../../core/json.ts"
import { getsCandidate } from "../../core/release/bucket.ts"
import { isLater } from "./revisions.ts"
import type { HotswapEvents, Snapshot, View } from "./types.ts"

type Values = ReadonlyMap<string, Json>

/** One arm's configuration, and what has been made ready of its flags. */
interface Arm {
  values: Values
  flags: FlagSet
  rules: Rules
  flagKeys: readonly string[]
  /** Does one of them ask what time it is? Asking the clock can take longer than all the rest. */
  isTimed: boolean
}

/** A variable that begins with `$`, or whose name is computed: it may be `$flagd.timestamp`. */
const TIMED = /"var":\[?(?!"[^$])/

/** A snapshot made ready to serve from. */
export interface Held {
  snapshot: Snapshot
  etag: string
  stable: ServedView
  candidate: ServedView | null
}

/** Nobody who is handed a value can alter it for the others. */
const frozen = (value: Json): Json => {
  // What is no object is frozen as it is.
  if (!Object.isFrozen(value)) for (const member of Object.values(Object.freeze(value)!)) frozen(member)
  return value
}

/** The value as it was, where it is the same: what was made of it stays good. */
const kept = (value: Json, before: Json | undefined): Json =>
  value === before || JSON.stringify(value) === JSON.stringify(before) ? before! : frozen(value)

const armOf = (values: Values, view: ServedView | undefined, rules: Rules): Arm => {
  const before = view?.content
  const definitions = new Map<string, Definition>()
  for (const [key, value] of values) if (isFlag(value)) definitions.set(key, value)
  const isSame =
    before?.rules === rules &&
    definitions.size === before.flagKeys.length &&
    before.flagKeys.every((key) => before.values.get(key) === definitions.get(key))
  if (isSame) return { ...before, values }
  const isTimed = TIMED.test(JSON.stringify([...definitions.values()]))
  return { values, flags: new FlagSet(definitions, rules), rules, flagKeys: [...definitions.keys()], isTimed }
}

export class ServedView implements View {
  readonly tenantId: string
  readonly environment: string
  readonly revision: string
  readonly arm: View["arm"]
  /** For the next snapshot, which takes over what has not changed. */
  readonly content: Arm

  constructor({ tenantId, environment, revision }: Snapshot, arm: View["arm"], of: Arm) {
    this.tenantId = tenantId
    this.environment = environment
    this.revision = revision
    this.arm = arm
    this.content = of
    Object.freeze(this)
  }

  get(key: string): Json | undefined {
    return this.content.values.get(key)
  }

  keys(): Iterable<string> {
    return this.content.values.keys()
  }

  flags(): Iterable<string> {
    return this.content.flagKeys.values()
  }

  evaluate(flag: string, context: Context = {}): Evaluation {
    const { flags, isTimed } = this.content
    return flags.evaluate(flag, context, isTimed ? Math.floor(Date.now() / 1_000) : 0)
  }

  isEnabled(flag: string, context?: Context): boolean {
    return this.evaluate(flag, context).value === true
  }
}

/** The answer's tag, as the service makes it: it stays true of what was kept over a restart. */
const tagOf = ({ view, candidate }: Snapshot): string =>
  candidate
    ? `W/"${view}+${candidate.view}/${candidate.changeId}/${candidate.step}/${candidate.weightBp}"`
    : `W/"${view}"`

/** Every value as it was, where it is the same: in the snapshot too, so that nothing is held twice. */
const keepAll = (values: Record<string, Json>, before: ServedView | null | undefined): void => {
  for (const key of Object.keys(values)) values[key] = kept(values[key]!, before?.get(key))
}

/** Takes the snapshot over, and freezes what is in it. */
export const hold = (snapshot: Snapshot, before: Held | null, rules: Rules): Held => {
  const { configs, candidate } = snapshot
  keepAll(configs, before?.stable)
  const values = new Map(Object.entries(configs))
  const stable = new ServedView(snapshot, "stable", armOf(values, before?.stable, rules))
  if (!candidate) return { snapshot, etag: tagOf(snapshot), stable, candidate: null }
  keepAll(candidate.set, before?.candidate)
  const changed = new Map([...values, ...Object.entries(candidate.set)])
  for (const key of candidate.unset) changed.delete(key)
  return {
    snapshot,
    etag: tagOf(snapshot),
    stable,
    candidate: new ServedView(snapshot, "candidate", armOf(changed, before?.candidate ?? stable, rules)),
  }
}

/** Is this, wherever it comes from, a snapshot of the tenant? */
export const isSnapshot = (value: Snapshot | null, tenantId: string): value is Snapshot =>
  value?.tenantId === tenantId && isLater(value.revision, "") && typeof value.configs === "object"

/** Has a flag in it a rule? */
export const hasRules = ({ configs, candidate }: Snapshot): boolean =>
  [...Object.values(configs), ...Object.values(candidate?.set ?? {})].some(
    (value) => isFlag(value) && hasRule(value),
  )

/** A newer one, or the same one with the candidate that could not be had before. Never an older one. */
export const supersedes = (next: Snapshot, held: Snapshot): boolean =>
  next.revision === held.revision
    ? next.candidate !== null && held.candidate === null
    : isLater(next.revision, held.revision)

export const viewFor = ({ snapshot, stable, candidate }: Held, unit: string): ServedView => {
  const rollout = snapshot.candidate
  return candidate && getsCandidate(rollout!.changeId, unit, rollout!.weightBp) ? candidate : stable
}

/** What somebody is told otherwise than before, if only by one arm. */
export const changesOf = (before: Held, next: Held): HotswapEvents["changed"] => {
  const arms = [before.stable, next.stable]
  const changed = new Set(arms.flatMap((view) => [...view.keys()]))
  for (const key of changed) if (before.stable.get(key) === next.stable.get(key)) changed.delete(key)
  if (before.etag !== next.etag)
    for (const { snapshot } of [before, next])
      for (const key of [...Object.keys(snapshot.candidate?.set ?? {}), ...(snapshot.candidate?.unset ?? [])])
        changed.add(key)
  const flags = new Set([...arms, next.candidate ?? next.stable].flatMap((view) => [...view.flags()]))
  const keys = [...changed]
  return { revision: next.snapshot.revision, keys, flags: keys.filter((key) => flags.has(key)) }
}
