import { expect } from "vitest"
import { stalenessOf } from "../../core/release/pointer-document.ts"
import { isNewer, parseRevision } from "../../core/release/revision.ts"
import type { RunningHotswap } from "../support/hotswap.ts"

/** A tenant with one key, whose values are counted up. */
export interface CountingTenant {
  tenantId: string
  readerToken: string
  /** The last value that was acknowledged. */
  acknowledged: number
  /** The last value that was sent. */
  attempted: number
  /** When which value was acknowledged, oldest first. */
  history: { atMs: number; value: number }[]
}

/** An answer to a read, as far as faults could have spoilt it. */
export interface Answer {
  value: number
  revision: string
  /** Seconds, where the answer says that it is older than the bound. */
  stale: number | null
}

/**
 * Reads one tenant, and throws at the first answer that is not 200, was never written, steps back, or is beyond the
 * bound without saying so.
 */
export type Reader = (base: string) => Promise<Answer>

export const ENVIRONMENT = "Development"
const KEY = "counter"

/** Each of these tenants moved within the last minute. */
const BOUND_MS = stalenessOf({ moving: true }).staleMs
/** Nothing hangs for longer, whatever is broken. */
const NEVER_LONGER_MS = 15_000

export const createTenant = async (hotswap: RunningHotswap, tenantId: string): Promise<CountingTenant> => {
  const { call } = hotswap
  const made = await call("POST", "/api/v1/tenants", { body: { tenantId, name: tenantId } })
  expect(made.status, JSON.stringify(made.body)).toBe(201)
  const issued = await call<{ token: string }>("POST", `/api/v1/tenants/${tenantId}/tokens`, {
    body: { subject: "shop", roles: ["reader"], environment: ENVIRONMENT },
  })
  const first = await call("POST", "/api/v1/configs", {
    body: { tenantId, environment: ENVIRONMENT, key: KEY, value: 1 },
  })
  expect(first.status, JSON.stringify(first.body)).toBe(201)
  return { tenantId, readerToken: issued.body.token, acknowledged: 1, attempted: 1, history: [] }
}

/** Writes the next value; says whether it was taken, and why not. */
export const write = async (
  hotswap: RunningHotswap,
  tenant: CountingTenant,
): Promise<{ status: number; code: unknown }> => {
  tenant.attempted += 1
  const value = tenant.attempted
  const path = `/api/v1/configs/${tenant.tenantId}:${ENVIRONMENT}:${KEY}`
  const answer = await hotswap.call<{ code?: unknown }>("PUT", path, { body: { value } })
  if (answer.status === 200) {
    tenant.acknowledged = value
    tenant.history.push({ atMs: Date.now(), value })
  }
  return { status: answer.status, code: answer.body?.code }
}

export const createReader = (tenant: CountingTenant): Reader => {
  const path = `/api/v1/configs/tenant/${tenant.tenantId}?environment=${ENVIRONMENT}`
  let last: { value: number; revision: string } | null = null
  return async (base) => {
    const overdue = tenant.history.findLast(({ atMs }) => atMs < Date.now() - BOUND_MS)?.value ?? 1
    const response = await fetch(base + path, {
      headers: { authorization: `Bearer ${tenant.readerToken}` },
      signal: AbortSignal.timeout(NEVER_LONGER_MS),
    })
    const text = await response.text()
    expect(response.status, text).toBe(200)
    const value = (JSON.parse(text) as { configs: Record<string, number> }).configs[KEY]!
    const revision = response.headers.get("hotswap-revision")!
    const stale = response.headers.get("hotswap-stale")
    expect(value, "only what was sent is read").toBeLessThanOrEqual(tenant.attempted)
    expect(goesOn(last?.revision ?? null, revision), `${revision} after ${last?.revision}`).toBe(true)
    expect(value, "values go on with revisions").toBeGreaterThanOrEqual(last?.value ?? 1)
    if (stale === null)
      expect(value, "what is not called stale is within the bound").toBeGreaterThanOrEqual(overdue)
    last = { value, revision }
    return { value, revision, stale: stale === null ? null : Number(stale) }
  }
}

const goesOn = (last: string | null, next: string): boolean =>
  last === null || last === next || isNewer(parseRevision(next)!, parseRevision(last)!)

/** For `expect.poll`: a busy machine may take some more to answer from what is within the bound. */
export const MOVING_BOUND = { timeout: BOUND_MS + 7_000, interval: 50 }

/** Reads at the edge and behind it until both give what was acknowledged; no answer on the way may be wrong. */
export const expectAcknowledged = async (
  hotswap: RunningHotswap,
  tenant: CountingTenant,
  { edge, origin } = { edge: createReader(tenant), origin: createReader(tenant) },
): Promise<void> => {
  await expect
    .poll(
      async () => [(await edge(hotswap.url)).value, (await origin(hotswap.originUrl)).value],
      MOVING_BOUND,
    )
    .toEqual([tenant.acknowledged, tenant.acknowledged])
}
