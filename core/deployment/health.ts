import type { JsonObject } from "../json.ts"
import { BACKENDS, type BackendName, type Deployments, type HealthCheck } from "./deployments.ts"

/** What came of looking at a target once. */
export interface Observation {
  ok: boolean
  /** ISO 8601. */
  at: string
  latencyMs: number
  /** For people; repeats nothing that the backend sent. */
  words: string
}

/** How a target fares, as it is kept. */
export interface TargetStatus {
  state: "healthy" | "unhealthy"
  /** When it came to be so. */
  since: string
  checkedAt: string
  latencyMs: number
  /** Observations in a row that say otherwise than the state. */
  against: number
  words: string
}

/** By backend and the target's URL. */
export type Statuses = { [Name in BackendName]?: Record<string, TargetStatus> }

/** A target's status after one more look. The first look decides, as there is nothing to hold it against. */
export const observed = (
  before: TargetStatus | undefined,
  { ok, at, latencyMs, words }: Observation,
  { unhealthyAfter, healthyAfter }: Pick<Required<HealthCheck>, "unhealthyAfter" | "healthyAfter">,
): TargetStatus => {
  const seen = ok ? "healthy" : "unhealthy"
  const now = { checkedAt: at, latencyMs, words }
  if (before === undefined) return { state: seen, since: at, against: 0, ...now }
  if (before.state === seen) return { ...before, against: 0, ...now }
  const against = before.against + 1
  const turns = against >= (ok ? healthyAfter : unhealthyAfter)
  return turns
    ? { state: seen, since: at, against: 0, ...now }
    : { ...before, against, checkedAt: at, latencyMs, words }
}

/** What is to be kept of statuses: of targets that are still named. */
export const stillNamed = (deployments: Deployments, statuses: Statuses): Statuses =>
  Object.fromEntries(
    BACKENDS.flatMap((name) => {
      const named = new Set(deployments[name]?.targets.map(({ url }) => url))
      const kept = Object.entries(statuses[name] ?? {}).filter(([url]) => named.has(url))
      return kept.length === 0 ? [] : [[name, Object.fromEntries(kept)]]
    }),
  )

type Known = TargetStatus["state"] | "unknown"

/** `degraded`: some can be had and some cannot. */
const stateOf = (states: readonly Known[]): Known | "degraded" => {
  const known = new Set(states)
  if (known.size === 1) return states[0]!
  return known.has("unhealthy") && known.has("healthy") ? "degraded" : "unknown"
}

/** A tenant's deployments as its health shows them: each with how old what is told is. */
export const shownHealth = (deployments: Deployments, statuses: Statuses, nowMs: number): JsonObject =>
  Object.fromEntries(
    BACKENDS.flatMap((name) => {
      const backend = deployments[name]
      if (backend === undefined) return []
      const targets = backend.targets.map(({ url, region }) => {
        const status = statuses[name]?.[url]
        return {
          url,
          region: region ?? null,
          state: (status?.state ?? "unknown") as Known,
          since: status?.since ?? null,
          checkedAt: status?.checkedAt ?? null,
          ageMs: status ? Math.max(0, nowMs - Date.parse(status.checkedAt)) : null,
          latencyMs: status?.latencyMs ?? null,
          words: status?.words ?? null,
        }
      })
      return [[name, { state: stateOf(targets.map(({ state }) => state)), targets }]]
    }),
  )
