import { AsyncLocalStorage } from "node:async_hooks"
import { type Explanation, explain } from "./explain.ts"
import type { Context, Evaluation, Json, View } from "./types.ts"

/** What a context is made of. Whose it is and in which environment is what its view says. */
export interface TenantContextFields {
  /** What this request sees, from its first line to its last. */
  view: View
  /** Made up where there is none. */
  requestId?: string | undefined
  /** Who the request is for: what flags and rollouts are decided by. */
  targetingKey?: string | undefined
  /** What else rules may look at. Copied. */
  attributes?: Context | undefined
}

/**
 * Whose request it is, and what it sees: made once, found everywhere below without being handed on, altered by nobody.
 * Each request, message or job has its own, however many run at once.
 */
export class TenantContext {
  readonly tenantId: string
  readonly environment: string
  readonly requestId: string
  readonly targetingKey: string | null
  readonly view: View
  /** What flags are evaluated for: the attributes with the targeting key. */
  readonly evaluationContext: Context

  private constructor({ view, requestId, targetingKey, attributes }: TenantContextFields) {
    this.view = view
    this.tenantId = view.tenantId
    this.environment = view.environment
    this.requestId = requestId ?? crypto.randomUUID()
    this.targetingKey = targetingKey ?? null
    this.evaluationContext = frozen({
      ...structuredClone(attributes),
      ...(targetingKey === undefined ? {} : { targetingKey }),
    })
    Object.freeze(this)
  }

  /** Makes a context without running anything in it. */
  static of(fields: TenantContextFields): TenantContext {
    return new TenantContext(fields)
  }

  /** Runs `work`, and whatever it starts, in this context; the one around it is there again afterwards. */
  static run<Result>(context: TenantContext | TenantContextFields, work: () => Result): Result {
    return shared.storage.run(context instanceof TenantContext ? context : new TenantContext(context), work)
  }

  /**
   * The context of the running request. With `request`, what a middleware was called with (Hono's `c`, Express's or Node's `req`),
   * that request's own, also where the running code was started by something else. Throws if there is none.
   */
  static get(request?: object): TenantContext {
    const context = TenantContext.find(request)
    if (!context) throw new Error(request === undefined ? OUTSIDE : UNATTACHED)
    return context
  }

  /** The same, or `null`. */
  static find(request?: object): TenantContext | null {
    return (request === undefined ? shared.storage.getStore() : shared.ofRequest.get(request)) ?? null
  }

  /**
   * Ties a function to the context in which this is called. Needed for what is called back by another request's doing: a
   * listener on a shared emitter, the callback of a pool or a batch. `await` and timers need nothing.
   */
  static bind<Arguments extends unknown[], Result>(
    work: (...args: Arguments) => Result,
  ): (...args: Arguments) => Result {
    const context = shared.storage.getStore()
    return (...args) => shared.storage.run(context, () => work(...args))
  }

  /** Runs `work` in no context: for what outlives the request that happens to start it. */
  static outside<Result>(work: () => Result): Result {
    return shared.storage.run(undefined, work)
  }

  /** Lets {@link TenantContext.get} find the context by the request. For middleware. */
  static attach(request: object, context: TenantContext): void {
    shared.ofRequest.set(request, context)
  }
}

const OUTSIDE =
  "No tenant's request is running here: this code was not called below TenantContext.run or a middleware, " +
  "or by a callback that TenantContext.bind would have to tie to its request."
const UNATTACHED = "No tenant context was made for this request: the middleware has not seen it."

interface Shared {
  storage: AsyncLocalStorage<TenantContext | undefined>
  ofRequest: WeakMap<object, TenantContext>
}

// One for the process: however often this module is bundled or installed, a middleware's context is found.
const PLACE: unique symbol = Symbol.for("@hotswap/sdk/tenant-context") as never
const place = globalThis as { [PLACE]?: Shared }
const shared: Shared = place[PLACE] ?? { storage: new AsyncLocalStorage(), ofRequest: new WeakMap() }
place[PLACE] = shared

