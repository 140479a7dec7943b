import type { Json } from "../../core/json.ts"
import { isFinal, pauseAfter } from "./failures.ts"
import { type Ask, linkOf } from "./link.ts"
import { Listeners } from "./listeners.ts"
import { Outcomes } from "./outcomes.ts"
import { isLater } from "./revisions.ts"
import { changedKeys, type Held, hold, isSnapshot, supersedes, viewFor } from "./snapshot.ts"
import { follow } from "./stream.ts"
import { later } from "./timer.ts"
import type { Client, Context, Evaluation, HotswapEvents, HotswapOptions, Snapshot, View } from "./types.ts"

type Name = keyof HotswapEvents

/** Asked at this pace, in seconds, until the service says another. */
const PACE = { alone: 10, withStream: 30 }
/** Clients that began together do not go on together; none asks later than its pace. */
const JITTER = 0.2
const FAILURES_TO_STALE = 3
const READY_MS = 30_000

const NOT_READY: Evaluation = Object.freeze({
  reason: "ERROR",
  errorCode: "GENERAL",
  errorMessage: "There is nothing to serve yet.",
  metadata: Object.freeze({}),
})

const within = (seconds: number): number => Math.min(3_600, Math.max(1, seconds))

/** One tenant × environment, whole, in memory. Starts when it is made. */
export class HotswapClient implements Client {
  readonly #options: HotswapOptions
  readonly #ask: Ask
  readonly #outcomes: Outcomes | null
  /** Aborted when it is closed; `#over` when the last outcomes are told, too. */
  readonly #leaving = new AbortController()
  readonly #over = new AbortController()
  readonly #listeners = new Listeners()
  #instance: string
  #held: Held | null = null
  /** The newest revision that was heard of. */
  #wanted = ""
  #misses = 0
  /** What whoever called `reload` was told of. */
  #atLeast = ""
  #failures = 0
  #lastError: Error | undefined
  /** When the service last answered; 0: not yet. */
  #heardAtMs = 0
  #isStale = false
  #isStanding = false
  #pace = PACE
  #lookAtMs = 0
  #cancel: (() => void) | undefined
  #flight: Promise<void> | null = null
  #closing: Promise<void> | null = null

  constructor(options: HotswapOptions) {
    this.#options = options
    this.#ask = linkOf(options, this.#over.signal)
    this.#instance = options.instanceId ?? crypto.randomUUID()
    // A browser speaks for one subject only, and nobody has to believe it.
    const isTold = options.report ?? !("document" in globalThis)
    // Under a name that no other process has, which a store may share: the service takes a lower number for known.
    this.#outcomes = isTold ? new Outcomes(this.#ask, this.#instance) : null
    void this.#start(options)
  }

  get isReady(): boolean {
    return this.#held !== null
  }

