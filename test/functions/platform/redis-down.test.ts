import { once } from "node:events"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, describe, expect, test } from "vitest"
import type { Environment } from "../../../core/environment.ts"
import type { TenantId } from "../../../core/ids.ts"
import { createBackground } from "../../../functions/platform/background.ts"
import { REST_MS } from "../../../functions/platform/breaker.ts"
import { CacheUnavailable, createCache } from "../../../functions/platform/cache.ts"
import { restSender } from "../../../functions/platform/redis-rest.ts"
import { upstashSender } from "../../../functions/platform/redis-upstash.ts"
import { acmeWorld, VIEW } from "../read/world.ts"
import { handClock, silentLog } from "./fakes.ts"

const ACME = "acme-corp" as TenantId
const STAGING = "Staging" as Environment

/** What a Redis front does with a request: nothing for ever, or something wrong at once. */
type Behaviour = "silent" | "nothing kept" | "error status" | "not JSON" | "too few replies" | "refuses"

const ANSWERS: Record<Exclude<Behaviour, "silent">, [number, string]> = {
  "nothing kept": [200, JSON.stringify([{ result: null }, { result: [null, null, null, null] }])],
  "error status": [500, '{"error":"broken"}'],
  "not JSON": [200, "<html>"],
  "too few replies": [200, "[]"],
  refuses: [200, '[{"error":"WRONGTYPE"},{"error":"WRONGTYPE"}]'],
}

let server: Server | null = null
afterEach(async () => {
  server?.closeAllConnections()
  if (server?.listening) {
    server.close()
    await once(server, "close")
  }
  server = null
})

const front = async (behaviour: Behaviour) => {
  const state = { behaviour, requests: 0 }
  server = createServer((request, response) => {
    state.requests++
    request.resume()
    if (state.behaviour === "silent") return
    const [status, body] = ANSWERS[state.behaviour]
    response.writeHead(status, { "content-type": "application/json" }).end(body)
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return { state, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

/** Until then a request has arrived on a busy machine, too. */
const cacheOver = (url: string, sender: typeof restSender, deadlineMs = 250) => {
  const clock = handClock()
  const log = silentLog()
  const background = createBackground(log)
  const send = sender({ url, token: "token", deadlineMs })
  const cache = createCache({ send, clock, log, background, ttlSeconds: 300 })
  return { cache, clock, log, background, read: () => cache.readPointer(ACME, STAGING) }
}

describe.each([
  ["plain REST", restSender],
  ["@upstash/redis", upstashSender],
] as const)("a Redis that fails, over %s", (_, sender) => {
  test("does not answer: one caller waits for the deadline, once; nobody after that asks", async () => {
    const { state, url } = await front("silent")
    const { read } = cacheOver(url, sender)
    for (let i = 0; i < 10; i++) await expect(read()).rejects.toThrow(CacheUnavailable)
    expect(state.requests).toBe(1)
  })

  test("is tried again by one probe in the background, for which nobody waits", async () => {
    const { state, url } = await front("silent")
    const { read, clock, background, log } = cacheOver(url, sender)
    await expect(read()).rejects.toThrow(CacheUnavailable)
    clock.advance(REST_MS)
    state.behaviour = "nothing kept"
    await Promise.all(Array.from({ length: 10 }, () => expect(read()).rejects.toThrow(CacheUnavailable)))
    await background.settled()
    expect(state.requests).toBe(2)
    expect(log.lines.map(({ message }) => message)).toContain("Redis failed and is left alone")
  })

  test("is used again once the probe has been answered", async () => {
    const { state, url } = await front("silent")
    // Long enough for a busy machine to answer in, once it answers.
    const { cache, read, clock, background } = cacheOver(url, sender, 500)
    await expect(read()).rejects.toThrow(CacheUnavailable)
    clock.advance(REST_MS)
    ANSWERS["nothing kept"][1] = '[{"result":"PONG"}]'
    state.behaviour = "nothing kept"
    await expect(read()).rejects.toThrow(CacheUnavailable)
    await background.settled()
    await cache.ping()
    ANSWERS["nothing kept"][1] = JSON.stringify([{ result: null }, { result: [null, null, null, null] }])
    expect(await read()).toBeNull()
  })

  test.each(["error status", "not JSON", "too few replies", "refuses"] as const)(
    "answers wrongly (%s): it is not believed",
    async (behaviour) => {
      const { url } = await front(behaviour)
      const { read } = cacheOver(url, sender)
      await expect(read()).rejects.toThrow(CacheUnavailable)
    },
  )

  test("is not there at all: it is asked once, not twice", async () => {
    const { state, url } = await front("silent")
    server?.close()
    const { read } = cacheOver(url, sender)
    for (let i = 0; i < 3; i++) await expect(read()).rejects.toThrow(CacheUnavailable)
    expect(state.requests).toBe(0)
  })

  test("delays no reader more than once, and no reader gets anything wrong", async () => {
    const { state, url } = await front("silent")
    const { cache } = cacheOver(url, sender)
    const world = acmeWorld({ cache })
    const token = await world.reader()
    const first = await world.call(VIEW, token)
    expect(first.statusCode).toBe(200)
    for (let i = 0; i < 5; i++) {
      world.clock.advance(10_000)
      expect(await world.call(VIEW, token)).toEqual(first)
    }
    await world.background.settled()
    expect(state.requests).toBe(1)
  })
})
