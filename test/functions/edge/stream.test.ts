import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import type { TenantId } from "../../../core/ids.ts"
import type { Json } from "../../../core/json.ts"
import { type RunningRedis, startRedis } from "../../../local/redis/start.ts"
import type { ReaderKeys, RunningEdge } from "../../support/edge.ts"
import { createReaderKeys, PATIENTLY, startEdge } from "../../support/edge.ts"
import { type RedisProxy, startRedisProxy } from "../../support/redis-proxy.ts"
import { type ScriptedOrigin, startOrigin } from "../../support/scripted-origin.ts"
import { connectStream, type StreamReader } from "../../support/stream.ts"

let origin: ScriptedOrigin
let redis: RunningRedis
let proxy: RedisProxy
let keys: ReaderKeys
let edge: RunningEdge
const streams: StreamReader[] = []

beforeAll(async () => {
  origin = await startOrigin()
  redis = await startRedis()
  proxy = await startRedisProxy(redis)
  keys = await createReaderKeys()
  edge = await startEdge({
    origin: origin.url,
    jwks: keys.jwks,
    redis: proxy,
    bindings: { STREAM_HUBS: "1" },
  })
})
afterAll(async () => {
  await edge?.dispose()
  await proxy?.close()
  await redis?.stop()
  await origin?.close()
})

afterEach(() => {
  for (const stream of streams.splice(0)) stream.close()
})

const readerOf = (tenantId: string, claims = {}) => keys.issue({ tenants: [tenantId as TenantId], ...claims })

const connect = async (token?: string, headers = {}, query = "", at = edge): Promise<StreamReader> => {
  const stream = await connectStream(`${at.url}/api/v1/stream${query}`, token, headers)
  streams.push(stream)
  return stream
}

/**
 * Connected to the hub as well, so that what is published from now on arrives: the Worker asks where things are, and
 * again once the hub listens. For a tenant of its own.
 */
const listen = async (tenantId: string, headers = {}): Promise<StreamReader> => {
  const stream = await connect(await readerOf(tenantId), headers)
  expect(stream.status).toBe(200)
  await expect.poll(() => origin.paths(`/internal/pointer/${tenantId}/`).length, PATIENTLY).toBeGreaterThan(1)
  return stream
}

const revisionReadBy = async (tenantId: string, headers = {}) => {
  const answer = await edge.get(`/api/v1/configs/tenant/${tenantId}`, await readerOf(tenantId), { headers })
  return ((await answer.json()) as { revision: string }).revision
}

/** Moves a tenant so that only a message can bring it to the edge, and hears of it on these streams. */
const hear = async (listening: readonly StreamReader[], tenantId: string, revision: string) => {
  const script = { tenantId, revision, configs: { at: revision } }
  origin.says({ ...script, toWhoKnows: true })
  await proxy.publish(tenantId, { revision })
  const told = await Promise.all(listening.map((stream) => stream.next()))
  expect(new Set(told.map((event) => event?.id))).toEqual(new Set([revision]))
  origin.says(script)
}

