import type { IncomingMessage } from "node:http"
import { BACKENDS, type BackendName } from "../../../core/deployment/deployments.ts"
import { type Observation, observed, stillNamed } from "../../../core/deployment/health.ts"
import type { TenantId } from "../../../core/ids.ts"
import type { Database } from "../../../db/client.ts"
import { findDeployments, forgetDeploymentState, writeStatuses } from "../../../db/queries/deployments.ts"
import type { Clock } from "../clock.ts"
import { UrlRefused } from "../outbound.ts"
import type { BackendClient, Clients, TargetClient } from "./clients.ts"
import { exchange, NoAnswer } from "./exchange.ts"

export interface LookDeps {
  db: Database
  clock: Clock
  clients: Clients
  /** From 0 to 1. */
  chance(): number
}

/** Looks at once at so much of the time before the next look as its end may vary by, so that not all come together. */
const JITTER = 0.1

/**
 * Looks at a tenant's targets, each once, and writes down how they are. `isDecisive`: what is seen now holds, however often it
 * was otherwise before.
 */
export const lookAt = async (
  deps: LookDeps,
  tenantId: TenantId,
  { isDecisive }: { isDecisive: boolean },
): Promise<void> => {
  const readAtMs = performance.now()
  const row = await findDeployments(deps.db, tenantId)
  if (!row || Object.keys(row.deployments).length === 0) {
    await forgetDeploymentState(deps.db, tenantId)
    return
  }
  const clients = await deps.clients.of(row, readAtMs)
  try {
    const seen = await Promise.all(
      BACKENDS.flatMap((name) => {
        const backend = clients.backends[name]
        return backend ? backend.targets.map((target) => seenAt(deps, name, backend, target)) : []
      }),
    )
    await writeStatuses(deps.db, tenantId, (kept) => {
      const next = stillNamed(row.deployments, kept)
      for (const { name, url, observation } of seen) {
        const { health } = clients.backends[name]!.settings
        const thresholds = isDecisive ? { unhealthyAfter: 1, healthyAfter: 1 } : health
        const status = observed(next[name]?.[url], observation, thresholds)
        next[name] = { ...next[name], [url]: status }
      }
      const nowMs = deps.clock.nowMs()
      const dueAt = new Date(nowMs + pauseMsOf(clients.backends, deps.chance())).toISOString()
      return { statuses: next, checkedAt: new Date(nowMs).toISOString(), dueAt }
    })
  } finally {
    clients.release()
  }
}

/** Until the next look: what the most watchful backend asks, a little more or less. */
const pauseMsOf = (backends: Readonly<Record<string, BackendClient>>, chance: number): number => {
  const seconds = Object.values(backends).map(({ settings }) => settings.health.intervalSeconds)
  return Math.min(...seconds) * 1_000 * (1 - JITTER + 2 * JITTER * chance)
}

const seenAt = async (
  { clock }: LookDeps,
  name: BackendName,
  backend: BackendClient,
  client: TargetClient,
): Promise<{ name: BackendName; url: string; observation: Observation }> => {
  const startedAtMs = performance.now()
  const { ok, words } = await answerOf(backend, client, clock.nowMs())
  const latencyMs = Math.round(performance.now() - startedAtMs)
  return {
    name,
    url: client.target.url,
    observation: { ok, at: clock.now().toISOString(), latencyMs, words },
  }
}

const DRAINED_BYTES_MAX = 65_536

/** The head has said it. What comes after is read so that the connection can be used again, unless it does not end. */
const drain = (response: IncomingMessage, timeoutMs: number): void => {
  let bytes = 0
  response.on("data", (piece: Buffer) => {
    bytes += piece.length
    if (bytes > DRAINED_BYTES_MAX) response.destroy()
  })
  response.on("error", () => {})
  response.setTimeout(timeoutMs, () => response.destroy())
}

/** Whether a target says that it is well, asked once. */
export const answerOf = async (
  { settings, authorization }: BackendClient,
  client: TargetClient,
  nowMs: number,
): Promise<Pick<Observation, "ok" | "words">> => {
  const { path, timeoutMs } = settings.health
  try {
    client.reach.check()
    const response = await exchange(
      { url: client.url, agent: client.agentAt(nowMs) },
      {
        method: "GET",
        path: `${client.url.pathname.replace(/\/$/, "")}${path}`,
        headers: { "user-agent": "Hotswap", ...(authorization === null ? {} : { authorization }) },
        body: null,
        deadlineMs: timeoutMs,
      },
    )
    drain(response, timeoutMs)
    const status = response.statusCode!
    const redirect = status >= 300 && status < 400 ? " Redirects are not followed." : ""
    return { ok: status >= 200 && status < 300, words: `It answered ${status}.${redirect}` }
  } catch (error) {
    if (error instanceof NoAnswer || error instanceof UrlRefused) return { ok: false, words: error.message }
    throw error
  }
}
