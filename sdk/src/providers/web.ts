import {
  ErrorCode,
  type EvaluationContext,
  GeneralError,
  InvalidContextError,
  type JsonValue,
  OpenFeatureEventEmitter,
  type Provider,
  ProviderEvents,
  ProviderFatalError,
  type ResolutionDetails,
} from "@openfeature/web-sdk"
import { formatRevision, isBehind, isNewer, type Revision } from "../../../core/release/revision.ts"
import { type Answer, askForFlags, BulkError, type BulkRequest, type Flags } from "./parts/bulk.ts"
import { type FlagType, failure, resolutionOf } from "./parts/resolution.ts"
import { type Kept, LastKnownGood, type PageStorage } from "./parts/store.ts"
import { type Answered, type Question, Watcher } from "./parts/watcher.ts"

/** Where a page's flags come from. */
export interface HotswapWebProviderOptions {
  /** Of the edge, such as `https://config.example.com`. */
  url: string
  /** A reader token: whoever opens the page can read it, and so evaluate the flags of its tenant and environment. */
  token: string
  /** Needed where the token is for several tenants. */
  tenantId?: string
  /** Hear of changes as they happen; without, or while the stream is broken, the service is asked. Default true. */
  stream?: boolean
  /** How long after one answer the service is asked again while there is no stream, a day at most; default 10,000. */
  pollMs?: number
  /** How long an answer may take; default 10,000. */
  timeoutMs?: number
  /** Keeps the last answer for a start without the service; `null`: nothing does. Default: the page's `localStorage`. */
  storage?: PageStorage | null
  fetch?: typeof fetch
}

/** What is served, and for whom. */
interface Held extends Kept {
  context: EvaluationContext
  /** From an earlier visit: the service has not been heard since. */
  isKept: boolean
}

const POLL_MS = 10_000
const POLL_MAX_MS = 24 * 3_600_000
const TIMEOUT_MS = 10_000

/**
 * OpenFeature's flags for a web page: all of them are evaluated by the service for the page's one context (OFREP), and are then
 * read without waiting. What changes is heard over a stream, or found by asking.
 */
export class HotswapWebProvider implements Provider {
  readonly metadata = { name: "hotswap-web" } as const
  readonly runsOn = "client"
  readonly events = new OpenFeatureEventEmitter()
  readonly #request: BulkRequest
  readonly #lastKnownGood: LastKnownGood
  readonly #watcher: Watcher
  /** What OpenFeature was told last. It says itself how `initialize` and `onContextChange` end. */
  #told: "starting" | "ready" | "stale" | "error" = "starting"
  #context: EvaluationContext = {}
  #changing = 0
  /** Ends the questions about contexts that are not any more. */
  #about = new AbortController()
  #held: Held | null = null

