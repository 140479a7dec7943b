import {
  ErrorCode,
  type EvaluationContext,
  GeneralError,
  type JsonValue,
  OpenFeatureEventEmitter,
  type Provider,
  ProviderEvents,
  ProviderFatalError,
  type ResolutionDetails,
} from "@openfeature/server-sdk"
import type { Client, Context } from "../types.ts"
import { toContext } from "./parts/context.ts"
import { type FlagType, failure, resolutionOf } from "./parts/resolution.ts"

/** How to be an OpenFeature provider. */
export interface HotswapProviderOptions {
  /** How long `initialize` waits for something to serve; default 10,000. */
  readyTimeoutMs?: number
  /** Close the client when OpenFeature closes the provider. Default true: say false for a client that others use as well. */
  closesClient?: boolean
}

const READY_TIMEOUT_MS = 10_000

/**
 * OpenFeature's flags out of a Hotswap client, in this process: an evaluation asks nobody and never throws.
 * There is no `track`: how requests went is told with `client.report(view, outcome)`, which knows the view they saw.
 */
export class HotswapProvider implements Provider {
  readonly metadata = { name: "hotswap" } as const
  readonly runsOn = "server"
  readonly events = new OpenFeatureEventEmitter()
  readonly #client: Client
  readonly #options: HotswapProviderOptions
  /** What OpenFeature was told last. It says so itself when `initialize` ends. */
  #told: "starting" | "ready" | "stale" | "error" = "starting"
  #lastError: Error | undefined
  #session: { unlisten: () => void; abandon: () => void } | null = null

  constructor(client: Client, options: HotswapProviderOptions = {}) {
    this.#client = client
    this.#options = options
  }

  /** Resolves once there is something to serve. Rejects if there is not in time; it is ready all the same once there is. */
  async initialize(): Promise<void> {
    const closed = this.#open()
    try {
      await Promise.race([this.#client.ready(this.#options.readyTimeoutMs ?? READY_TIMEOUT_MS), closed])
      this.#told = "ready"
    } catch (error) {
      this.#told = "error"
      throw initializationError(error)
    }
  }

  async onClose(): Promise<void> {
    const session = this.#session
    if (session === null) return
    this.#session = null
    this.#told = "starting"
    session.unlisten()
    session.abandon()
    if (this.#options.closesClient ?? true) await this.#client.close()
  }

  resolveBooleanEvaluation(flagKey: string, defaultValue: boolean, context: EvaluationContext) {
    return Promise.resolve(this.#resolve(flagKey, "boolean", defaultValue, context))
  }

  resolveStringEvaluation(flagKey: string, defaultValue: string, context: EvaluationContext) {
    return Promise.resolve(this.#resolve(flagKey, "string", defaultValue, context))
  }

  resolveNumberEvaluation(flagKey: string, defaultValue: number, context: EvaluationContext) {
    return Promise.resolve(this.#resolve(flagKey, "number", defaultValue, context))
  }

  resolveObjectEvaluation<Value extends JsonValue>(
    flagKey: string,
    defaultValue: Value,
    context: EvaluationContext,
  ) {
    return Promise.resolve(this.#resolve(flagKey, "object", defaultValue, context))
  }

  #resolve<Value extends JsonValue>(
    flagKey: string,
    type: FlagType,
    defaultValue: Value,
    context: EvaluationContext,
  ): ResolutionDetails<Value> {
    if (this.#session === null || !this.#client.isReady)
      return failure(ErrorCode.PROVIDER_NOT_READY, "There is nothing to serve yet.", defaultValue)
    let about: Context
    try {
      about = toContext(context)
    } catch (error) {
      return failure(ErrorCode.INVALID_CONTEXT, (error as Error).message, defaultValue)
    }
    return resolutionOf(flagKey, this.#client.evaluate(flagKey, about), type, defaultValue)
  }

  /** Listens to the client; what it returns rejects when the provider is closed meanwhile. */
  #open(): Promise<never> {
    this.#session?.unlisten()
    let abandon = (): void => undefined
    const closed = new Promise<never>((_, reject) => {
      abandon = () => reject(new Error("The provider was closed."))
    })
    // Nobody waits for it any more once it is ready.
    closed.catch(() => undefined)
    const off = [
      this.#client.on("ready", () => this.#recover()),
      this.#client.on("changed", ({ flags }) => this.#changed(flags)),
      this.#client.on("stale", ({ since }) => this.#stale(since)),
      this.#client.on("error", ({ error }) => {
        this.#lastError = error
      }),
    ]
    const unlisten = () => {
      for (const each of off) each()
    }
    this.#session = { unlisten, abandon }
    return closed
  }

  #recover(): void {
    if (this.#told !== "stale" && this.#told !== "error") return
    this.#told = "ready"
    this.events.emit(ProviderEvents.Ready)
  }

  #changed(flags: readonly string[]): void {
    this.#recover()
    if (flags.length > 0 && this.#told === "ready")
      this.events.emit(ProviderEvents.ConfigurationChanged, { flagsChanged: [...flags] })
  }

  /** Old, as nobody can be asked, or for good, as the service says no. What there is goes on being served. */
  #stale(since: Date): void {
    if (this.#told !== "ready") return
    const why = this.#lastError
    this.#told = isFinal(why) ? "error" : "stale"
    const message = `Not heard from since ${since.toISOString()}${why ? `: ${why.message}` : "."}`
    if (this.#told === "stale") this.events.emit(ProviderEvents.Stale, { message })
    else this.events.emit(ProviderEvents.Error, { message, errorCode: ErrorCode.GENERAL })
  }
}

/** 408 and 429 may well be answered otherwise the next time. */
const PASSING = [408, 429]

/** The service says no to the token or the tenant: asking again will not help until somebody does something. */
const isFinal = (error: unknown): boolean => {
  const { status = 0 } = (causeOf(error) ?? {}) as { status?: number }
  return status >= 400 && status < 500 && !PASSING.includes(status)
}

const causeOf = (error: unknown): unknown => (error instanceof Error && error.cause ? error.cause : error)

const initializationError = (error: unknown): Error => {
  const said = [error, causeOf(error)].map((each) => (each instanceof Error ? each.message : String(each)))
  const message = [...new Set(said)].join(" ")
  return isFinal(error)
    ? new ProviderFatalError(message, { cause: error })
    : new GeneralError(message, { cause: error })
}
