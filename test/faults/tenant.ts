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

export const createTenant = async (
  hotswap: RunningHotswap,
  tenantId: string,
  value = 1,
): Promise<CountingTenant> => {
  const { call } = hotswap
  const made = await call("POST", "/api/v1/tenants", { body: { tenantId, name: tenantId } })
  expect(made.status, JSON.stringify(made.body)).toBe(201)
  const issued = await call<{ token: string }>("POST", `/api/v1/tenants/${tenantId}/tokens`, {
    body: { subject: "shop", roles: ["reader"], environment: ENVIRONMENT },
  })
  const first = await call("POST", "/api/v1/configs", {
    body: { tenantId, environment: ENVIRONMENT, key: KEY, value },
  })
  expect(first.status, JSON.stringify(first.body)).toBe(201)
  return { tenantId, readerToken: issued.body.token, acknowledged: value, attempted: value, history: [] }
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
  let last: Answer | null = null
  let wrong: unknown = null
  return async (base) => {
    // Whoever polls tries again after a failure: one wrong answer must stay the last.
    if (wrong !== null) throw wrong
    const overdue = tenant.history.findLast(({ atMs }) => atMs < Date.now() - BOUND_MS)?.value ?? 1
    try {
      const response = await fetch(base + path, {
        headers: { authorization: `Bearer ${tenant.readerToken}` },
        signal: AbortSignal.timeout(NEVER_LONGER_MS),
      })
      const answer = await answerOf(response)
      expect(answer.value, "only what was sent is read").toBeLessThanOrEqual(tenant.attempted)
      expect(goesOn(last, answer), `${answer.revision} after ${last?.revision}`).toBe(true)
      expect(answer.value, "values go on with revisions").toBeGreaterThanOrEqual(last?.value ?? 1)
      if (answer.stale === null) expect(answer.value, "the bound holds").toBeGreaterThanOrEqual(overdue)
      last = answer
      return answer
    } catch (error) {
      wrong = error
      throw error
    }
  }
}

const answerOf = async (response: Response): Promise<Answer> => {
  const text = await response.text()
  expect(response.status, text).toBe(200)
  const stale = response.headers.get("hotswap-stale")
  return {
    value: (JSON.parse(text) as { configs: Record<string, number> }).configs[KEY]!,
    revision: response.headers.get("hotswap-revision")!,
    stale: stale === null ? null : Number(stale),
  }
}

const goesOn = (last: Answer | null, next: Answer): boolean =>
  last === null ||
  last.revision === next.revision ||
  isNewer(parseRevision(next.revision)!, parseRevision(last.revision)!)

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
