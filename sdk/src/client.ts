import { failed } from "../../core/flag/flag.ts"
import type { Json } from "../../core/json.ts"
import { isFinal, pauseAfter } from "./failures.ts"
import { type Link, linkOf } from "./link.ts"
import { Listeners } from "./listeners.ts"
import { FIRST_PACE, paceOf, pauseMsOf } from "./pace.ts"
import { reportsOver } from "./reports.ts"
import { isLater } from "./revisions.ts"
import { loadRules, needsRules, rules } from "./rules.ts"
import { changesOf, type Held, hold, isSnapshot, supersedes, viewFor } from "./snapshot.ts"
import { later } from "./timer.ts"
import type { Client, Context, Evaluation, HotswapEvents, HotswapOptions, Snapshot, View } from "./types.ts"

const FAILURES_TO_STALE = 3
const READY_MS = 30_000

const NOT_READY = failed("GENERAL", "There is nothing to serve yet.")

/** One tenant × environment, whole, in memory. Starts when it is made. */
export class HotswapClient implements Client {
  readonly #options: HotswapOptions
  readonly #link: Link
  readonly #reports: ReturnType<typeof reportsOver> | null
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
  /** Why the last read failed; other parts may fail without it. */
  #lastError: unknown
  /** When the service last answered; 0: not yet. */
  #heardAtMs = 0
  #isStale = false
  /** The stream: taken to stand until it turns out not to. */
  #isStanding: boolean
  #pace = FIRST_PACE
  #lookAtMs = 0
  #cancel: (() => void) | undefined
  #flight: Promise<void> | null = null
  #following: Promise<void> | null = null
  #closing: Promise<void> | null = null

  readonly #fail = (thrown: unknown): void => {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown))
    if (!this.#leaving.signal.aborted) this.#emit("error", { error })
  }

