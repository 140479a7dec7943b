import { once } from "node:events"
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Redis } from "ioredis"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { TenantId } from "../../../core/ids.ts"
import { createReaderKeys, PATIENTLY, type RunningEdge, startEdge } from "../../support/edge.ts"
import { redisServerBinary, startRedisServer } from "../../support/redis.ts"
import { type ScriptedOrigin, startOrigin } from "../../support/scripted-origin.ts"
import { connectStream, type StreamReader } from "../../support/stream.ts"

const TENANTS = 50
const STREAMS = 200
const HUBS = 4

/** Upstash's pattern subscriptions before a real Redis, each over a connection of its own, so that Redis itself can count them. */
const startFront = async (url: string) => {
  const open = new Set<ServerResponse>()
  const server = createServer((request, response) => {
    const pattern = decodeURIComponent(request.url!.split("/")[2] ?? "")
    const connection = new Redis(url, { retryStrategy: () => null })
    const send = (...parts: string[]) => response.write(`data: ${parts.join(",")}\n\n`)
    open.add(response)
    connection.on("error", () => undefined)
    connection.on("end", () => response.destroy())
    connection.on("pmessage", (_, channel: string, message: string) =>
      send("pmessage", pattern, channel, message),
    )
    response.once("close", () => {
      open.delete(response)
      connection.disconnect()
    })
    response.writeHead(200, { "content-type": "text/event-stream" })
    void connection.psubscribe(pattern).then(() => send("psubscribe", pattern, "1"))
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token: "unasked",
    close: async () => {
      const closed = once(server, "close")
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

const isAway = redisServerBinary() === null && process.env.CI !== "true"
describe.skipIf(isAway)(`${STREAMS} streams of ${TENANTS} tenants`, () => {
  let server: Awaited<ReturnType<typeof startRedisServer>>
  let front: Awaited<ReturnType<typeof startFront>>
  let redis: Redis
  let origin: ScriptedOrigin
  let edge: RunningEdge
  const streams: { tenantId: string; stream: StreamReader }[] = []

  beforeAll(async () => {
    server = await startRedisServer()
    redis = new Redis(server.url)
    front = await startFront(server.url)
    origin = await startOrigin()
    const keys = await createReaderKeys()
    const bindings = { STREAM_HUBS: String(HUBS) }
    edge = await startEdge({ origin: origin.url, jwks: keys.jwks, redis: front, bindings })
    for (let i = 0; i < TENANTS; i++) {
      const tenantId = `tenant-${i}`
      origin.says({ tenantId, revision: "1.1.0.1" })
      const token = await keys.issue({ tenants: [tenantId as TenantId] })
      for (let nth = 0; nth < STREAMS / TENANTS; nth++)
        streams.push({ tenantId, stream: await connectStream(`${edge.url}/api/v1/stream`, token) })
    }
    for (const { stream } of streams) expect((await stream.next())?.id).toBe("1.1.0.1")
  }, 90_000)
  afterAll(async () => {
    for (const { stream } of streams) stream.close()
    await edge?.dispose()
    await origin?.close()
    await front?.close()
    redis?.disconnect()
    await server?.stop()
  })

  /** As Redis counts them: connections that are subscribed to anything, and to how many patterns. */
  const subscribers = async (): Promise<string[]> => {
    const list = String(await redis.call("CLIENT", "LIST", "TYPE", "pubsub"))
    return [...list.matchAll(/ psub=(\d+) /g)].map(([, patterns]) => patterns!)
  }
  const publish = (channel: string, message: Record<string, unknown>) =>
    redis.publish(`hotswap:{${channel}}:events`, JSON.stringify({ environment: "Production", ...message }))

  test("are one subscription for each hub, which hears of everything and tells each what is its own", async () => {
    await expect.poll(subscribers, PATIENTLY).toEqual(new Array(HUBS).fill("1"))
    expect(await redis.pubsub("NUMPAT")).toBe(1)
    origin.says({ tenantId: "tenant-7", revision: "1.1.0.2", toWhoKnows: true })
    expect(await publish("tenant-7", { type: "tenant_config", revision: "1.1.0.2" })).toBe(HUBS)
    const mine = streams.filter(({ tenantId }) => tenantId === "tenant-7")
    for (const { stream } of mine) expect((await stream.next())?.id).toBe("1.1.0.2")
    for (const { tenantId, stream } of streams)
      expect(stream.events.length, tenantId).toBe(tenantId === "tenant-7" ? 2 : 1)
  })

  test("that Redis loses are subscribed for again once for each hub, and have missed nothing", async () => {
    const asked = origin.paths("/internal/pointer/").length
    for (let i = 0; i < TENANTS; i++) origin.says({ tenantId: `tenant-${i}`, revision: "1.2.0.5" })
    await redis.call("CLIENT", "KILL", "TYPE", "pubsub")
    for (const { stream } of streams) expect((await stream.next())?.id).toBe("1.2.0.5")
    await expect.poll(subscribers, PATIENTLY).toEqual(new Array(HUBS).fill("1"))
    // Each tenant is asked for on behalf of all its streams: again when the subscription stands, and by looking.
    expect(origin.paths("/internal/pointer/").length - asked).toBeLessThan(STREAMS)
  })

  test("are told to come back at times of their own, should all be let go at once", () => {
    const times = streams.map(({ stream }) => stream.retryMs()!)
    const bins = new Array<number>(9).fill(0)
    for (const ms of times) bins[Math.floor((ms - 1_000) / 250)]!++
    expect(bins.reduce((sum, count) => sum + count)).toBe(STREAMS)
    // 25 in each on average.
    expect(Math.max(...bins)).toBeLessThan(60)
    expect(bins.slice(0, 8).every((count) => count > 0)).toBe(true)
  })
})
