import type { EventType } from "../../core/usage/event.ts"
import { TenantContext } from "./context.ts"
import { EventQueue, type Waiting } from "./event-queue.ts"
import type { EventCounts, EventFields, EventsClientOptions, TrackOptions } from "./event-types.ts"
import { HotswapError, pauseAfter } from "./failures.ts"
import { later } from "./timer.ts"
import { traceHeader } from "./trace.ts"

export type * from "./event-types.ts"

const BATCH_MAX = 500
const EVENT_CHARACTERS_MAX = 1_000_000
const WAITING_CHARACTERS_MAX = 16_000_000
const ANSWER_MS = 12_000
const FLUSH_MS = 10_000
const CLOSE_MS = 5_000
/** What is wrong with a batch, and would be again, though no event is named. */
const UNFIT: readonly number[] = [400, 413, 422]

/** Tells the service what happened at tenants: in batches, behind the application's back, each event once. Never throws. */
export class EventsClient {
  readonly #options: EventsClientOptions
  readonly #queue: EventQueue
  readonly #over = new AbortController()
  readonly #dropped = { full: 0, invalid: 0, refused: 0, late: 0 }
  readonly #flushes = new Set<() => void>()
  /** Of what `onError` has been told since events were told. */
  readonly #said = new Set<string>()
  #told = 0
  /** Up to here they wait for no others, and are told in this trace. */
  #flushTo = 0
  #trace: Record<string, string> = {}
  #failures = 0
  #isRunning = false
  #cancel: (() => void) | null = null
  /** Ends a pause that the service did not ask for. */
  #wake: (() => void) | null = null
  #closing: Promise<void> | null = null

  constructor(options: EventsClientOptions) {
    this.#options = options
    this.#queue = new EventQueue(Math.min(options.batchMax ?? BATCH_MAX, BATCH_MAX))
  }