  constructor(options: HotswapOptions) {
    this.#options = options
    this.#isStanding = options.stream !== false
    this.#link = linkOf(options, this.#over.signal)
    this.#instance = options.instanceId ?? crypto.randomUUID()
    // A browser speaks for one subject only, and nobody has to believe it.
    const isTold = options.report ?? !("document" in globalThis)
    // Under a name that no other process has, which a store may share: the service takes a lower number for known.
    this.#reports = isTold ? reportsOver(this.#link, this.#instance, this.#fail) : null
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
      const { signal } = this.#leaving
      const judge = () => (signal.aborted || isFinal(this.#lastError)) && end()
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
    if (!this.#leaving.signal.aborted) this.#reports?.add(view, ok, latencyMs)
  }

  async reload(atLeast = ""): Promise<void> {
    // What is under way may have been asked before whatever this is called for, and for something else.
    do await this.#flight?.catch(() => undefined)
    while (atLeast && this.#flight)
    this.#atLeast = atLeast
    await this.#look()
  }

  on<Of extends keyof HotswapEvents>(name: Of, listener: (event: HotswapEvents[Of]) => void): () => void {
    return this.#listeners.add(name, listener)
  }

  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    this.#leaving.abort()
    this.#cancel?.()
    await this.#reports?.close()
    this.#over.abort()
  }

  async #start({ store, bootstrap, instanceId }: HotswapOptions): Promise<void> {
    if (store)
      try {
        this.#instance = instanceId ?? (await store.instanceId?.()) ?? this.#instance
        await this.#adopt(await store.load())
      } catch (thrown) {
        this.#fail(thrown)
      }
    try {
      if (bootstrap) await this.#adopt(structuredClone(bootstrap))
    } catch (thrown) {
      this.#fail(thrown)
    }
    if (!this.#leaving.signal.aborted) this.#lookSoon()
  }

  async #follow(): Promise<void> {
    const { follow } = await import("./stream.ts")
    await follow(
      {
        ...this.#link,
        held: () => this.#told,
        adopt: async (snapshot, poll) => {
          await this.#adopt(snapshot, true)
          this.#heard(poll)
        },
        moved: (revision, read) => {
          if (isLater(revision, this.#wanted)) this.#wanted = revision
          // The same again: somebody wants it looked at. While a question is under way it may be answered of something else.
          if (!isLater(this.#held?.snapshot.revision ?? "", revision)) this.#lookSoon(read)
        },
        standing: (stands) => {
          this.#isStanding = stands
          if (!stands)
            this.#lookAt(Math.min(this.#lookAtMs, Date.now() + pauseMsOf(this.#pace, this.#isStanding)))
        },
        failed: this.#fail,
      },
      this.#leaving.signal,
    )
  }

  /** What is here, if the service has said so: what was kept may be of another environment. */
  get #told(): Snapshot | undefined {
    return this.#heardAtMs ? this.#held!.snapshot : undefined
  }

  #lookAt(atMs: number): void {
    this.#cancel?.()
    if (this.#leaving.signal.aborted) return
    this.#lookAtMs = atMs
    this.#cancel = later(Math.max(0, atMs - Date.now()), () => this.#lookSoon())
  }

  #lookSoon(read?: () => Promise<void>): void {
    this.#look(read).catch(() => undefined)
  }

  #look(read = () => this.#read()): Promise<void> {
    this.#flight ??= this.#run(read).finally(() => {
      this.#flight = null
    })
    return this.#flight
  }

  async #run(read: () => Promise<void>): Promise<void> {
    let pauseMs = 0
    try {
      await read()
      this.#failures = 0
      pauseMs = pauseMsOf(this.#pace, this.#isStanding)
      const isMissing = isLater(this.#wanted, this.#held!.snapshot.revision)
      this.#misses = isMissing ? this.#misses + 1 : 0
      // Heard of while it was asked for; if it is not there yet, it will be.
      if (isMissing) pauseMs = this.#misses === 1 ? 0 : Math.min(pauseMs, pauseAfter(this.#misses))
    } catch (thrown) {
      pauseMs = pauseAfter(++this.#failures, thrown)
      this.#lastError = thrown
      this.#fail(thrown)
      if (this.#failures === FAILURES_TO_STALE) this.#age(this.#heardAtMs || Date.now())
      throw thrown
    } finally {
      this.#lookAt(Date.now() + pauseMs)
      if (this.#options.stream !== false)
        this.#following ??= this.#follow().catch((thrown) => {
          this.#following = null
          this.#isStanding = false
          this.#fail(thrown)
        })
    }
  }

  async #read(): Promise<void> {
    const known = this.#told?.revision ?? ""
    const newest = isLater(this.#wanted, known) ? this.#wanted : known
    const response = await this.#link.ask(`/api/v1/configs/tenant/${this.#options.tenantId}?arms=both`, {
      headers: { "if-none-match": this.#held?.etag ?? "", "hotswap-at-least": this.#atLeast || newest },
    })
    this.#atLeast = ""
    const { headers, status } = response
    if (status === 304) await this.#moveOn(headers.get("hotswap-revision") ?? "")
    else if (!(await this.#adopt((await response.json()) as Snapshot, true)))
      throw new TypeError("It is no snapshot.")
    this.#heard(headers.get("hotswap-poll"), headers.get("hotswap-stale"))
  }

  #heard(poll: string | null, staleSeconds?: string | null): void {
    this.#heardAtMs = Date.now()
    this.#pace = paceOf(poll)
    if (staleSeconds) this.#age(Date.now() - Number(staleSeconds) * 1_000)
    else if (this.#isStale) {
      this.#isStale = false
      this.#emit("ready", { revision: this.#held!.snapshot.revision })
    }
  }

  /** `false`: that is no snapshot of this tenant. One that is older than what is here changes nothing. */
  async #adopt(snapshot: Snapshot | null, isTold = false): Promise<boolean> {
    if (!isSnapshot(snapshot, this.#options.tenantId)) return false
    // Where nothing has to be loaded it is served at once. Better with rules in error than nothing; better what is held than that.
    if (needsRules(snapshot)) await loadRules(this.#held ? undefined : this.#fail)
    const before = this.#held
    const isElsewhere = before !== null && before.snapshot.environment !== snapshot.environment
    if (before && !(isElsewhere ? isTold : supersedes(snapshot, before.snapshot))) return true
    const held = hold(snapshot, before, rules)
    this.#held = held
    if (!before) this.#emit("ready", { revision: snapshot.revision })
    else {
      const changes = changesOf(before, held)
      if (changes.keys.length > 0) this.#emit("changed", changes)
    }
    if (isTold) this.#save()
    return true
  }

  /** Nothing has changed but how far the pointers have moved, or that rules are there now. */
  async #moveOn(told: string): Promise<void> {
    const { snapshot, stable } = this.#held!
    if (needsRules(snapshot)) await loadRules(this.#fail)
    const revision = isLater(told, snapshot.revision) ? told : snapshot.revision
    if (revision === snapshot.revision && rules === stable.content.rules) return
    this.#held = hold({ ...snapshot, revision }, this.#held, rules)
    this.#save()
  }

  #save(): void {
    this.#options.store?.save(this.#held!.snapshot).catch(this.#fail)
  }

  /** What is served has not been heard to be right since then. */
  #age(sinceMs: number): void {
    if (this.#isStale || !this.#held) return
    this.#isStale = true
    this.#emit("stale", { since: new Date(sinceMs) })
  }

  #emit<Of extends keyof HotswapEvents>(name: Of, event: HotswapEvents[Of]): void {
    this.#listeners.tell(name, event, (thrown) => name !== "error" && this.#fail(thrown))
  }
}