  constructor(options: HotswapWebProviderOptions) {
    const { token, tenantId, stream = true, pollMs = POLL_MS, timeoutMs = TIMEOUT_MS } = options
    const url = options.url.replace(/\/+$/, "")
    const fetching = options.fetch ?? ((input, init) => fetch(input, init))
    this.#request = {
      url,
      token,
      timeoutMs,
      fetch: fetching,
      ...(tenantId === undefined ? {} : { tenantId }),
    }
    const storage = options.storage === undefined ? pageStorage() : options.storage
    this.#lastKnownGood = new LastKnownGood(storage, [url, token, tenantId])
    this.#watcher = new Watcher({
      ask: (question) => this.#askAgain(question),
      failed: (error) => this.#failed(error),
      // No other is a pace: a timer of none, or of a month, comes at once.
      pollMs: pollMs > 0 && pollMs <= POLL_MAX_MS ? pollMs : POLL_MS,
      EventSource: stream ? globalThis.EventSource : undefined,
    })
  }

  /** Resolves once there are flags for this context: the service's, or if it cannot be reached those of an earlier visit. */
  async initialize(context: EvaluationContext = {}): Promise<void> {
    const about = this.#turnTo(context)
    try {
      const answered = await this.#ask({})
      this.#told = "ready"
      this.#watcher.start(answered)
    } catch (error) {
      if (about.aborted) throw new GeneralError("The provider was closed.")
      if (isRefusal(error)) throw new ProviderFatalError(messageOf(error), { cause: error })
      this.#held = this.#kept(context)
      this.#told = this.#held ? "ready" : "error"
      this.#watcher.retry(error)
      if (!this.#held) throw openFeatureError(error)
    }
  }

  /** Resolves once there are flags for the new context. Until then the old ones stand. */
  async onContextChange(_: EvaluationContext, context: EvaluationContext): Promise<void> {
    const about = this.#turnTo(context)
    this.#changing++
    try {
      this.#watcher.took(await this.#ask({}))
      this.#told = "ready"
    } catch (error) {
      // Closed, or another change has come: that one says how it ends.
      if (about.aborted) return
      // Nobody is served what was meant for somebody else.
      if (this.#held?.context.targetingKey !== context.targetingKey) this.#held = this.#kept(context)
      this.#told = "error"
      this.#watcher.retry(error)
      throw openFeatureError(error)
    } finally {
      this.#changing--
    }
  }

  async onClose(): Promise<void> {
    this.#about.abort()
    this.#watcher.stop()
    this.#held = null
    this.#told = "starting"
  }

  resolveBooleanEvaluation(flagKey: string, defaultValue: boolean): ResolutionDetails<boolean> {
    return this.#resolve(flagKey, "boolean", defaultValue)
  }

  resolveStringEvaluation(flagKey: string, defaultValue: string): ResolutionDetails<string> {
    return this.#resolve(flagKey, "string", defaultValue)
  }

  resolveNumberEvaluation(flagKey: string, defaultValue: number): ResolutionDetails<number> {
    return this.#resolve(flagKey, "number", defaultValue)
  }

  resolveObjectEvaluation<Value extends JsonValue>(
    flagKey: string,
    defaultValue: Value,
  ): ResolutionDetails<Value> {
    return this.#resolve(flagKey, "object", defaultValue)
  }

  #resolve<Value extends JsonValue>(flagKey: string, type: FlagType, defaultValue: Value) {
    if (!this.#held)
      return failure(ErrorCode.PROVIDER_NOT_READY, "There is nothing to serve yet.", defaultValue)
    const flag = this.#held.flags.get(flagKey)
    if (!flag)
      return failure(ErrorCode.FLAG_NOT_FOUND, `There is no flag ${JSON.stringify(flagKey)}.`, defaultValue)
    const resolution = resolutionOf(flagKey, flag, type, defaultValue)
    return this.#held.isKept && !resolution.errorCode ? { ...resolution, reason: "CACHED" } : resolution
  }

  #turnTo(context: EvaluationContext): AbortSignal {
    this.#about.abort()
    this.#about = new AbortController()
    this.#context = context
    return this.#about.signal
  }

  #kept(context: EvaluationContext): Held | null {
    const kept = this.#lastKnownGood.load(context, Date.now())
    return kept && { ...kept, context, isKept: true }
  }

  /** Asks for the flags of this context, and serves what is answered unless it is older than what is served already. */
  async #ask({ isUnconditional = false, because, wanted = null }: Question): Promise<Answered> {
    const { signal } = this.#about
    const context = this.#context
    const heldOf = () => (this.#held?.context === context ? this.#held : null)
    const before = heldOf()
    const answer = await askForFlags(this.#request, context, {
      etag: isUnconditional ? null : (before?.etag ?? null),
      atLeast: later(wanted, before?.revision ?? null),
      because,
      wantsStreams: this.#watcher.wantsStreams,
      signal,
    })
    signal.throwIfAborted()
    // Somebody else may have been answered meanwhile.
    const held = heldOf()
    if (held) held.isKept = false
    if (!(held && isOlder(answer.revision, held.revision))) this.#take(answer, context)
    return { ...answer, revision: this.#held?.revision ?? null }
  }

  #take({ flags, etag, revision }: Answer, context: EvaluationContext): void {
    if (flags === null) {
      if (this.#held && revision) this.#held.revision = revision
      return
    }
    this.#held = { flags, etag, revision, context, isKept: false }
    this.#lastKnownGood.save(context, this.#held, Date.now())
  }

  /** For the same context, and tells what has changed. */
  async #askAgain(question: Question): Promise<Answered | null> {
    const { signal } = this.#about
    const before = this.#held
    try {
      const answered = await this.#ask(question)
      // How a change of context ends is told where it is made.
      if (this.#changing > 0) return answered
      this.#recover()
      const flagsChanged = changedKeys(before?.flags ?? new Map(), this.#held?.flags ?? new Map())
      if (flagsChanged.length > 0) this.events.emit(ProviderEvents.ConfigurationChanged, { flagsChanged })
      return answered
    } catch (error) {
      if (signal.aborted) return null
      throw error
    }
  }

  #recover(): void {
    if (this.#told !== "stale" && this.#told !== "error") return
    this.#told = "ready"
    this.events.emit(ProviderEvents.Ready)
  }

  /** While there is something to serve, trouble with the service makes it old and not unusable. */
  #failed(error: unknown): void {
    const now = this.#held && !isRefusal(error) ? "stale" : "error"
    if (this.#told === now) return
    this.#told = now
    const message = messageOf(error)
    if (now === "stale") this.events.emit(ProviderEvents.Stale, { message })
    else this.events.emit(ProviderEvents.Error, { message, errorCode: ErrorCode.GENERAL })
  }
}

const isRefusal = (error: unknown): boolean => error instanceof BulkError && error.isRefusal

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const openFeatureError = (error: unknown): Error =>
  error instanceof BulkError && error.errorCode === ErrorCode.INVALID_CONTEXT
    ? new InvalidContextError(error.message, { cause: error })
    : new GeneralError(messageOf(error), { cause: error })

/** Nobody goes back to an older revision; where an answer does not tell it, the last one stands. */
const isOlder = (answered: Revision | null, held: Revision | null): boolean =>
  answered !== null &&
  held !== null &&
  formatRevision(answered) !== formatRevision(held) &&
  !isNewer(answered, held)

const later = (wanted: Revision | null, held: Revision | null): Revision | null =>
  wanted && (held === null || isBehind(held, wanted)) ? wanted : held

const changedKeys = (before: Flags, after: Flags): string[] =>
  [...new Set([...before.keys(), ...after.keys()])].filter(
    (key) => JSON.stringify(before.get(key)) !== JSON.stringify(after.get(key)),
  )

/** `null` where the page has none, or may not use it. */
const pageStorage = (): PageStorage | null => {
  try {
    return globalThis.localStorage ?? null
  } catch {
    return null
  }
}
