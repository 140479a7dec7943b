import type { Consumer, ConsumerMessages, JsMsg } from "@nats-io/jetstream"
import { TenantContext } from "./context.ts"
import { report, safely } from "./middleware/serve.ts"
import {
  doubling,
  Judge,
  keyOf,
  type MessageMetric,
  RETRY_MS,
  type TenantConsumerOptions,
  type Verdict,
} from "./nats-judge.ts"
import type { DeadLetter } from "./nats-letters.ts"
import { MessageMemory } from "./nats-memory.ts"

export { TenantRefusal } from "./middleware/refusal.ts"
export type { MessageMetric, MessageOutcome, TenantConsumerOptions } from "./nats-judge.ts"
export {
  byMessageHeader,
  bySubject,
  type DeadLetter,
  type MessageResolver,
  toSubject,
} from "./nats-letters.ts"

const EXPIRES_MS = 30_000
const IDLE_HEARTBEAT_MS = 5_000
const ACK_WAIT_MS = 30_000
const NANOS_PER_MS = 1_000_000
/** Long before the server takes a message for lost. */
const BEATS_PER_ACK_WAIT = 3

/** Takes messages of a pull consumer, each in its tenant's context, until it is stopped. */
export class TenantConsumer {
  /** Resolves when it has stopped, and rejects if it cannot go on. */
  readonly closed: Promise<void>
  readonly #consumer: Consumer
  readonly #options: TenantConsumerOptions
  readonly #concurrency: number
  readonly #memory = new MessageMemory()
  readonly #judge: Judge
  readonly #running = new Map<string, { message: JsMsg; work: Promise<void> }>()
  readonly #beats: ReturnType<typeof setInterval>
  #batch: ConsumerMessages | null = null
  #isStopping = false
  #wake = (): void => {}

  private constructor(consumer: Consumer, options: TenantConsumerOptions, ackWaitMs: number) {
    this.#consumer = consumer
    this.#options = options
    this.#judge = new Judge(options, this.#memory)
    this.#concurrency = options.concurrency ?? 10
    this.#beats = setInterval(() => this.#beat(), ackWaitMs / BEATS_PER_ACK_WAIT)
    this.closed = this.#pull().finally(() => clearInterval(this.#beats))
    // Whoever does not ask is told by `onError`.
    this.closed.catch((error: unknown) => report(options, error))
  }

  static async start(consumer: Consumer, options: TenantConsumerOptions): Promise<TenantConsumer> {
    const { config } = await consumer.info(true)
    const ackWaitMs = (config.ack_wait ?? 0) / NANOS_PER_MS || ACK_WAIT_MS
    // It outlives whoever starts it.
    return TenantContext.outside(() => new TenantConsumer(consumer, options, ackWaitMs))
  }

  /** Takes no more, gives back what was taken and not begun, and resolves once what was begun is over. */
  async stop(): Promise<void> {
    this.#isStopping = true
    this.#batch?.stop()
    this.#wake()
    await this.closed
  }

