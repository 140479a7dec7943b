import { readFileSync } from "node:fs"
import { parseFlag } from "../../core/flag/flag-document.ts"
import type { Definition } from "../../core/flag/flags.ts"
import { rules } from "../../core/flag/rules.ts"
import { parseConfigKey, parseTenantId } from "../../core/ids.ts"
import { parseJson } from "../../core/json.ts"
import type { EventType } from "../../core/usage/event.ts"
import { TenantContext, type TenantContextFields } from "./context.ts"
import type { EventFields, TrackOptions } from "./event-types.ts"
import type { LimitDecision } from "./limits.ts"
import { Listeners } from "./listeners.ts"
import { changesOf, type Held, hold, viewFor } from "./snapshot.ts"
import { TenantUnknownError } from "./tenants.ts"
import type { Client, Context, Evaluation, HotswapEvents, Json, View } from "./types.ts"

/** What a tenant has, as a test writes it. */
export interface TestValues {
  configs?: Readonly<Record<string, Json>>
  /** In flagd's format or the short one, `{enabled, percentage?}`. */
  flags?: Readonly<Record<string, Definition>>
  /** By name, without `feature.`. */
  features?: Readonly<Record<string, Json>>
}

/** A whole test's, also as the JSON file of `TestTenants.fromFile`. */
export interface TestDocument {
  /** Default `Development`. */
  environment?: string
  /** What every tenant has unless it has its own. */
  shared?: TestValues
  tenants?: Readonly<Record<string, TestValues>>
}

type Name = keyof HotswapEvents

/** A tenant's configuration in memory: a client without a service, that a test may alter. */
export class TestClient implements Client {
  readonly isReady = true
  /** What the application reported of the requests that it served. */
  readonly reports: { view: View; ok: boolean; latencyMs?: number }[] = []
  readonly #listeners = new Listeners()
  #held: Held

  constructor(tenantId: string, environment: string, values: TestValues = {}) {
    const snapshot = { tenantId, environment, revision: "0.0.0.1", view: "1", configs: {}, candidate: null }
    this.#held = hold({ ...snapshot, configs: entriesOf(values) }, null, rules)
  }

  /** Takes effect at once, for whoever asks for a view from now on; all of it, or nothing if anything is not valid. */
  set(values: TestValues): void {
    this.#become({ ...this.#held.snapshot.configs, ...entriesOf(values) })
  }

  setConfig(key: string, value: Json): void {
    this.set({ configs: { [key]: value } })
  }

  /** Throws `FLAG_INVALID` for what the service would not take either. */
  setFlag(key: string, definition: Definition | boolean): void {
    this.set({ flags: { [key]: typeof definition === "boolean" ? { enabled: definition } : definition } })
  }

  setFeature(name: string, value: Json = true): void {
    this.set({ features: { [name]: value } })
  }

  /** Of a config, a flag, or `feature.<name>`. */
  delete(key: string): void {
    const { [key]: _, ...rest } = this.#held.snapshot.configs
    this.#become(rest)
  }

  ready(): Promise<void> {
    return Promise.resolve()
  }

  view(targetingKey = ""): View {
    return viewFor(this.#held, targetingKey)
  }

  get(key: string): Json | undefined {
    return this.view().get(key)
  }

  evaluate(flag: string, context: Context = {}): Evaluation {
    return this.view(String(context.targetingKey ?? "")).evaluate(flag, context)
  }

  isEnabled(flag: string, context?: Context): boolean {
    return this.evaluate(flag, context).value === true
  }

  report(view: View, outcome: { ok: boolean; latencyMs?: number }): void {
    this.reports.push({ view, ...outcome })
  }

  reload(): Promise<void> {
    return Promise.resolve()
  }

  on<Of extends Name>(name: Of, listener: (event: HotswapEvents[Of]) => void): () => void {
    return this.#listeners.add(name, listener)
  }

  /** Tells listeners what a client tells them: for a test of what an application does when the service is gone. */
  emit<Of extends Name>(name: Of, event: HotswapEvents[Of]): void {
    this.#listeners.tell(name, event, (thrown) => {
      throw thrown
    })
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  #become(configs: Record<string, Json>): void {
    const before = this.#held
    const moves = Number(before.snapshot.view) + 1
    const next = { ...before.snapshot, configs, view: String(moves), revision: `0.0.0.${moves}` }
    this.#held = hold(next, before, rules)
    const changes = changesOf(before, this.#held)
    if (changes.keys.length > 0) this.emit("changed", changes)
  }
}

const entriesOf = ({ configs = {}, flags = {}, features = {} }: TestValues): Record<string, Json> => {
  const written = Object.entries(flags).map(([key, flag]) => [key, parseFlag(key, flag as unknown as Json)])
  const named = Object.entries(features).map(([name, value]) => [`feature.${name}`, value])
  const entries = [...Object.entries(configs), ...named, ...written] as [string, Json][]
  for (const [key] of entries)
    if (parseConfigKey(key) === null) throw new RangeError(`${JSON.stringify(key)} is no key of a config.`)
  return structuredClone(Object.fromEntries(entries))
}

