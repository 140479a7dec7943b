import type { JsMsg } from "@nats-io/jetstream"
import { parseTenantId } from "../../core/ids.ts"
import { TenantContext } from "./context.ts"
import type { LimitsClient } from "./limits.ts"
import { isRefusal, TenantRefusal } from "./middleware/refusal.ts"
import { clientOf, report, type TenantSource } from "./middleware/serve.ts"
import type { DeadLetter, MessageResolver } from "./nats-letters.ts"
import type { MessageMemory } from "./nats-memory.ts"
import type { Client, Context } from "./types.ts"

/** What became of one delivery. `returned`: the consumer was stopping, and somebody else gets it. */
export type MessageOutcome = "done" | "failed" | "limited" | "unavailable" | "dead" | "returned"

export interface MessageMetric {
  /** `null`: that was not known. */
  tenantId: string | null
  subject: string
  outcome: MessageOutcome
  deliveries: number
  durationMs: number
}

export interface TenantConsumerOptions {
  tenants: TenantSource
  /** Whose message is it? See `bySubject` and `byMessageHeader`. One that nobody can be told of is dead at once. */
  resolve: MessageResolver
  /** Runs in the tenant context of the message. May be called again with a message that it has seen. */
  handler: (message: JsMsg) => void | Promise<void>
  targetingKey?: (message: JsMsg) => string | null | undefined
  attributes?: (message: JsMsg) => Context | undefined
  limits?: Pick<LimitsClient, "consume">
  /** Which of the tenant's limits a message counts towards; `null`: none. */
  action?: string | ((message: JsMsg) => string | null | undefined)
  /** What becomes of a message whose limit nobody can tell. Default `allow`. */
  whenLimitsUnavailable?: "allow" | "retry"
  /** So many messages at once, and no more taken from the stream than that. Default 10. */
  concurrency?: number
  /** The handler fails a message so often; then it is dead. Default 5. */
  failuresMax?: number
  /**
   * It is delivered so often, but for those it was put off here; then it is dead, lest it end every process. What other processes
   * put off does count: say more where tenants are beyond their limits for hours. Default 100.
   */
  deliveriesMax?: number
  /** How long until a message is delivered again that has failed so often. Default: 1 s, doubled up to 60 s. */
  retryDelayMs?: (failures: number) => number
  /** Where dead messages go; see `toSubject`. Without, they are only told of. */
  deadLetter?: (letter: DeadLetter) => void | Promise<void>
  /** Told of every delivery once it is over. */
  onMessage?: (metric: MessageMetric) => void
  /** Told of what went wrong: a handler's errors, limits or a server that do not answer. */
  onError?: (error: unknown) => void
}

/** What is to become of a delivery. */
export interface Verdict {
  outcome: Exclude<MessageOutcome, "returned">
  tenantId: string | null
  delayMs?: number
  reason?: string
}

export const RETRY_MS = { first: 1_000, longest: 60_000 }
/** Where nobody says when a limit has room again. */
const LIMITED_MS = 60_000

/** How long to wait after so many failures in a row. */
export const doubling = (failures: number): number =>
  Math.min(RETRY_MS.longest, RETRY_MS.first * 2 ** Math.max(0, failures - 1))

/** The same message, however often it is delivered, and no other, also where a stream is made anew. */
export const keyOf = ({ info, timestampNanos }: JsMsg): string =>
  `${info.stream}/${info.streamSequence}/${timestampNanos}`

/** Decides on deliveries, as far as that can be done without the server. */
export class Judge {
  readonly #options: TenantConsumerOptions
  readonly #memory: MessageMemory

  constructor(options: TenantConsumerOptions, memory: MessageMemory) {
    this.#options = options
    this.#memory = memory
  }

  /** Runs the handler if it comes to that. */
  async verdict(message: JsMsg): Promise<Verdict> {
    const key = keyOf(message)
    let tenantId: string | null = null
    const { failuresMax = 5, deliveriesMax = 100, retryDelayMs = doubling } = this.#options
    const { putOff, failures, lastFailure } = this.#memory.of(key)
    const deliveries = message.info.deliveryCount - putOff
    const dead = (reason: string): Verdict => ({ outcome: "dead", tenantId, reason })
    try {
      tenantId = await this.#tenantOf(message)
      if (failures >= failuresMax) return dead(`It failed ${failures} times, at last: ${lastFailure}`)
      if (deliveries > deliveriesMax) return dead(`It was delivered ${deliveries} times.`)
      const client = await clientOf(this.#options.tenants, tenantId)
      return await this.#handled(message, tenantId, client)
    } catch (thrown) {
      if (isRefusal(thrown)) return this.#refused(thrown, tenantId)
      report(this.#options, thrown)
      const again = failures + 1
      this.#memory.update(key, () => ({ failures: again, lastFailure: String(thrown) }))
      if (again < failuresMax) return { outcome: "failed", tenantId, delayMs: retryDelayMs(again) }
      return dead(`It failed ${again} times, at last: ${String(thrown)}`)
    }
  }

  async #tenantOf(message: JsMsg): Promise<string> {
    const named = await this.#options.resolve(message)
    if (named === null || named === undefined)
      throw new TenantRefusal("TENANT_UNNAMED", "Nothing in the message names a tenant.")
    if (parseTenantId(named) === null)
      throw new TenantRefusal("TENANT_ID_INVALID", "What the message names is no tenant's id.")
    return named
  }

  #refused({ code, message }: TenantRefusal, tenantId: string | null): Verdict {
    // It may be served again one day, and whoever is not there will not.
    if (code === "CONFIGURATION_UNAVAILABLE" || code === "TENANT_FORBIDDEN" || code === "LIMITS_UNAVAILABLE")
      return { outcome: "unavailable", tenantId, delayMs: RETRY_MS.longest / 10 }
    return { outcome: "dead", tenantId, reason: message }
  }

  #handled(message: JsMsg, tenantId: string, client: Client): Promise<Verdict> {
    const { targetingKey, attributes, handler } = this.#options
    const key = targetingKey?.(message) ?? undefined
    const view = client.view(key)
    const requestId = keyOf(message)
    const context = TenantContext.of({
      view,
      requestId,
      targetingKey: key,
      attributes: attributes?.(message),
    })
    return TenantContext.run(context, async (): Promise<Verdict> => {
      const limited = await this.#limited(message, tenantId)
      if (limited) return limited
      const startedAt = performance.now()
      let ok = false
      try {
        await handler(message)
        ok = true
      } finally {
        const latencyMs = performance.now() - startedAt
        TenantContext.outside(() => client.report(view, { ok, latencyMs }))
      }
      return { outcome: "done", tenantId }
    })
  }

  async #limited(message: JsMsg, tenantId: string): Promise<Verdict | null> {
    const { limits, action: choice, whenLimitsUnavailable = "allow" } = this.#options
    const action = typeof choice === "function" ? choice(message) : choice
    if (!limits || !action) return null
    const decision = await limits.consume(tenantId, action)
    if (decision.kind === "allowed") return null
    if (decision.kind === "refused")
      return { outcome: "limited", tenantId, delayMs: decision.state.retryAfterMs ?? LIMITED_MS }
    report(this.#options, decision.error)
    if (whenLimitsUnavailable === "allow") return null
    throw new TenantRefusal("LIMITS_UNAVAILABLE", "The limits could not be had.")
  }
}