  async #pull(): Promise<void> {
    let failures = 0
    try {
      while (!this.#isStopping) {
        const free = this.#concurrency - this.#running.size
        if (free === 0) await this.#woken()
        else failures = (await this.#takeUpTo(free)) ? 0 : failures + 1
        if (failures > 0 && !this.#isStopping) await this.#woken(doubling(failures))
      }
    } finally {
      await Promise.all([...this.#running.values()].map(({ work }) => work))
    }
  }

  /** Until a message is done or the consumer stops, and no longer than that. */
  #woken(withinMs?: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = withinMs === undefined ? undefined : setTimeout(resolve, withinMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** As many as there is room for, so that none waits here while its time runs out. */
  async #takeUpTo(free: number): Promise<boolean> {
    try {
      this.#batch = await this.#consumer.fetch({
        max_messages: free,
        expires: EXPIRES_MS,
        idle_heartbeat: IDLE_HEARTBEAT_MS,
      })
      if (this.#isStopping) this.#batch.stop()
      for await (const message of this.#batch) this.#take(message)
      return true
    } catch (error) {
      if (isOver(error)) throw error
      report(this.#options, error)
      return false
    }
  }

  #take(message: JsMsg): void {
    const key = keyOf(message)
    // Delivered again while it is under way: what becomes of it is decided there.
    if (this.#running.has(key)) return
    if (this.#memory.of(key).isDone) {
      message.ack()
      return
    }
    if (this.#isStopping) {
      message.nak()
      this.#tell(message, { outcome: "returned", tenantId: null }, 0)
      return
    }
    const work = this.#serve(message, key).finally(() => {
      this.#running.delete(key)
      this.#wake()
    })
    this.#running.set(key, { message, work })
  }

  async #serve(message: JsMsg, key: string): Promise<void> {
    const startedAt = performance.now()
    try {
      const verdict = await this.#judge.verdict(message)
      this.#tell(message, await this.#carryOut(message, key, verdict), performance.now() - startedAt)
    } catch (error) {
      // The server will deliver it again.
      report(this.#options, error)
    }
  }

  /** Tells the server, and says what came of it in the end. */
  async #carryOut(message: JsMsg, key: string, verdict: Verdict): Promise<Verdict> {
    const { outcome, delayMs, tenantId, reason = "" } = verdict
    if (outcome === "done" || outcome === "dead") {
      const isBuried = outcome === "done" || (await this.#buried({ message, tenantId, reason }))
      // A letter that could not be put down must not be lost.
      if (!isBuried)
        return this.#carryOut(message, key, { outcome: "failed", tenantId, delayMs: this.#retryDelayMs(key) })
      this.#memory.update(key, () => ({ isDone: true }))
      if (outcome === "dead") message.term()
      else await this.#acknowledged(message)
      return verdict
    }
    const waitMs = Math.max(1, delayMs ?? RETRY_MS.first)
    message.nak(outcome === "failed" ? waitMs : this.#putOffMs(key, waitMs))
    return verdict
  }

  /** Later each time: all that waits would else ask together each time that there is room for one. */
  #putOffMs(key: string, waitMs: number): number {
    const { putOff } = this.#memory.update(key, (known) => ({ putOff: known.putOff + 1 }))
    return Math.max(waitMs, Math.min(RETRY_MS.longest, waitMs * 2 ** (putOff - 1)))
  }

  #retryDelayMs(key: string): number {
    const { retryDelayMs = doubling } = this.#options
    return retryDelayMs(Math.max(1, this.#memory.of(key).failures))
  }

  /** Once the server has said that it knows: what is over when the consumer has stopped is over. */
  async #acknowledged(message: JsMsg): Promise<void> {
    try {
      await message.ackAck()
    } catch (error) {
      // It is delivered again, and acknowledged again then.
      report(this.#options, error)
    }
  }

  async #buried(letter: Omit<DeadLetter, "deliveries">): Promise<boolean> {
    try {
      await this.#options.deadLetter?.({ ...letter, deliveries: letter.message.info.deliveryCount })
      return true
    } catch (error) {
      report(this.#options, error)
      return false
    }
  }

  #tell(
    { subject, info }: JsMsg,
    { outcome, tenantId }: Pick<MessageMetric, "outcome" | "tenantId">,
    durationMs: number,
  ): void {
    safely(this.#options, () =>
      this.#options.onMessage?.({ tenantId, subject, outcome, deliveries: info.deliveryCount, durationMs }),
    )
  }

  /** Says of everything under way that it is. */
  #beat(): void {
    try {
      for (const { message } of this.#running.values()) message.working()
    } catch (error) {
      // Without a connection there is nobody to tell.
      report(this.#options, error)
    }
  }
}

const isOver = (error: unknown): boolean =>
  error instanceof Error && ["ClosedConnectionError", "DrainingConnectionError"].includes(error.name)
