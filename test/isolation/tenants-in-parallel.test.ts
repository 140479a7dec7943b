import { randomUUID } from "node:crypto"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type RunningHotswap, removeHome, startHotswap, temporaryHome } from "../support/hotswap.ts"

const TENANTS = 100
const OPERATIONS = process.env.HOTSWAP_PROVE ? 200 : 8
const KEYS = ["theme", "limit", "feature.checkout"]

let hotswap: RunningHotswap
beforeAll(async () => {
  hotswap = await startHotswap({ home: await temporaryHome() })
}, 90_000)
afterAll(async () => {
  await hotswap.stop()
  await removeHome(hotswap.home)
})

/** A fixed sequence of numbers in [0, 1): Lehmer's, so that a failure can be run again. */
const sequence = (seed: number) => {
  let state = seed + 1
  return () => {
    state = (state * 48_271) % 0x7fff_ffff
    return state / 0x7fff_ffff
  }
}

/**
 * Asks again where a busy machine was not in time, or closed a connection as it was taken up again; what may have happened
 * already is told by its key.
 */
const patiently: RunningHotswap["call"] = async (method, path, options = {}) => {
  const headers = method === "GET" ? {} : { "idempotency-key": randomUUID() }
  for (;;) {
    const answer = await hotswap.call(method, path, { ...options, headers }).catch((error: Error) => {
      if (error.message !== "fetch failed") throw error
      return { status: 503 }
    })
    if (answer.status !== 503) return answer as never
  }
}

const work = async (index: number): Promise<{ read: number; foreign: string[] }> => {
  const call = patiently
  const tenant = `tenant-${index}`
  const random = sequence(index)
  const made = await call("POST", "/api/v1/tenants", { body: { tenantId: tenant, name: tenant } })
  expect(made.status, JSON.stringify(made.body)).toBe(201)
  const issue = async (subject: string, roles: string[], environment?: string): Promise<string> => {
    const issued = await call<{ token?: string }>("POST", `/api/v1/tenants/${tenant}/tokens`, {
      body: { subject, roles, ...(environment ? { environment } : {}) },
    })
    expect(issued.status, JSON.stringify(issued.body)).toBe(201)
    // What had happened already is not shown again.
    return issued.body.token ?? (await issue(subject, roles, environment))
  }
  const engineer = await issue("engineer", ["engineer"])
  const reader = await issue("reader", ["reader"], "Development")
  const written = new Set<string>()
  const foreign: string[] = []
  let read = 0
  for (let i = 0; i < OPERATIONS; i++) {
    const key = KEYS[Math.floor(random() * KEYS.length)]!
    if (random() < 0.4) {
      const value = `${tenant}/${i}`
      const answer = written.has(key)
        ? await call("PUT", `/api/v1/configs/${tenant}:Development:${key}`, {
            token: engineer,
            body: { value },
          })
        : await call("POST", "/api/v1/configs", {
            token: engineer,
            body: { tenantId: tenant, environment: "Development", key, value },
          })
      expect([200, 201], JSON.stringify(answer.body)).toContain(answer.status)
      written.add(key)
      continue
    }
    const origin = random() < 0.5
    const answer = await call<{ tenantId: string; configs: Record<string, string> }>(
      "GET",
      `/api/v1/configs/tenant/${tenant}?environment=Development`,
      { token: reader, origin },
    )
    expect(answer.status, JSON.stringify(answer.body)).toBe(200)
    const values = [answer.body.tenantId, ...Object.values(answer.body.configs)]
    foreign.push(...values.filter((value) => value !== tenant && !value.startsWith(`${tenant}/`)))
    read += values.length
  }
  return { read, foreign }
}

test("a hundred tenants reading and writing at once see no value but their own", {
  timeout: 240_000,
}, async () => {
  const results = await Promise.all(Array.from({ length: TENANTS }, (_, i) => work(i)))
  expect(results.flatMap(({ foreign }) => foreign)).toEqual([])
  expect(results.reduce((total, { read }) => total + read, 0)).toBeGreaterThan(TENANTS)
})
