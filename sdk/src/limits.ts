import { traceHeader } from "./trace.ts"

export interface LimitsClientOptions {
  /** Of the service. */
  url: string
  /** A reader token; one for several tenants consumes for each of them. */
  token: string
  /** Which environment's counters, where the token is bound to none. */
  environment?: string
  /** How long an answer may take before a request goes on without one. Default 500. */
  timeoutMs?: number
  /** The `traceparent` of the running request: asking is part of its trace. */
  traceparent?: () => string | undefined
  fetch?: typeof fetch
}

/** Where a tenant stands with one action. `limit` −1 is unlimited. */
export interface LimitState {
  limit: number
  remaining: number
  used: number
  /** ISO 8601. */
  resetAt: string
  /** 0: now. `null`: never, as more was asked for than the limit is. */
  retryAfterMs: number | null
}

/** What to add to the answer: the RateLimit fields, and `retry-after` where it was refused. */
type LimitHeaders = Readonly<Record<string, string>>

export type LimitDecision =
  | { kind: "allowed"; state: LimitState; headers: LimitHeaders }
  | { kind: "refused"; state: LimitState; headers: LimitHeaders }
  /** Nobody knows: the service did not answer, or not about this. */
  | { kind: "unavailable"; error: Error }

const FAILURES_MAX = 3
const PAUSE_MS = 1_000

class NoAnswer extends Error {
  /** It is about this tenant or action. */
  readonly isItsOwn: boolean

  constructor(status: number, action: string) {
    super(`The service answered ${status} when asked for the limit ${action}.`)
    this.isItsOwn = [400, 403, 404].includes(status)
  }
}

/** Asks the service whether a tenant may do one thing more. Never throws, and never waits long. */
export class LimitsClient {
  readonly #options: LimitsClientOptions
  readonly #fetch: typeof fetch
  #failures = 0
  #askAgainAt = 0
  #lastError = new Error("The limits did not answer.")

  constructor(options: LimitsClientOptions) {
    this.#options = options
    this.#fetch = options.fetch ?? globalThis.fetch
  }

  /** Counts `amount` if there is room for all of it, and nothing otherwise. */
  consume(tenantId: string, action: string, amount = 1): Promise<LimitDecision> {
    return this.#ask("consume", tenantId, action, amount)
  }

  /** Asks only. */
  check(tenantId: string, action: string, amount = 1): Promise<LimitDecision> {
    return this.#ask("check", tenantId, action, amount)
  }

  async #ask(what: string, tenantId: string, action: string, amount: number): Promise<LimitDecision> {
    // A service that is down must not cost every request the whole timeout.
    if (performance.now() < this.#askAgainAt) return { kind: "unavailable", error: this.#lastError }
    try {
      const decision = await this.#answer(what, tenantId, action, amount)
      this.#failures = 0
      return decision
    } catch (error) {
      // Refused for what was asked about: the service is there, and others must be asked about all the same.
      if (!(error instanceof NoAnswer && error.isItsOwn)) this.#failures += 1
      if (this.#failures >= FAILURES_MAX) this.#askAgainAt = performance.now() + PAUSE_MS
      this.#lastError = error instanceof Error ? error : new Error(String(error))
      return { kind: "unavailable", error: this.#lastError }
    }
  }

  async #answer(what: string, tenantId: string, action: string, amount: number): Promise<LimitDecision> {
    const { url, token, environment, timeoutMs = 500, traceparent } = this.#options
    const path = `/api/v1/tenants/${encodeURIComponent(tenantId)}/limits/${encodeURIComponent(action)}/${what}`
    const query = environment === undefined ? "" : `?environment=${encodeURIComponent(environment)}`
    const send = this.#fetch
    const answer = await send(`${url.replace(/\/+$/, "")}${path}${query}`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        ...traceHeader(traceparent),
      },
      body: JSON.stringify({ amount }),
      signal: AbortSignal.timeout(timeoutMs),
    })
    const body = (await answer.json().catch(() => null)) as
      | (LimitState & { allowed?: unknown; action?: unknown })
      | null
    // Other refusals have the status 429 too, such as that the token asks too often.
    const isAnswer = typeof body?.allowed === "boolean" && (body.action ?? action) === action
    if ((answer.status !== 200 && answer.status !== 429) || !isAnswer)
      throw new NoAnswer(answer.status, action)
    const { limit, remaining, used, resetAt, retryAfterMs } = body
    return {
      kind: body.allowed ? "allowed" : "refused",
      state: { limit, remaining, used, resetAt, retryAfterMs },
      headers: passedOn(answer.headers),
    }
  }
}

const passedOn = (headers: Headers): Record<string, string> =>
  Object.fromEntries([...headers].filter(([name]) => name === "retry-after" || /^(x-)?ratelimit/.test(name)))