describe("whoever connects", () => {
  test("is told where things are, and how to come back", async () => {
    origin.says({ tenantId: "new", revision: "1.0.0.7" })
    const stream = await connect(await readerOf("new"), {}, "?environment=production")
    expect(stream.headers.get("content-type")).toBe("text/event-stream; charset=utf-8")
    expect(stream.headers.get("cache-control")).toContain("no-store")
    expect(await stream.next()).toEqual({
      type: "tenant_config",
      id: "1.0.0.7",
      data: { revision: "1.0.0.7" },
    })
    expect(stream.retryMs()).toBeGreaterThanOrEqual(1_000)
  })

  test("having heard the latest hears nothing until something moves", async () => {
    origin.says({ tenantId: "resumed", revision: "1.0.0.7" })
    const stream = await listen("resumed", { "last-event-id": "1.0.0.7" })
    await hear([stream], "resumed", "1.0.0.8")
    expect(stream.events).toHaveLength(1)
  })

  test("having heard something older hears of the latest at once", async () => {
    origin.says({ tenantId: "behind", revision: "1.0.0.7" })
    const stream = await connect(await readerOf("behind"), { "last-event-id": "1.0.0.5" })
    expect((await stream.next())?.id).toBe("1.0.0.7")
  })

  test("having heard something newer than the edge knows is never told anything older", async () => {
    origin.says({ tenantId: "ahead", revision: "1.0.0.7" })
    expect(await revisionReadBy("ahead")).toBe("1.0.0.7")
    origin.says({ tenantId: "ahead", revision: "1.0.0.9" })
    const stream = await listen("ahead", { "last-event-id": "1.0.0.9" })
    expect(await revisionReadBy("ahead")).toBe("1.0.0.9")
    await hear([stream], "ahead", "1.0.0.10")
    expect(stream.events).toHaveLength(1)
  })
})

