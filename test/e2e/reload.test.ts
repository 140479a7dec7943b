import { afterAll, beforeAll, expect, test } from "vitest"
import { type RunningRedis, startRedis } from "../../local/redis/start.ts"
import { HotswapClient } from "../../sdk/src/index.ts"
import { followRedis } from "../../sdk/src/redis-events.ts"
import { type RunningHotswap, removeHome, startHotswap, temporaryHome } from "../support/hotswap.ts"
import { type RedisProxy, startRedisProxy } from "../support/redis-proxy.ts"
import { connectStream, type StreamReader } from "../support/stream.ts"

const PATIENTLY = { timeout: 30_000, interval: 20 }
const ENVIRONMENT = "QA"

let redis: RunningRedis
let proxy: RedisProxy
let hotswap: RunningHotswap
const ends: (() => unknown)[] = []

beforeAll(async () => {
  redis = await startRedis()
  proxy = await startRedisProxy(redis)
  const env = { UPSTASH_REDIS_REST_URL: proxy.url, UPSTASH_REDIS_REST_TOKEN: proxy.token }
  hotswap = await startHotswap({ home: await temporaryHome(), env })
}, 90_000)
afterAll(async () => {
  await Promise.all(ends.map((end) => end()))
  await hotswap?.kill("group")
  await proxy?.close()
  await redis?.stop()
  if (hotswap) await removeHome(hotswap.home)
})

const must = async <T = Record<string, unknown>>(method: string, path: string, body?: unknown) => {
  const answer = await hotswap.call<T>(method, path, { body })
  expect(answer.status, `${path}: ${JSON.stringify(answer.body)}`).toBeLessThan(300)
  return answer.body
}
const flag = (state: string) => ({ state, variants: { on: true, off: false }, defaultVariant: "on" })

/** A tenant with a flag and a plain config, and who reads it. */
const createTenant = async (tenantId: string, tier = "Free") => {
  await must("POST", "/api/v1/tenants", { tenantId, name: tenantId, tier })
  const edits = [
    { key: "new-ui", value: flag("ENABLED") },
    { key: "limit", value: 1 },
  ]
  await must("POST", "/api/v1/changes", { tenantId, environment: ENVIRONMENT, edits })
  const reader = { subject: "app", roles: ["reader"], environment: ENVIRONMENT }
  const { token } = await must<{ token: string }>("POST", `/api/v1/tenants/${tenantId}/tokens`, reader)
  return {
    token,
    put: (key: string, value: unknown) =>
      must("PUT", `/api/v1/configs/${tenantId}:${ENVIRONMENT}:${key}`, { value }),
    listen: async (): Promise<StreamReader> => {
      const stream = await connectStream(`${hotswap.url}/api/v1/stream`, token)
      ends.push(stream.close)
      await stream.next()
      return stream
    },
  }
}
const typesOf = (stream: StreamReader, from = 1) => stream.events.slice(from).map(({ type }) => type)

test("who listens hears what kind of thing changed, and a flag is one of them", async () => {
  const { put, listen } = await createTenant("kinds")
  const stream = await listen()
  await put("limit", 2)
  await expect.poll(() => typesOf(stream), PATIENTLY).toEqual(["tenant_config"])
  await put("new-ui", flag("DISABLED"))
  await expect.poll(() => typesOf(stream, 2), PATIENTLY).toEqual(["tenant_config", "feature_flag"])
  expect(stream.events.at(-1)?.id).toBe(stream.events.at(-2)?.id)
})

test("a reload reaches who listens of one tenant, of a tier, or of all, and moves nothing", async () => {
  const [pro, free] = [await createTenant("of-pro", "Pro"), await createTenant("of-free")]
  const [mine, theirs] = [await pro.listen(), await free.listen()]
  // On a busy machine Redis may be given up on: then it is asked for again, and may be told twice.
  const reload = async (more: object) => {
    const body = { environment: ENVIRONMENT, ...more }
    const ask = async () => (await hotswap.call("POST", "/api/v1/reload", { body })).status
    await expect.poll(ask, { ...PATIENTLY, interval: 500 }).toBe(200)
  }
  const kinds = (stream: StreamReader) => [...new Set(typesOf(stream))].toSorted()
  await reload({ tenantId: "of-pro", type: "feature_flag" })
  await reload({ tenantId: "~tier.Pro", type: "tenant_config" })
  await reload({ type: "global_config" })
  await expect.poll(() => kinds(mine), PATIENTLY).toEqual(["feature_flag", "global_config", "tenant_config"])
  await expect.poll(() => kinds(theirs), PATIENTLY).toEqual(["global_config"])
  for (const stream of [mine, theirs]) expect(new Set(stream.events.map(({ id }) => id)).size).toBe(1)
  for (const { data } of mine.events.slice(1)) expect(data.reload).toBe(true)
})

test("a client sees a flag switched, whether it hears of it by the stream, by Redis or by asking", async () => {
  const { token, put } = await createTenant("switching")
  const clientOf = async (stream: boolean) => {
    const client = new HotswapClient({
      url: hotswap.url,
      token,
      tenantId: "switching",
      stream,
      report: false,
    })
    ends.push(() => client.close())
    await client.ready()
    return client
  }
  const clients = [await clientOf(true), await clientOf(false), await clientOf(false)]
  const events = followRedis(clients[1]!, { tenantId: "switching", environment: ENVIRONMENT, redis: proxy })
  ends.push(events.close)
  expect(clients.map((client) => client.isEnabled("new-ui"))).toEqual([true, true, true])
  await put("new-ui", flag("DISABLED"))
  for (const client of clients) await expect.poll(() => client.isEnabled("new-ui"), PATIENTLY).toBe(false)
})

test("with Redis away a reload says that nobody heard it, and who listens finds out by looking", async () => {
  const { put, listen } = await createTenant("unheard")
  const stream = await listen()
  proxy.set("down")
  const answer = await hotswap.call("POST", "/api/v1/reload", {
    body: { tenantId: "unheard", environment: ENVIRONMENT, type: "tenant_config" },
  })
  expect(answer).toMatchObject({ status: 503, body: { code: "PUSH_UNAVAILABLE" } })
  await put("limit", 3)
  await expect.poll(() => typesOf(stream), PATIENTLY).toContain("tenant_config")
  proxy.set("up")
})