/**
 * The tenants of one test, without a service: what middleware and consumers are given in place of `Tenants`. Each has its own
 * configuration, and each `TestTenants` its own tenants.
 */
export class TestTenants {
  readonly #environment: string
  readonly #shared: TestValues
  readonly #clients = new Map<string, TestClient>()

  constructor({ environment = "Development", shared = {}, tenants = {} }: TestDocument = {}) {
    this.#environment = environment
    this.#shared = shared
    for (const [tenantId, values] of Object.entries(tenants)) this.add(tenantId, values)
  }

  static fromFile(path: string): TestTenants {
    return new TestTenants(parseJson(readFileSync(path, "utf8")) as TestDocument)
  }

  /** A new tenant with what all have, and with `values` over it. Throws for one that there is. */
  add(tenantId: string, values: TestValues = {}): TestClient {
    if (parseTenantId(tenantId) === null)
      throw new RangeError(`${JSON.stringify(tenantId)} is no tenant's id.`)
    if (this.#clients.has(tenantId)) throw new RangeError(`There is a tenant ${tenantId} already.`)
    const client = new TestClient(tenantId, this.#environment, this.#shared)
    client.set(values)
    this.#clients.set(tenantId, client)
    return client
  }

  /** Throws {@link TenantUnknownError} for a tenant that was not added. */
  of(tenantId: string): TestClient {
    const client = this.#clients.get(tenantId)
    if (!client) throw new TenantUnknownError(tenantId)
    return client
  }

  async ready(tenantId: string): Promise<TestClient> {
    return this.of(tenantId)
  }

  /** Runs `work` as if in a request of the tenant. */
  run<Result>(tenantId: string, work: () => Result, fields: Omit<TenantContextFields, "view"> = {}): Result {
    const view = this.of(tenantId).view(fields.targetingKey)
    return TenantContext.run({ ...fields, view }, work)
  }

  async close(): Promise<void> {
    this.#clients.clear()
  }
}

/** An event that was tracked. */
export interface TrackedEvent extends TrackOptions {
  tenantId: string
  type: EventType
  data: unknown
}

/** Events in memory, in place of an `EventsClient`. */
export class TestEvents {
  readonly tracked: TrackedEvent[] = []
  readonly #tenantId: string | undefined

  /** `tenantId`: of what is tracked outside of any tenant context. */
  constructor({ tenantId }: { tenantId?: string } = {}) {
    this.#tenantId = tenantId
  }

  /** Throws where nobody could be told, as a client would drop it: of no tenant, or no JSON. */
  track<Type extends EventType>(type: Type, data: EventFields[Type], options: TrackOptions = {}): void {
    const tenantId = options.tenantId ?? TenantContext.find()?.tenantId ?? this.#tenantId
    if (tenantId === undefined)
      throw new Error("No tenant is named, and no tenant's request is running here.")
    this.tracked.push({ ...options, tenantId, type, data: JSON.parse(JSON.stringify(data)) })
  }

  async flush(): Promise<boolean> {
    return true
  }

  async close(): Promise<void> {}
}

/** Limits in memory, in place of a `LimitsClient`: so many of each action for each tenant, until the test says otherwise. */
export class TestLimits {
  /** What a refusal says about when to come again. */
  retryAfterMs = 1_000
  /** Answer as if the service could not be reached. */
  isAway = false
  readonly #limits: Readonly<Record<string, number>>
  readonly #used = new Map<string, number>()

  /** By action; −1, or none, is unlimited. */
  constructor(limits: Readonly<Record<string, number>> = {}) {
    this.#limits = limits
  }

  async consume(tenantId: string, action: string, amount = 1): Promise<LimitDecision> {
    if (this.isAway) return { kind: "unavailable", error: new Error("The limits are away.") }
    const limit = this.#limits[action] ?? -1
    const used = this.used(tenantId, action)
    const isAllowed = limit === -1 || used + amount <= limit
    if (isAllowed) this.#used.set(`${tenantId}/${action}`, used + amount)
    const now = this.used(tenantId, action)
    const state = {
      limit,
      used: now,
      remaining: limit === -1 ? -1 : limit - now,
      resetAt: new Date(Date.now() + this.retryAfterMs).toISOString(),
      retryAfterMs: isAllowed ? 0 : this.retryAfterMs,
    }
    return { kind: isAllowed ? "allowed" : "refused", state, headers: {} }
  }

  used(tenantId: string, action: string): number {
    return this.#used.get(`${tenantId}/${action}`) ?? 0
  }

  /** As if the window were over. */
  reset(): void {
    this.#used.clear()
  }
}
