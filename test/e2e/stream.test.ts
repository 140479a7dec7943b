import { afterAll, beforeAll, expect, test } from "vitest"
import { type RunningRedis, startRedis } from "../../local/redis/start.ts"
import { type RunningHotswap, removeHome, startHotswap, temporaryHome } from "../support/hotswap.ts"
import { type RedisProxy, startRedisProxy } from "../support/redis-proxy.ts"
import { connectStream, type StreamReader } from "../support/stream.ts"

let redis: RunningRedis
let proxy: RedisProxy
let hotswap: RunningHotswap
const streams: StreamReader[] = []

beforeAll(async () => {
  redis = await startRedis()
  proxy = await startRedisProxy(redis)
  const env = { UPSTASH_REDIS_REST_URL: proxy.url, UPSTASH_REDIS_REST_TOKEN: proxy.token }
  hotswap = await startHotswap({ home: await temporaryHome(), env })
}, 90_000)
afterAll(async () => {
  for (const stream of streams) stream.close()
  await hotswap?.kill("group")
  await proxy?.close()
  await redis?.stop()
  if (hotswap) await removeHome(hotswap.home)
})

const PATIENTLY = { timeout: 20_000, interval: 50 }

const must = async <T = Record<string, unknown>>(method: string, path: string, body?: unknown) => {
  const answer = await hotswap.call<T>(method, path, { body })
  expect(answer.status, `${path}: ${JSON.stringify(answer.body)}`).toBeLessThan(300)
  return answer.body
}

interface View {
  revision: string
  arm: string
  configs: { k?: string }
}

/** A tenant with one key in QA, and an application that reads it there. */
const createTenant = async (tenantId: string) => {
  await must("POST", "/api/v1/tenants", { tenantId, name: tenantId })
  await must("POST", "/api/v1/configs", { tenantId, environment: "QA", key: "k", value: "old" })
  const { token, tokenId } = await must<{ token: string; tokenId: string }>(
    "POST",
    `/api/v1/tenants/${tenantId}/tokens`,
    { subject: "app", roles: ["reader"], environment: "QA" },
  )
  const read = async (query = "") =>
    (
      await hotswap.call<View>("GET", `/api/v1/configs/tenant/${tenantId}?environment=QA${query}`, {
        token,
      })
    ).body
  const listen = async (headers = {}) => {
    const stream = await connectStream(`${hotswap.url}/api/v1/stream?environment=QA`, token, headers)
    streams.push(stream)
    return stream
  }
  const put = (value: string, environment = "QA") =>
    must("PUT", `/api/v1/configs/${tenantId}:${environment}:k`, { value })
  return { tenantId, token, tokenId, read, listen, put }
}

/** The next event that says so, whatever comes before. */
const heard = async (stream: StreamReader, revision: string) => {
  for (;;) {
    const event = await stream.next()
    expect(event).not.toBeNull()
    if (event?.id === revision) return event
  }
}

const part = (revision: string, index: number): number => Number(revision.split(".")[index])

test("whoever reads because of an event finds what it is about, and other tenants hear nothing of it", async () => {
  const [mine, theirs] = [await createTenant("listening"), await createTenant("unconcerned")]
  const [stream, other] = [await mine.listen(), await theirs.listen()]
  for (const one of [stream, other]) await one.next()
  for (const value of ["first", "second", "third"]) {
    await mine.put(value)
    const event = await stream.next()
    expect(event?.type).toBe("tenant_config")
    expect(await mine.read()).toMatchObject({ revision: event?.id, configs: { k: value } })
  }
  const config = { tenantId: "listening", environment: "Development", key: "k", value: "elsewhere" }
  await must("POST", "/api/v1/configs", config)
  await theirs.put("theirs")
  const event = await other.next()
  expect(await theirs.read()).toMatchObject({ revision: event?.id, configs: { k: "theirs" } })
  expect([stream.events.length, other.events.length]).toEqual([4, 2])
})

