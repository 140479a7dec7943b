import type { IncomingMessage } from "node:http"
import type { Statuses } from "../../core/deployment/health.ts"
import { inOrder } from "../../core/deployment/order.ts"
import { addressed } from "../../core/deployment/paths.ts"
import { Refusal } from "../../core/errors.ts"
import type { BackendClient, TargetClient } from "../platform/deployments/clients.ts"
import { exchange, NoAnswer } from "../platform/deployments/exchange.ts"
import { UrlRefused } from "../platform/outbound.ts"
import type { Asked } from "./asked.ts"

/** A target that could not be reached is tried last for so long. */
const FAILING_MS = 10_000
const ATTEMPTS_MAX = 3

/**
 * What of a caller's request its backend is told. Whatever else there is, credentials first, is between the caller and us; so
 * is how what goes on the way is packed: the edge packs for whoever it answers.
 */
const TOLD = new Set([
  "accept",
  "accept-language",
  "content-encoding",
  "content-type",
  "traceparent",
  "tracestate",
  "x-prometheus-remote-read-version",
  "x-prometheus-remote-write-version",
])
/** How VictoriaLogs takes in what it is given. */
const TOLD_TO_LOGS = /^vl-[a-z-]{1,40}$/

const headersFor = (
  { headers, backend }: Asked,
  tenancy: Record<string, string>,
  authorization: string | null,
): Record<string, string> => {
  const told: Record<string, string> = { "user-agent": "Hotswap" }
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined && (TOLD.has(name) || (backend !== "metrics" && TOLD_TO_LOGS.test(name))))
      told[name] = value
  return { ...told, ...tenancy, ...(authorization === null ? {} : { authorization }) }
}

/** Where it runs, what is known of the targets, and the time. */
export interface Surroundings {
  region: string | null
  statuses: Statuses[keyof Statuses]
  nowMs(): number
}

/** Such an answer says that another target may do better. */
const ELSEWHERE = new Set([502, 503, 504])

/** What its backend answers instead of data, and its caller could mistake for being about his own request. */
const complaintOf = (status: number): string | null => {
  if (status === 401 || status === 403 || status === 407)
    return `It answered ${status}: what it is entered with is not what it takes.`
  return status >= 300 && status < 400 && status !== 304 ? "It redirects, which is not followed." : null
}

const refusalOf = (error: NoAnswer): Refusal => {
  const code = { unsent: "BACKEND_UNREACHABLE", broken: "BACKEND_FAILED", late: "BACKEND_TIMEOUT" } as const
  return new Refusal(code[error.kind], error.message, { cause: error })
}

/**
 * Sends a request to the backend's targets, one after the other until one answers. A query goes to the next one whatever
 * became of it; what is written only while not one byte of it has left, as it might be written twice. Throws Refusal
 * BACKEND_UNREACHABLE, BACKEND_FAILED, BACKEND_TIMEOUT.
 */
export const passOn = async (
  asked: Asked,
  { settings, targets, authorization }: BackendClient,
  { region, statuses, nowMs }: Surroundings,
): Promise<IncomingMessage> => {
  const { use } = asked.passed
  const { path, headers: tenancy } = addressed(asked.backend, asked.passed, settings.tenancy)
  const headers = headersFor(asked, tenancy, authorization)
  const query = asked.query === "" ? "" : `?${asked.query}`
  const isDown = ({ target, failingUntilMs }: TargetClient) =>
    failingUntilMs > nowMs() || statuses?.[target.url]?.state === "unhealthy"
  const candidates = inOrder(targets, use, region, (client) => ({ isDown: isDown(client) }))
  const endsAtMs = performance.now() + settings.timeoutMs

  const attempt = async (client: TargetClient): Promise<IncomingMessage> => {
    try {
      client.reach.check()
      const response = await exchange(
        { url: client.url, agent: client.agentAt(nowMs()) },
        {
          method: asked.method,
          path: `${client.url.pathname.replace(/\/$/, "")}${path}${query}`,
          headers,
          body: asked.body,
          deadlineMs: Math.max(1, endsAtMs - performance.now()),
        },
      )
      client.failingUntilMs = 0
      return response
    } catch (error) {
      client.failingUntilMs = nowMs() + FAILING_MS
      if (error instanceof UrlRefused) throw new NoAnswer("unsent", true, error.message, { cause: error })
      throw error
    }
  }

  let last: NoAnswer | null = null
  for (const [nth, client] of candidates.slice(0, ATTEMPTS_MAX).entries()) {
    const isLast = nth === Math.min(ATTEMPTS_MAX, candidates.length) - 1
    try {
      const response = await attempt(client)
      const status = response.statusCode!
      const complaint = complaintOf(status)
      const mayGoOn = use === "query" && !isLast && (ELSEWHERE.has(status) || complaint !== null)
      if (!mayGoOn && complaint === null) return response
      // Unread, it would hold its connection.
      response.destroy()
      last = new NoAnswer("broken", false, complaint ?? `It answered ${status}.`)
      if (!mayGoOn) break
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
      last = error
      if (error.kind === "late" || !(use === "query" || error.isUnsent)) break
    }
  }
  throw last === null
    ? new Refusal("BACKEND_UNREACHABLE", `None of its targets is for use "${use}".`)
    : refusalOf(last)
}