  get counts(): EventCounts {
    return { waiting: this.#queue.length, told: this.#told, dropped: { ...this.#dropped } }
  }

  /** Takes down that this happened, as it is now; told soon. */
  track<Type extends EventType>(type: Type, data: EventFields[Type], options: TrackOptions = {}): void {
    try {
      const event = this.#eventOf(type, data, options)
      const { length, characters } = this.#queue
      if (this.#closing !== null) this.#drop("late", 1, "the client was closed")
      else if (length >= (this.#options.waitingMax ?? 10_000) || characters >= WAITING_CHARACTERS_MAX)
        this.#drop("full", 1, `${length} wait already`)
      else {
        this.#queue.add(event)
        this.#go()
      }
    } catch (thrown) {
      this.#drop("invalid", 1, thrown instanceof Error ? thrown.message : "it cannot be read")
    }
  }

  /**
   * Tells what was tracked until now, without waiting for more, and tries again at once if that failed. `true`: nothing of it
   * waits any more; `false`: it could not be told in time, and is told later.
   */
  flush(timeoutMs = FLUSH_MS): Promise<boolean> {
    const upTo = this.#queue.last
    const isDone = () => (this.#queue.oldest?.nth ?? Number.POSITIVE_INFINITY) > upTo
    if (isDone()) return Promise.resolve(true)
    this.#flushTo = upTo
    this.#trace = traceHeader(this.#options.traceparent)
    this.#wake?.()
    this.#go()
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer)
        this.#flushes.delete(look)
        resolve(isDone())
      }
      const look = () => isDone() && end()
      // Not unref'd: who waits for this keeps the process.
      const timer = setTimeout(end, timeoutMs)
      this.#flushes.add(look)
    })
  }

  /** Takes no more events, tells those that wait, and drops what cannot be told in time. */
  close(timeoutMs = CLOSE_MS): Promise<void> {
    this.#closing ??= this.flush(timeoutMs).then(() => {
      this.#over.abort()
      this.#cancel?.()
      this.#wake?.()
      const late = this.#queue.removeAll()
      if (late > 0) this.#drop("late", late, "they could not be told before the client was closed")
    })
    return this.#closing
  }

  #eventOf(type: EventType, data: unknown, { tenantId, id, at = new Date() }: TrackOptions) {
    const whose = tenantId ?? TenantContext.find()?.tenantId ?? this.#options.tenantId
    if (whose === undefined) throw new Error("no tenant is named, and no tenant's request is running here")
    const event = { tenantId: whose, type, data, id: id ?? crypto.randomUUID(), at: at.toISOString() }
    // As text: what the application alters later is not what happened.
    const text = JSON.stringify(event)
    if (text.length > EVENT_CHARACTERS_MAX) throw new Error(`it is ${text.length} characters long`)
    return { atMs: performance.now(), tenantId: whose, id: event.id, text }
  }

  /** For how long nothing has to be told. */
  #restMs(): number {
    const { oldest, isFull } = this.#queue
    if (!oldest) return Number.POSITIVE_INFINITY
    if (isFull || oldest.nth <= this.#flushTo) return 0
    return Math.max(0, oldest.atMs + (this.#options.ageMaxMs ?? 1_000) - performance.now())
  }

  /** Sees to it that what waits is told when it has to be. */
  #go(): void {
    const restMs = this.#restMs()
    if (this.#isRunning || this.#over.signal.aborted || restMs === Number.POSITIVE_INFINITY) return
    if (restMs > 0 && this.#cancel) return
    this.#cancel?.()
    this.#cancel = null
    // What goes on behind is no business of the request that happens to start it.
    TenantContext.outside(() => {
      if (restMs === 0) void this.#run()
      else
        this.#cancel = later(restMs, () => {
          this.#cancel = null
          this.#go()
        })
    })
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    // Whoever tracks does not wait for what it takes to send.
    await null
    while (this.#restMs() === 0 && !this.#over.signal.aborted) await this.#tell(this.#queue.batch())
    this.#isRunning = false
    this.#go()
  }

  async #tell(batch: readonly Waiting[]): Promise<void> {
    try {
      await this.#ask(batch)
      this.#failures = 0
    } catch (error) {
      if (this.#over.signal.aborted) return
      this.#failures += 1
      this.#say("unanswered", `Events could not be told, and are told later: ${String(error)}`, error)
      await this.#pause(error)
    }
  }

  async #ask(batch: readonly Waiting[]): Promise<void> {
    const { url, token, fetch: send = globalThis.fetch } = this.#options
    const response = await send(`${url.replace(/\/+$/, "")}/api/v1/events`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        ...(batch[0]!.nth <= this.#flushTo ? this.#trace : {}),
      },
      body: `{"events":[${batch.map(({ text }) => text).join(",")}]}`,
      // A token, and what is told, are not for wherever somebody leads to.
      redirect: "error",
      signal: AbortSignal.any([this.#over.signal, AbortSignal.timeout(ANSWER_MS)]),
    })
    const answer = (await response.json().catch(() => null)) as Answer | null
    if (response.status !== 202) return this.#refuse(batch, response, answer)
    const kept = Number(answer?.accepted) + Number(answer?.known)
    if (kept !== batch.length) throw new Error("What answers is not the service.")
    this.#told += this.#remove(batch)
    this.#said.clear()
  }

  /** Drops what the service names, so that the others can be told; throws where it is not about what was told. */
  #refuse(batch: readonly Waiting[], { status, headers }: Response, answer: Answer | null): void {
    const named = namedIn(answer, batch)
    if (named.length === 0 && !UNFIT.includes(status))
      throw new HotswapError(status, headers.get("retry-after"))
    const refused = this.#remove(named.length > 0 ? named : batch)
    this.#drop(
      "refused",
      refused,
      `The service answered ${status}: ${answer?.detail ?? "it does not say why"}`,
    )
  }

  #remove(events: readonly Waiting[]): number {
    const removed = this.#queue.remove(events)
    for (const look of [...this.#flushes]) look()
    return removed
  }

  #drop(why: keyof EventCounts["dropped"], many: number, words: string): void {
    this.#dropped[why] += many
    this.#say(why, `${many === 1 ? "An event was" : `${many} events were`} dropped (${why}): ${words}`)
  }

  #say(what: string, words: string, cause?: unknown): void {
    if (this.#said.size === this.#said.add(what).size) return
    const error = new Error(words, { cause })
    try {
      if (this.#options.onError) this.#options.onError(error)
      else process.emitWarning(error)
    } catch {
      // Who listens and fails must not fail what is told of.
    }
  }

  #pause(error: unknown): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        cancel()
        this.#wake = null
        resolve()
      }
      const cancel = later(pauseAfter(this.#failures, error), end)
      const isAsked = error instanceof HotswapError && error.retryAfterMs > 0
      if (!isAsked) this.#wake = end
    })
  }
}

/** What the service answers: how many it kept, or what was wrong. */
interface Answer {
  accepted?: unknown
  known?: unknown
  detail?: unknown
  errors?: unknown
}

/** The events that a problem is about. What is said of an event's tenant is true of all that are the tenant's. */
const namedIn = (answer: Answer | null, batch: readonly Waiting[]): Waiting[] => {
  const errors = Array.isArray(answer?.errors) ? (answer.errors as ({ path?: unknown } | null)[]) : []
  return errors.flatMap((error) => {
    const [, nth, part] = /^\/events\/(\d+)(?:\/(\w+))?/.exec(String(error?.path)) ?? []
    const event = nth === undefined ? undefined : batch[Number(nth)]
    if (event === undefined) return []
    return part === "tenantId" ? batch.filter(({ tenantId }) => tenantId === event.tenantId) : [event]
  })
}
