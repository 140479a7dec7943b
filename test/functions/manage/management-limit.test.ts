import { afterAll, beforeAll, expect, test } from "vitest"
import { TOLD_EVERY_MS } from "../../../functions/platform/management-guard.ts"
import { restSender } from "../../../functions/platform/redis-rest.ts"
import type { RedisSender } from "../../../functions/platform/redis-sender.ts"
import type { RunningRedis } from "../../../local/redis/start.ts"
import { startTestRedis } from "../../support/redis.ts"
import { createWorld, must, type World } from "./world.ts"

let redis: RunningRedis
let send: RedisSender
let world: World
beforeAll(async () => {
  redis = await startTestRedis("embedded")
  send = restSender({ ...redis, deadlineMs: 20_000 })
  world = await createWorld({ send, settings: { managementLimits: true } })
  await limitTo(5)
})
afterAll(async () => {
  await world.close()
  await redis.stop()
})

/** For the tier, in Production, without the approvals that it owes there. */
const limitTo = async (max: number) => {
  const edits = [{ key: "limit.management", value: { max, windowMs: 3_600_000 } }]
  const body = { tenantId: "~tier.Free", environment: "Production", edits }
  const { changeId } = (await must(world.call("POST", "/api/v1/changes", { body }), 202)).body
  await must(world.call("POST", `/api/v1/changes/${String(changeId)}/break-glass`, { body: {} }), 200)
}

const times = async (count: number, token: string, path: string) => {
  const statuses: number[] = []
  for (let i = 0; i < count; i++) statuses.push((await world.call("GET", path, { token })).status)
  return statuses
}

test("a tenant manages as often as its limit says, and is then told when it may go on", async () => {
  const { tokens } = await world.tenant("acme")
  const path = "/api/v1/tenants/acme"
  expect(await times(5, tokens.viewer, path)).not.toContain(429)
  const refused = await must(world.call("GET", path, { token: tokens.engineer }), 429)
  expect(refused.body).toMatchObject({
    code: "RATE_LIMITED",
    action: "management",
    allowed: false,
    remaining: 0,
  })
  expect(refused.headers.get("ratelimit-policy")).toBe('"management";q=5;w=3600')
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(3_500)
  // Whoever is above tenants is not limited, nor is another tenant.
  await must(world.call("GET", path), 200)
  const { tokens: others } = await world.tenant("globex")
  expect(await times(3, others.viewer, "/api/v1/tenants/globex")).not.toContain(429)
})

test("a limit that is raised, or a better tier, counts within a second also for who is kept out", async () => {
  const { tokens } = await world.tenant("umbrella")
  const path = "/api/v1/tenants/umbrella"
  await times(5, tokens.viewer, path)
  expect(await times(2, tokens.viewer, path)).toEqual([429, 429])
  await must(world.call("PATCH", path, { body: { tier: "Enterprise" } }), 200)
  world.moveClock(TOLD_EVERY_MS)
  await world.call("GET", path, { token: tokens.viewer })
  expect(await times(8, tokens.viewer, path)).not.toContain(429)
})

test("who sends tokens of a tenant that are none uses up nothing of the tenant's", async () => {
  const { tokens } = await world.tenant("initech")
  const forged = `${tokens.viewer.slice(0, -3)}AAA`
  expect(await times(8, forged, "/api/v1/tenants/initech")).toEqual(new Array(8).fill(401))
  expect(await times(5, tokens.viewer, "/api/v1/tenants/initech")).not.toContain(429)
})

test("without Redis everything passes", async () => {
  const without = await createWorld({ settings: { managementLimits: true } })
  try {
    const { tokens } = await without.tenant("acme")
    const ask = () => without.call("GET", "/api/v1/tenants/acme", { token: tokens.viewer })
    for (let i = 0; i < 8; i++) expect((await ask()).status).not.toBe(429)
  } finally {
    await without.close()
  }
})