  ready(timeoutMs = READY_MS): Promise<void> {
    if (this.#held) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer)
        for (const each of off) each()
        this.#held ? resolve() : reject(this.#nothing())
      }
      // Not unref'd: who waits for this keeps the process.
      const timer = setTimeout(end, timeoutMs)
      const judge = () => isFinal(this.#lastError) && end()
      const { signal } = this.#leaving
      const off = [
        this.on("ready", end),
        this.on("error", judge),
        () => signal.removeEventListener("abort", end),
      ]
      signal.addEventListener("abort", end)
      judge()
    })
  }

  #nothing(): Error {
    return new Error(NOT_READY.errorMessage, { cause: this.#lastError })
  }

  view(targetingKey?: string): View {
    if (!this.#held) throw this.#nothing()
    return viewFor(this.#held, targetingKey || this.#instance)
  }

  get(key: string): Json | undefined {
    return this.view().get(key)
  }

  evaluate(flag: string, context: Context = {}): Evaluation {
    const { targetingKey } = context
    if (!this.#held) return NOT_READY
    return this.view(typeof targetingKey === "string" ? targetingKey : "").evaluate(flag, context)
  }

  isEnabled(flag: string, context?: Context): boolean {
    return this.evaluate(flag, context).value === true
  }

  report(view: View, { ok, latencyMs }: { ok: boolean; latencyMs?: number }): void {
    if (!this.#leaving.signal.aborted) this.#outcomes?.add(view, ok, latencyMs)
  }

  async reload(atLeast = ""): Promise<void> {
    // What is under way may have been asked before whatever this is called for, and for something else.
    do await this.#flight?.catch(() => undefined)
    while (atLeast && this.#flight)
    this.#atLeast = atLeast
    await this.#look()
  }

  on<Of extends Name>(name: Of, listener: (event: HotswapEvents[Of]) => void): () => void {
    return this.#listeners.add(name, listener)
  }

  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    this.#leaving.abort()
    this.#cancel?.()
    await this.#outcomes?.close()
    this.#over.abort()
  }

  async #start({ store, bootstrap, instanceId, stream = true }: HotswapOptions): Promise<void> {
    if (store)
      try {
        this.#instance = instanceId ?? (await store.instanceId?.()) ?? this.#instance
        this.#adopt(await store.load())
      } catch (thrown) {
        this.#fail(thrown)
      }
    if (bootstrap) this.#adopt(structuredClone(bootstrap))
    if (this.#leaving.signal.aborted) return
    this.#lookSoon()
    if (!stream) return
    await follow(
      {
        ask: this.#ask,
        known: () => this.#known,
        moved: (revision) => {
          if (isLater(revision, this.#wanted)) this.#wanted = revision
          // The same again: somebody wants it looked at.
          if (!this.#held || !isLater(this.#held.snapshot.revision, revision)) this.#lookSoon()
        },
        standing: (stands) => {
          this.#isStanding = stands
          if (!stands) this.#lookAt(Math.min(this.#lookAtMs, Date.now() + this.#pauseMs()))
        },
        failed: (thrown) => this.#fail(thrown),
      },
      this.#leaving.signal,
    )
  }

  /** What is here, if the service has said so: what was kept may be of another environment. */
  get #known(): string {
    return this.#heardAtMs > 0 ? this.#held!.snapshot.revision : ""
  }

  #pauseMs(): number {
    const seconds = this.#isStanding ? this.#pace.withStream : this.#pace.alone
    return seconds * 1_000 * (1 - JITTER * Math.random())
  }

  #lookAt(atMs: number): void {
    this.#cancel?.()
    if (this.#leaving.signal.aborted) return
    this.#lookAtMs = atMs
    this.#cancel = later(Math.max(0, atMs - Date.now()), () => this.#lookSoon())
  }

  #lookSoon(): void {
    this.#look().catch(() => undefined)
  }

  #look(): Promise<void> {
    this.#flight ??= this.#run().finally(() => {
      this.#flight = null
    })
    return this.#flight
  }

  async #run(): Promise<void> {
    let pauseMs = 0
    try {
      await this.#read()
      this.#failures = 0
      pauseMs = this.#pauseMs()
      const isMissing = isLater(this.#wanted, this.#held!.snapshot.revision)
      this.#misses = isMissing ? this.#misses + 1 : 0
      // Heard of while it was asked for; if it is not there yet, it will be.
      if (isMissing) pauseMs = this.#misses === 1 ? 0 : Math.min(pauseMs, pauseAfter(this.#misses))
    } catch (thrown) {
      pauseMs = pauseAfter(++this.#failures, thrown)
      this.#fail(thrown)
      if (this.#failures === FAILURES_TO_STALE) this.#age(this.#heardAtMs || Date.now())
      throw thrown
    } finally {
      this.#lookAt(Date.now() + pauseMs)
    }
  }

  async #read(): Promise<void> {
    const newest = isLater(this.#wanted, this.#known) ? this.#wanted : this.#known
    const response = await this.#ask(`/api/v1/configs/tenant/${this.#options.tenantId}?arms=both`, {
      headers: { "if-none-match": this.#held?.etag ?? "", "hotswap-at-least": this.#atLeast || newest },
    })
    this.#atLeast = ""
    const { headers, status } = response
    if (status === 304) this.#moveOn(headers.get("hotswap-revision") ?? "")
    else if (!this.#adopt((await response.json()) as Snapshot, true))
      throw new TypeError("The answer is no snapshot.")
    this.#heardAtMs = Date.now()
    const [alone = PACE.alone, withStream = alone] =
      headers.get("hotswap-poll")?.match(/\d+/g)?.map(Number) ?? []
    this.#pace = { alone: within(alone), withStream: within(withStream) }
    const staleSeconds = headers.get("hotswap-stale")
    if (staleSeconds) this.#age(Date.now() - Number(staleSeconds) * 1_000)
    else if (this.#isStale) {
      this.#isStale = false
      this.#emit("ready", { revision: this.#held!.snapshot.revision })
    }
  }

  /** `false`: that is no snapshot of this tenant. One that is older than what is here changes nothing. */
  #adopt(snapshot: Snapshot | null, isTold = false): boolean {
    const before = this.#held
    if (!isSnapshot(snapshot, this.#options.tenantId)) return false
    const isElsewhere = before !== null && before.snapshot.environment !== snapshot.environment
    if (before && !(isElsewhere ? isTold : supersedes(snapshot, before.snapshot))) return true
    const held = hold(snapshot, before)
    this.#held = held
    if (!before) this.#emit("ready", { revision: snapshot.revision })
    else this.#tellChanges(before, held)
    if (isTold) this.#save()
    return true
  }

  /** Nothing has changed but how far the pointers have moved. */
  #moveOn(revision: string): void {
    if (!this.#held || !isLater(revision, this.#held.snapshot.revision)) return
    this.#held = hold({ ...this.#held.snapshot, revision }, this.#held)
    this.#save()
  }

  #save(): void {
    this.#options.store?.save(this.#held!.snapshot).catch((thrown: unknown) => this.#fail(thrown))
  }

  #tellChanges(before: Held, next: Held): void {
    const keys = changedKeys(before, next)
    if (keys.length === 0) return
    const views = [before.stable, next.stable, next.candidate ?? next.stable]
    const flags = new Set(views.flatMap((view) => [...view.flags()]))
    this.#emit("changed", {
      revision: next.snapshot.revision,
      keys,
      flags: keys.filter((key) => flags.has(key)),
    })
  }

  /** What is served has not been heard to be right since then. */
  #age(sinceMs: number): void {
    if (this.#isStale || !this.#held) return
    this.#isStale = true
    this.#emit("stale", { since: new Date(sinceMs) })
  }

  #fail(thrown: unknown): void {
    this.#lastError = thrown instanceof Error ? thrown : new Error(String(thrown))
    if (!this.#leaving.signal.aborted) this.#emit("error", { error: this.#lastError })
  }

  #emit<Of extends Name>(name: Of, event: HotswapEvents[Of]): void {
    for (const thrown of this.#listeners.tell(name, event)) if (name !== "error") this.#fail(thrown)
  }
}