describe("a move", () => {
  test("is told to a hundred streams over one subscription and with one question, and whoever reads then has it", async () => {
    origin.says({ tenantId: "crowd", revision: "1.0.0.1" })
    const token = await readerOf("crowd")
    const first = await listen("crowd")
    const { total } = proxy.subscriptions()
    const crowd = [first, ...(await Promise.all(Array.from({ length: 99 }, () => connect(token))))]
    for (const stream of crowd) expect((await stream.next())?.id).toBe("1.0.0.1")
    // Whoever came last hears of the first by looking, all of the second by the message.
    origin.says({ tenantId: "crowd", revision: "1.0.0.2" })
    await proxy.publish("crowd", { revision: "1.0.0.2" })
    for (const stream of crowd) expect((await stream.next())?.id).toBe("1.0.0.2")
    await hear(crowd, "crowd", "1.0.0.3")
    expect(await revisionReadBy("crowd")).toBe("1.0.0.3")
    expect(origin.paths("/internal/pointer/crowd/Production?atLeast=1.0.0.3")).toHaveLength(1)
    expect(proxy.subscriptions()).toEqual({ open: 1, total })
  })

  test("of another tenant or environment is not told", async () => {
    for (const tenantId of ["mine", "theirs"]) origin.says({ tenantId, revision: "1.0.0.1" })
    const [mine, theirs] = [await listen("mine"), await listen("theirs")]
    for (const stream of [mine, theirs]) await stream.next()
    await proxy.publish("theirs", { revision: "1.0.0.5", environment: "Staging" })
    await hear([theirs], "theirs", "1.0.0.2")
    await hear([mine], "mine", "1.0.0.3")
    expect([mine.events.length, theirs.events.length]).toEqual([2, 2])
    expect(origin.paths("/internal/pointer/theirs/Production?atLeast=1.0.0.5")).toEqual([])
    expect(origin.paths("/internal/pointer/mine/Production?atLeast=1.0.0.2")).toEqual([])
  })

  test("of the platform is told to everybody as one, with each tenant's own revision", async () => {
    origin.says({ tenantId: "below", revision: "1.4.0.9" })
    const stream = await listen("below")
    await stream.next()
    origin.says({ tenantId: "below", revision: "1.5.0.9", toWhoKnows: true })
    await proxy.publish("~platform", { type: "global_config", revision: "1.5.0.0" })
    expect(await stream.next()).toMatchObject({ type: "global_config", id: "1.5.0.9" })
  })

  test("of a tier is told to its tenants, and asked for on behalf of no other", async () => {
    origin.says({ tenantId: "of-pro", revision: "1.0.2.1", tier: "Pro" })
    origin.says({ tenantId: "of-free", revision: "1.0.1.1", tier: "Free" })
    const [pro] = [await listen("of-pro"), await listen("of-free")]
    await pro.next()
    origin.says({ tenantId: "of-pro", revision: "1.0.3.1", tier: "Pro", toWhoKnows: true })
    await proxy.publish("~tier.Pro", { type: "global_config", revision: "1.0.3.0" })
    expect(await pro.next()).toMatchObject({ type: "global_config", id: "1.0.3.1" })
    expect(origin.paths("/internal/pointer/of-pro/").join()).toContain("atLeast=1.0.3.0")
    expect(origin.paths("/internal/pointer/of-free/").join()).not.toContain("atLeast")
  })

  test("of flags is told as that besides, and of anything else is not", async () => {
    const flag = (state: string) => ({ state, variants: { on: true }, defaultVariant: "on" })
    const says = (revision: string, configs: Record<string, Json>, toWhoKnows = true) =>
      origin.says({ tenantId: "flagged", revision, configs, toWhoKnows })
    says("1.0.0.1", { a: 1, new: flag("ENABLED") }, false)
    const stream = await listen("flagged")
    await stream.next()
    says("1.0.0.2", { a: 1, new: flag("DISABLED") })
    await proxy.publish("flagged", { revision: "1.0.0.2" })
    const told = [await stream.next(), await stream.next()]
    expect(told.map((event) => [event?.type, event?.id])).toEqual([
      ["tenant_config", "1.0.0.2"],
      ["feature_flag", "1.0.0.2"],
    ])
    says("1.0.0.3", { a: 2, new: flag("DISABLED") })
    await proxy.publish("flagged", { revision: "1.0.0.3" })
    expect((await stream.next())?.id).toBe("1.0.0.3")
    says("1.0.0.4", { a: 2 })
    await proxy.publish("flagged", { revision: "1.0.0.4" })
    expect([(await stream.next())?.id, (await stream.next())?.type]).toEqual(["1.0.0.4", "feature_flag"])
    expect(stream.events).toHaveLength(6)
  })

  test("is told with what changed by it to who asks for that, as long as it is short", async () => {
    const says = (revision: string, configs: Record<string, Json>, candidate?: Record<string, Json>) =>
      origin.says({
        tenantId: "stepping",
        revision,
        configs,
        toWhoKnows: true,
        ...(candidate ? { candidate: { configs: candidate, weightBp: 1_000 } } : {}),
      })
    const one = origin.says({ tenantId: "stepping", revision: "1.0.0.1", configs: { a: 1, b: 2 } })
    const plain = await listen("stepping")
    const stream = await connect(await readerOf("stepping"), {}, "?with=changes")
    for (const each of [plain, stream]) await each.next()
    const move = async (revision: string): Promise<unknown> => {
      await proxy.publish("stepping", { revision })
      expect((await plain.next())?.data).toEqual({ revision })
      return (await stream.next())?.data
    }
    const two = says("1.0.0.2", { b: 3, c: [4] })
    const poll = "10;stream=30"
    const step = {
      from: one.stable,
      view: two.stable,
      poll,
      set: { b: 3, c: [4] },
      unset: ["a"],
      candidate: null,
    }
    expect(await move("1.0.0.2")).toEqual({ revision: "1.0.0.2", ...step })
    const three = says("1.0.0.3", { b: 3, c: [4] }, { b: 3, d: 5 })
    expect(await move("1.0.0.3")).toMatchObject({
      from: two.stable,
      view: two.stable,
      set: {},
      unset: [],
      candidate: { view: three.candidate, weightBp: 1_000, set: { d: 5 }, unset: ["c"] },
    })
    says("1.0.0.4", { b: "long".repeat(5_000) })
    expect(await move("1.0.0.4")).toEqual({ revision: "1.0.0.4" })
  })

  test("that did not happen is told to all who are to look again, once the origin has looked further than its memory", async () => {
    for (const tenantId of ["again", "beside"]) origin.says({ tenantId, revision: "1.0.0.7" })
    const [stream, other] = [await listen("again"), await listen("beside")]
    for (const one of [stream, other]) await one.next()
    await proxy.publish("again", { type: "feature_flag", revision: "1.0.0.7", reload: true })
    expect(await stream.next()).toEqual({
      type: "feature_flag",
      id: "1.0.0.7",
      data: { revision: "1.0.0.7", reload: true },
    })
    expect(origin.paths("/internal/pointer/again/Production?maxAgeMs=")).toHaveLength(1)
    await proxy.publish("~platform", { type: "global_config", revision: "1.0.0.0", reload: true })
    for (const one of [stream, other])
      expect(await one.next()).toMatchObject({ type: "global_config", id: "1.0.0.7" })
    expect(stream.events.length + other.events.length).toBe(5)
  })

  test("that was lost with Redis is told once Redis is back", async () => {
    origin.says({ tenantId: "missed", revision: "1.0.0.1" })
    const stream = await listen("missed")
    await stream.next()
    proxy.set("down")
    await expect.poll(() => proxy.subscriptions().open, PATIENTLY).toBe(0)
    origin.says({ tenantId: "missed", revision: "1.0.0.2" })
    await proxy.publish("missed", { revision: "1.0.0.2" })
    proxy.set("up")
    expect((await stream.next())?.id).toBe("1.0.0.2")
    await hear([stream], "missed", "1.0.0.3")
  })

  test("is told with Redis dead, too", async () => {
    origin.says({ tenantId: "quiet", revision: "1.0.0.1", moving: true })
    const alone = await startEdge({
      origin: origin.url,
      jwks: keys.jwks,
      redis: { url: "http://127.0.0.1:1", token: "none" },
    })
    try {
      const stream = await connect(await readerOf("quiet"), {}, "", alone)
      await stream.next()
      origin.says({ tenantId: "quiet", revision: "1.0.0.2", moving: true })
      expect((await stream.next())?.id).toBe("1.0.0.2")
    } finally {
      await alone.dispose()
    }
  })

  test("that a client was told of elsewhere is waited for when it says so", async () => {
    origin.says({ tenantId: "told", revision: "1.0.0.1" })
    expect(await revisionReadBy("told")).toBe("1.0.0.1")
    origin.says({ tenantId: "told", revision: "1.0.0.2" })
    expect(await revisionReadBy("told", { "hotswap-at-least": "1.0.0.2" })).toBe("1.0.0.2")
    const asked = () => origin.paths("/internal/pointer/told/").length
    const before = asked()
    // Nobody knows of it: it is looked for once, and costs no reader his answer.
    for (let i = 0; i < 3; i++)
      expect(await revisionReadBy("told", { "hotswap-at-least": "1.0.0.99" })).toBe("1.0.0.2")
    expect(await revisionReadBy("told", { "hotswap-at-least": "the latest" })).toBe("1.0.0.2")
    expect(asked() - before).toBeLessThanOrEqual(2)
  })
})