const frozen = <Value>(value: Value): Value => {
  if (typeof value !== "object" || value === null) return value
  for (const member of Object.values(value)) frozen(member)
  return Object.freeze(value)
}

/** The kinds of values there are, as a default names them: any text where the default is one, and so on. */
type Widened<Value> = Value extends string
  ? string
  : Value extends number
    ? number
    : Value extends boolean
      ? boolean
      : Value

const FEATURE = "feature."

/** The running request's configuration. Made once for the whole application; a context may be handed in instead. */
export class TenantConfigService {
  readonly #of: TenantContext | null

  constructor(context: TenantContext | null = null) {
    this.#of = context
  }

  /** The value of a config, `undefined` where there is none. */
  get(key: string): Json | undefined {
    return this.#view.get(key)
  }

  /** The value of a config, or `otherwise` where there is none or one of another kind than `otherwise` is of. */
  getOr<Value extends Json>(key: string, otherwise: Value): Widened<Value> {
    const value = this.#view.get(key)
    return (value !== undefined && kindOf(value) === kindOf(otherwise) ? value : otherwise) as Widened<Value>
  }

  /** Every config that is not a flag. */
  all(): Record<string, Json> {
    const flags = new Set(this.#view.flags())
    const entries = [...this.#view.keys()].filter((key) => !flags.has(key))
    return Object.fromEntries(entries.map((key) => [key, this.#view.get(key)!]))
  }

  /**
   * What features the configuration names: each `feature.<name>`, on or off. A feature may be a flag. What a tier brings without
   * anybody's having written it is not configuration; the service tells of it at `GET …/features`.
   */
  features(): Record<string, boolean> {
    const { evaluationContext } = this.#context
    const flags = new Set(this.#view.flags())
    const keys = [...this.#view.keys()].filter((key) => key.startsWith(FEATURE))
    const isOn = (key: string): boolean =>
      flags.has(key) ? this.#view.isEnabled(key, evaluationContext) : isTrue(this.#view.get(key))
    return Object.fromEntries(keys.map((key) => [key.slice(FEATURE.length), isOn(key)]))
  }

  get #context(): TenantContext {
    return this.#of ?? TenantContext.get()
  }

  get #view(): View {
    return this.#context.view
  }
}

const kindOf = (value: Json): string =>
  value === null ? "null" : Array.isArray(value) ? "list" : typeof value

/** As a command line writes it, too. */
const isTrue = (value: Json | undefined): boolean => value === true || value === "true"

/** An entity's key, or what rules may look at besides; laid over what the request itself is evaluated for. */
export type Entity = string | Context

/** The running request's flags, decided for whom the request is for unless an entity is named. Never throws for a flag. */
export class TenantFeatureFlagService {
  readonly #of: TenantContext | null

  constructor(context: TenantContext | null = null) {
    this.#of = context
  }

  /** Is the flag's value `true`? An unknown flag is off. */
  isEnabled(flag: string, entity?: Entity): boolean {
    const context = this.#context
    return context.view.isEnabled(flag, evaluatedFor(context, entity))
  }

  /** The flag's value, with its variant and the reason. */
  evaluate(flag: string, entity?: Entity): Evaluation {
    const context = this.#context
    return context.view.evaluate(flag, evaluatedFor(context, entity))
  }

  /** Every flag there is. */
  evaluateAll(entity?: Entity): Record<string, Evaluation> {
    const context = this.#context
    const who = evaluatedFor(context, entity)
    const flags = [...context.view.flags()]
    return Object.fromEntries(flags.map((flag) => [flag, context.view.evaluate(flag, who)]))
  }

  /** Why the flag is what it is: for people, as it takes its time. */
  explain(flag: string, entity?: Entity): Explanation {
    const context = this.#context
    return explain(context.view, flag, evaluatedFor(context, entity))
  }

  get #context(): TenantContext {
    return this.#of ?? TenantContext.get()
  }
}

const evaluatedFor = ({ evaluationContext }: TenantContext, entity: Entity | undefined): Context => {
  if (entity === undefined) return evaluationContext
  return { ...evaluationContext, ...(typeof entity === "string" ? { targetingKey: entity } : entity) }
}
