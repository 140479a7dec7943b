import { isBehind, type Revision } from "../../../../core/release/revision.ts"
import { type Answer, BulkError } from "./bulk.ts"
import { Page } from "./page.ts"
import { EventStreams, type Notice } from "./stream.ts"

/** What to ask, and why. */
export interface Question {
  /** Whatever was answered before: the answer has a fresh ticket for the stream. */
  isUnconditional?: boolean
  because?: URLSearchParams
  /** The newest revision that the stream spoke of. */
  wanted?: Revision | null
}

/** What came of it, as far as it matters here. */
export type Answered = Pick<Answer, "revision" | "streams" | "inactivityMs">

interface Watching {
  /** `null`: it is not asked any more, as something else is. */
  ask(question: Question): Promise<Answered | null>
  failed(error: unknown): void
  pollMs: number
  EventSource: typeof EventSource | undefined
}

/** While the stream works, asking only makes up for what it may have lost. */
const STREAMED_POLL_MS = 30_000
const RETRY_FIRST_MS = 1_000
const RETRY_LONGEST_MS = 60_000
/** The stream can be faster than the answers that it is about. */
const BEHIND_FIRST_MS = 200
const BEHIND_TIMES_MAX = 5

/**
 * Asks again whenever there may be something newer: when the stream says so, after a while, and when somebody comes back to a
 * page. One question at a time; a page that nobody sees asks nothing.
 */
export class Watcher {
  readonly #watching: Watching
  readonly #streams: EventStreams
  readonly #page = new Page()
  #isStarted = false
  #isPaused = false
  #isAsking = false
  #next: Question | null = null
  #timer: ReturnType<typeof setTimeout> | undefined
  #streamTimer: ReturnType<typeof setTimeout> | undefined
  #hiddenTimer: ReturnType<typeof setTimeout> | undefined
  #ignorePage: () => void = () => undefined
  #failures = 0
  #streamFailures = 0
  /** Only a whole answer has the address of a stream. */
  #needsAddress = true
  #wanted: Revision | null = null
  #timesBehind = 0
  #inactivityMs = 120_000

  constructor(watching: Watching) {
    this.#watching = watching
    this.#streams = new EventStreams(watching.EventSource, {
      opened: () => this.#opened(),
      changed: (notice) => this.#noticed(notice),
      lost: (isOver) => this.#lost(isOver),
    })
  }

  /** Is there a stream to be looked for? Who listens already needs no address. */
  get wantsStreams(): boolean {
    return this.#watching.EventSource !== undefined && (this.#needsAddress || !this.#streams.isOpen)
  }

  /** Goes on from the answer that there is already. */
  start(answered: Answered): void {
    this.#begin()
    this.took(answered)
    this.#schedule()
    this.#turned()
  }

  /** Goes on after a question that failed. */
  retry(error: unknown): void {
    if (!this.#isStarted) this.#begin()
    this.#failures++
    this.#schedule(error)
    this.#turned()
  }

  #begin(): void {
    this.stop()
    this.#isStarted = true
    this.#ignorePage = this.#page.onTurned(() => this.#turned())
  }

  stop(): void {
    this.#isStarted = false
    this.#isPaused = false
    this.#next = null
    this.#wanted = null
    this.#failures = 0
    this.#streamFailures = 0
    this.#needsAddress = true
    this.#ignorePage()
    this.#streams.close()
    for (const timer of [this.#timer, this.#streamTimer, this.#hiddenTimer]) clearTimeout(timer)
  }

  /** An answer came, whoever asked. */
  took({ streams, inactivityMs }: Answered): void {
    if (!this.#isStarted || this.#isPaused || streams === null) return
    this.#inactivityMs = inactivityMs
    this.#needsAddress = false
    this.#streams.listen(streams)
  }

  #noticed({ revision, because }: Notice): void {
    if (revision !== null) [this.#wanted, this.#timesBehind] = [revision, 0]
    this.#askSoon({ because })
  }

  #opened(): void {
    this.#streamFailures = 0
    this.#askSoon({})
  }

  #lost(isOver: boolean): void {
    this.#schedule()
    if (!isOver) return
    clearTimeout(this.#streamTimer)
    this.#streamFailures++
    this.#streamTimer = setTimeout(() => this.#seekStream(), spread() * this.#backOffMs(this.#streamFailures))
  }

  #seekStream(): void {
    this.#needsAddress = true
    this.#askSoon({})
  }

  /** At once, or, if a question is under way, when it is answered. */
  #askSoon(question: Question): void {
    if (!this.#isStarted || this.#isPaused) return
    if (this.#isAsking) this.#next = { ...this.#next, ...question }
    else this.#ask(question)
  }

  #ask(question: Question): void {
    clearTimeout(this.#timer)
    this.#isAsking = true
    const isUnconditional = question.isUnconditional || (this.#needsAddress && this.wantsStreams)
    this.#watching
      .ask({ ...question, isUnconditional, wanted: this.#wanted })
      .then(
        (answered) => this.#answered(answered),
        (error: unknown) => this.#failed(error),
      )
      .finally(() => {
        this.#isAsking = false
        const next = this.#next
        this.#next = null
        if (next) this.#askSoon(next)
      })
  }

  #answered(answered: Answered | null): void {
    if (answered === null) {
      this.#schedule()
      return
    }
    this.#failures = 0
    this.took(answered)
    const isBehindNotice =
      this.#wanted !== null && answered.revision !== null && isBehind(answered.revision, this.#wanted)
    this.#timesBehind = isBehindNotice ? this.#timesBehind + 1 : 0
    this.#schedule()
  }

  #failed(error: unknown): void {
    if (!this.#isStarted) return
    this.#failures++
    this.#watching.failed(error)
    this.#schedule(error)
  }

  #schedule(error?: unknown): void {
    clearTimeout(this.#timer)
    if (!this.#isStarted || this.#isPaused) return
    this.#timer = setTimeout(() => this.#askSoon({}), spread() * this.#pauseMs(error))
  }

  #pauseMs(error: unknown): number {
    if (this.#failures > 0) {
      const asked = error instanceof BulkError ? error.retryAfterMs / SPREAD_MIN : 0
      return Math.max(asked, this.#backOffMs(this.#failures))
    }
    if (this.#timesBehind > 0 && this.#timesBehind <= BEHIND_TIMES_MAX)
      return BEHIND_FIRST_MS * 2 ** (this.#timesBehind - 1)
    const { pollMs } = this.#watching
    return this.#streams.isOpen ? Math.max(STREAMED_POLL_MS, pollMs) : pollMs
  }

  #backOffMs(failures: number): number {
    const firstMs = Math.min(RETRY_FIRST_MS, this.#watching.pollMs)
    return Math.min(firstMs * 2 ** (failures - 1), RETRY_LONGEST_MS)
  }

  /** Shown or hidden. */
  #turned(): void {
    clearTimeout(this.#hiddenTimer)
    if (this.#page.isHidden) this.#hiddenTimer = setTimeout(() => this.#pause(), this.#inactivityMs)
    else if (this.#isPaused) {
      this.#isPaused = false
      this.#seekStream()
    }
  }

  #pause(): void {
    this.#isPaused = true
    clearTimeout(this.#timer)
    clearTimeout(this.#streamTimer)
    this.#streams.close()
  }
}

const SPREAD_MIN = 0.8

/** So that pages which came together do not come back together. */
const spread = (): number => SPREAD_MIN + 0.4 * Math.random()