describe("a stream is refused", () => {
  const refusal = async (token?: string, headers = {}, query = "", at = edge) => {
    const response = await at.get(`/api/v1/stream${query}`, token, { headers })
    const { code } = (await response.json()) as { code: string }
    expect(response.headers.get("content-type")).toBe("application/problem+json; charset=utf-8")
    return { status: response.status, code }
  }
  const named = (tenantId: string) => ({ "x-tenant-id": tenantId })

  test("to whoever is no reader of that tenant and environment, without asking a function", async () => {
    const mine = await readerOf("acme")
    const many = await keys.issue({ tenants: ["acme", "globex"] as never })
    expect(await refusal()).toEqual({ status: 401, code: "UNAUTHENTICATED" })
    expect(await refusal(`${mine}x`)).toEqual({ status: 401, code: "UNAUTHENTICATED" })
    expect(await refusal(await (await createReaderKeys("rotated")).issue())).toMatchObject({ status: 401 })
    expect(await refusal("hs_acme_0123_abc")).toEqual({ status: 403, code: "FORBIDDEN" })
    expect(await refusal(mine, named("globex"))).toEqual({ status: 404, code: "TENANT_NOT_FOUND" })
    expect(await refusal(many)).toEqual({ status: 400, code: "TENANT_UNNAMED" })
    expect(await refusal(mine, {}, "?environment=QA")).toEqual({ status: 403, code: "FORBIDDEN" })
    expect(await refusal(mine, {}, "?environment=Moon")).toMatchObject({ code: "ENVIRONMENT_UNKNOWN" })
    expect(await refusal(mine, {}, "?environment=")).toEqual({ status: 400, code: "QUERY_INVALID" })
    expect(await refusal(mine, {}, "?environment=QA&environment=QA")).toMatchObject({ status: 400 })
    expect(await refusal(mine, {}, "?with=everything")).toEqual({ status: 400, code: "QUERY_INVALID" })
    for (const path of ["/api/v1/stream", "/internal/pointer/acme/", "/internal/pointer/globex/"])
      expect(origin.paths(path)).toEqual([])
  })

  test("to a revoked token, of a suspended tenant, and of one that is not there", async () => {
    const tokenId = "acme:tok_00000000000070008000000000000007"
    origin.says({ tenantId: "strict", revoked: [tokenId] })
    expect(await refusal(await readerOf("strict", { tokenId }))).toMatchObject({ status: 401 })
    origin.says({ tenantId: "suspended", status: "suspended" })
    expect(await refusal(await readerOf("suspended"))).toEqual({ status: 403, code: "TENANT_SUSPENDED" })
    expect(await refusal(await readerOf("nobody"))).toEqual({ status: 404, code: "TENANT_NOT_FOUND" })
  })

  test("where too many are open, which leaves those that are", async () => {
    origin.says({ tenantId: "full", revision: "1.0.0.1" })
    const small = await startEdge({ origin: origin.url, jwks: keys.jwks, bindings: { STREAMS_MAX: "2" } })
    try {
      const token = await readerOf("full")
      const open = [await connect(token, {}, "", small), await connect(token, {}, "", small)]
      expect(await refusal(token, {}, "", small)).toEqual({ status: 503, code: "STREAMS_TOO_MANY" })
      const third = await small.get("/api/v1/stream", token)
      expect(third.headers.get("retry-after")).toBe("30")
      for (const stream of open) expect((await stream.next())?.id).toBe("1.0.0.1")
    } finally {
      await small.dispose()
    }
  })
})