test("a rollback by itself reaches the reader who has the candidate, through the report that tips it", async () => {
  const { tenantId, token, read, listen } = await createTenant("tipping")
  const stream = await listen()
  await stream.next()
  const strategy = { type: "canary", steps: [{ weightBp: 10_000 - 1, holdMs: 600_000 }] }
  const edits = [{ key: "k", value: "new" }]
  await must("POST", "/api/v1/changes", { tenantId, environment: "QA", edits, strategy })
  const begun = await stream.next()
  const subject = "&targetingKey=subject-1"
  expect(await read(subject)).toMatchObject({ revision: begun?.id, arm: "candidate", configs: { k: "new" } })
  const report = { revision: begun?.id, instance: "server-1", seq: 1 }
  const reports = [
    { ...report, arm: "stable", ok: 90, errors: 0 },
    { ...report, arm: "candidate", ok: 0, errors: 90 },
  ]
  const tipped = await hotswap.call<{ verdict: { kind: string } }>("POST", "/api/v1/outcomes", {
    token,
    body: { reports },
  })
  expect(tipped.body, JSON.stringify(tipped.body)).toMatchObject({ verdict: { kind: "unhealthy" } })
  const ended = await stream.next()
  expect(await read(subject)).toMatchObject({ revision: ended?.id, arm: "stable", configs: { k: "old" } })
})

test("a change of the platform is heard by a tenant as its own newer revision", async () => {
  const { read, listen } = await createTenant("underneath")
  const stream = await listen()
  const before = await stream.next()
  await must("POST", "/api/v1/configs", { tenantId: "~platform", environment: "QA", key: "all", value: 1 })
  const event = await stream.next()
  expect(event?.type).toBe("global_config")
  expect(part(event!.id, 1)).toBeGreaterThan(part(before!.id, 1))
  expect(await read()).toMatchObject({ revision: event?.id, configs: { all: 1, k: "old" } })
})

test("what happens while Redis is away is heard when it is back, and who comes back hears what was missed", async () => {
  const { read, listen, put } = await createTenant("persistent")
  const stream = await listen()
  const first = await stream.next()
  proxy.set("down")
  await expect.poll(() => proxy.subscriptions().open, PATIENTLY).toBe(0)
  await put("meanwhile")
  proxy.set("up")
  const missed = await stream.next()
  expect(await read()).toMatchObject({ revision: missed?.id, configs: { k: "meanwhile" } })
  await expect.poll(() => proxy.subscriptions().open, PATIENTLY).toBeGreaterThan(0)
  stream.close()
  const again = await listen({ "last-event-id": first!.id })
  expect((await again.next())?.id).toBe(missed?.id)
  const current = await listen({ "last-event-id": missed!.id })
  await put("afterwards")
  const last = (await current.next())?.id
  expect(current.events).toHaveLength(1)
  await heard(again, last!)
})

test("a stream ends when its token is revoked", async () => {
  const { tenantId, token, tokenId, listen } = await createTenant("leaving")
  const stream = await listen()
  await stream.next()
  const revoked = await hotswap.call("DELETE", `/api/v1/tenants/${tenantId}/tokens/${tokenId}`)
  expect(revoked.status).toBeLessThan(300)
  await stream.ended
  const again = await connectStream(`${hotswap.url}/api/v1/stream`, token)
  expect(again.status).toBe(401)
})

test("a token that is revoked reads nothing more at the edge, nor does what was issued with it, and others go on", async () => {
  const { tenantId, token, read } = await createTenant("revoking")
  const path = `/api/v1/tenants/${tenantId}/tokens`
  const issue = async (roles: string[], issuer?: string) => {
    const body = { subject: "app", roles, ...(roles.includes("reader") ? { environment: "QA" } : {}) }
    const made = await hotswap.call<{ token: string; tokenId: string }>("POST", path, {
      body,
      ...(issuer ? { token: issuer } : {}),
    })
    expect(made.status).toBe(201)
    return made.body
  }
  const admin = await issue(["tenant_admin"])
  const issued = await issue(["reader"], admin.token)
  const view = `/api/v1/configs/tenant/${tenantId}?environment=QA`
  const statusOf = async (bearer: string) => (await hotswap.call("GET", view, { token: bearer })).status
  for (const bearer of [token, issued.token, admin.token]) expect(await statusOf(bearer)).toBe(200)
  const revoked = await hotswap.call("DELETE", `${path}/${admin.tokenId}?cascade=true`)
  expect(revoked.status).toBe(200)
  await expect.poll(() => statusOf(issued.token), PATIENTLY).toBe(401)
  await expect.poll(() => statusOf(admin.token), PATIENTLY).toBe(401)
  expect((await hotswap.call("GET", `/api/v1/tenants/${tenantId}`, { token: admin.token })).status).toBe(401)
  expect(await read()).toMatchObject({ configs: { k: "old" } })
})