test("a reader of many tenants names the one to hear of", async () => {
  for (const tenantId of ["one", "two"]) origin.says({ tenantId, revision: "1.0.0.1" })
  origin.says({ tenantId: "two", revision: "1.0.0.2" })
  const token = await keys.issue({ tenants: ["one", "two"] as never })
  const stream = await connect(token, { "x-tenant-id": "two" })
  expect((await stream.next())?.id).toBe("1.0.0.2")
})

test("a stream ends when its token is revoked, and another's goes on", async () => {
  const tokenId = "acme:tok_00000000000070008000000000000008"
  origin.says({ tenantId: "ending", revision: "1.0.0.1", moving: true })
  const stream = await connect(await readerOf("ending", { tokenId }))
  const other = await listen("ending")
  origin.says({ tenantId: "ending", revision: "1.0.0.1", moving: true, revoked: [tokenId] })
  await stream.ended
  await other.next()
  await hear([other], "ending", "1.0.0.2")
})

test("the answers that the edge gives by itself tell a browser to run and embed nothing", async () => {
  for (const path of ["/health", "/api/v1/stream"]) {
    const { headers } = await edge.get(path)
    expect(headers.get("content-security-policy")).toContain("default-src 'none'")
    expect(headers.get("x-content-type-options")).toBe("nosniff")
    expect(headers.get("x-frame-options")).toBe("DENY")
  }
})
