import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import type { ReaderKeys, RunningEdge } from "../../support/edge.ts"
import { createReaderKeys, PATIENTLY, startEdge } from "../../support/edge.ts"
import { type ScriptedOrigin, startOrigin } from "../../support/scripted-origin.ts"

/** Older than any bound, so that the next read has to ask the origin. */
const OLD_MS = 100_000
const MODES = ["down", "failing", "wrong", "slow"] as const

let origin: ScriptedOrigin
let keys: ReaderKeys
let token: string
let directory: string
const running: RunningEdge[] = []

const start = async (kept: { cache: boolean; kv: boolean }): Promise<RunningEdge> => {
  const edge = await startEdge({
    origin: origin.url,
    jwks: keys.jwks,
    deadlineMs: 1_000,
    ...(kept.cache ? { cacheDirectory: join(directory, "cache") } : {}),
    ...(kept.kv ? { kvDirectory: join(directory, "kv") } : {}),
  })
  running.push(edge)
  return edge
}

beforeAll(async () => {
  keys = await createReaderKeys()
  token = await keys.issue()
})
beforeEach(async () => {
  origin = await startOrigin()
  directory = await mkdtemp(join(tmpdir(), "hotswap-edge-"))
})
afterEach(async () => {
  for (const edge of running.splice(0)) await edge.dispose()
  await origin.close()
  await rm(directory, { recursive: true, force: true })
})
afterAll(() => expect(running).toEqual([]))

const PATH = "/api/v1/configs/tenant/acme"
const read = async (edge: RunningEdge, query = "") => {
  const response = await edge.get(PATH + query, token)
  const { configs, revision, code, arm } = (await response.json()) as Record<string, unknown>
  return {
    status: response.status,
    configs,
    revision,
    code,
    arm,
    stale: response.headers.get("hotswap-stale"),
  }
}
const breakOrigin = (mode: (typeof MODES)[number]) => {
  if (mode === "slow") origin.holds("/internal/")
  else origin.mode = mode
}
const isKept = async (edge: RunningEdge, revision: string): Promise<boolean> => {
  const kept = await edge.lastKnownGood()
  return kept.get("acme/Production")?.includes(`"revision":"${revision}"`) ?? false
}

describe.each(MODES)("with the origin %s", (mode) => {
  test("the last known good is served from memory, and its age is told", async () => {
    const edge = await start({ cache: false, kv: false })
    origin.says({ configs: { a: 1 }, ageMs: OLD_MS })
    await read(edge)
    breakOrigin(mode)
    for (let i = 0; i < 3; i++) {
      const answer = await read(edge)
      expect(answer).toMatchObject({ status: 200, configs: { a: 1 } })
      expect(Number(answer.stale)).toBeGreaterThanOrEqual(OLD_MS / 1_000)
    }
    const known = await edge.get(PATH, token, { headers: { "if-none-match": "*" } })
    expect(known.status).toBe(304)
    expect(Number(known.headers.get("hotswap-stale"))).toBeGreaterThanOrEqual(OLD_MS / 1_000)
  })

  test("a Worker without memory serves it from the Cache API, and one without that from KV, to who may read it; of what nothing is known there is 503", async () => {
    const first = await start({ cache: true, kv: true })
    origin.says({ configs: { a: 1 }, ageMs: OLD_MS, revision: "1.0.0.5" })
    await read(first)
    await expect.poll(() => isKept(first, "1.0.0.5"), PATIENTLY).toBe(true)
    await first.dispose()
    breakOrigin(mode)
    for (const kept of [
      { cache: true, kv: false },
      { cache: false, kv: true },
    ]) {
      const wiped = await start(kept)
      for (let i = 0; i < 2; i++) {
        const answer = await read(wiped)
        expect(answer).toMatchObject({ status: 200, configs: { a: 1 }, revision: "1.0.0.5" })
        expect(Number(answer.stale)).toBeGreaterThanOrEqual(OLD_MS / 1_000)
      }
      expect((await read(wiped, "?key=a")).configs).toEqual({ a: 1 })
      expect((await wiped.get(PATH, `${token.slice(0, -8)}AAAAAAAA`)).status).toBe(401)
      const other = await keys.issue({ tenants: ["globex"] as never })
      expect((await wiped.get(PATH, other)).status).toBe(404)
      const unknown = await wiped.get("/api/v1/configs/tenant/unknown", token)
      expect([unknown.status, await unknown.json()]).toMatchObject([503, { code: "ORIGIN_UNAVAILABLE" }])
    }
  })
})

test("a large view and its single keys outlive origin, memory and cache", async () => {
  const configs = Object.fromEntries(Array.from({ length: 4_000 }, (_, i) => [`k${i}`, "x".repeat(100) + i]))
  const first = await start({ cache: true, kv: true })
  origin.says({ configs, ageMs: OLD_MS })
  expect((await read(first, "?key=k1")).status).toBe(200)
  await expect.poll(() => isKept(first, "1.0.0.1"), PATIENTLY).toBe(true)
  await first.dispose()
  origin.mode = "down"
  for (const kept of [
    { cache: true, kv: false },
    { cache: false, kv: true },
  ]) {
    const wiped = await start(kept)
    expect((await read(wiped, "?key=k2000")).configs).toEqual({ k2000: configs.k2000 })
    expect((await read(wiped)).configs).toEqual(configs)
  }
})

test("where only the stable view was kept, the candidate's readers are given that", async () => {
  const first = await start({ cache: false, kv: true })
  origin.says({ configs: { a: 1 }, candidate: { configs: { a: 2 }, weightBp: 10_000 }, ageMs: OLD_MS })
  expect((await read(first)).arm).toBe("candidate")
  await expect.poll(() => isKept(first, "1.0.0.1"), PATIENTLY).toBe(true)
  await first.dispose()
  origin.mode = "down"
  const wiped = await start({ cache: false, kv: true })
  expect(await read(wiped)).toMatchObject({ status: 200, arm: "stable", configs: { a: 1 } })
  const both = await wiped.get(`${PATH}?arms=both`, token)
  expect(await both.json()).toMatchObject({ configs: { a: 1 }, candidate: null })
})

test("where nothing is known, a reader waits longer than where something is", async () => {
  const edge = await start({ cache: false, kv: false })
  origin.says({ tenantId: "known", ageMs: 14_900 })
  origin.says({ tenantId: "unknown", configs: { a: 1 } })
  const readOf = (tenantId: string) => edge.get(`/api/v1/configs/tenant/${tenantId}`, token)
  await readOf("known")
  const hold = origin.holds("/internal/")
  const unknown = readOf("unknown")
  await hold.arrived
  // Told only once a deadline is over that began after the other reader's.
  const stale = async () => (await readOf("known")).headers.get("hotswap-stale")
  await expect.poll(stale, PATIENTLY).not.toBeNull()
  hold.release()
  const answer = await unknown
  expect([answer.status, await answer.json()]).toMatchObject([200, { configs: { a: 1 } }])
})

test("the origin's return ends it", async () => {
  const edge = await start({ cache: false, kv: false })
  origin.says({ configs: { a: 1 }, ageMs: OLD_MS })
  await read(edge)
  origin.mode = "down"
  expect((await read(edge)).stale).not.toBeNull()
  origin.mode = "up"
  origin.says({ configs: { a: 2 }, revision: "1.0.0.2" })
  await expect.poll(() => read(edge), PATIENTLY).toMatchObject({ configs: { a: 2 }, stale: null })
})

test("what is older than a day is not told", async () => {
  const first = await start({ cache: true, kv: true })
  origin.says({ configs: { a: 1 }, ageMs: 25 * 3_600_000 })
  await read(first)
  origin.mode = "down"
  expect((await read(first)).status).toBe(503)
  await first.dispose()
  expect((await read(await start({ cache: true, kv: true }))).status).toBe(503)
})

describe("never backwards", () => {
  test("an origin that tells an older revision is not followed", async () => {
    const edge = await start({ cache: false, kv: false })
    origin.says({ configs: { a: 2 }, revision: "1.0.0.2", ageMs: 14_000 })
    await read(edge)
    for (const revision of ["1.0.0.1", "0.9.9.9", "1.0.0.0"]) {
      origin.says({ configs: { a: 1 }, revision })
      const asked = origin.paths("/internal/pointer/").length
      await expect
        .poll(async () => {
          expect(await read(edge)).toMatchObject({ revision: "1.0.0.2", configs: { a: 2 } })
          return origin.paths("/internal/pointer/").length
        }, PATIENTLY)
        .toBeGreaterThan(asked)
      expect(await read(edge)).toMatchObject({ revision: "1.0.0.2", configs: { a: 2 } })
    }
  })

  test("nor does an older one replace what the Cache API and KV hold", async () => {
    const first = await start({ cache: true, kv: true })
    origin.says({ configs: { a: 2 }, revision: "1.0.0.2", ageMs: OLD_MS })
    await read(first)
    await expect.poll(() => isKept(first, "1.0.0.2"), PATIENTLY).toBe(true)
    await first.dispose()

    origin.says({ configs: { a: 1 }, revision: "1.0.0.1" })
    const second = await start({ cache: true, kv: true })
    expect(await read(second)).toMatchObject({ revision: "1.0.0.2", configs: { a: 2 } })
    await second.dispose()

    // Without the Cache API nothing tells this Worker what was there; KV keeps its own.
    const third = await start({ cache: false, kv: true })
    expect(await read(third)).toMatchObject({ revision: "1.0.0.1" })
    // What was asked for later is kept by now, so what was asked for first has been judged.
    origin.says({ tenantId: "later" })
    await third.get("/api/v1/configs/tenant/later", token)
    await expect.poll(async () => (await third.lastKnownGood()).has("later/Production"), PATIENTLY).toBe(true)
    await third.dispose()
    const last = await start({ cache: false, kv: true })
    origin.mode = "down"
    expect(await read(last)).toMatchObject({ revision: "1.0.0.2", configs: { a: 2 } })
  })

  test("an origin that dies between pointer and view leaves the revision before whole", async () => {
    const edge = await start({ cache: false, kv: false })
    origin.says({ configs: { a: 1 }, ageMs: OLD_MS })
    await read(edge)
    const { stable } = origin.says({ configs: { a: 2 }, revision: "1.0.0.2" })
    origin.answers(`/internal/view/acme/Production/${stable}`, (request) => request.socket.destroy())
    await expect
      .poll(async () => {
        expect(await read(edge)).toMatchObject({ status: 200, configs: { a: 1 }, revision: "1.0.0.1" })
        return origin.paths("/internal/view/").length
      }, PATIENTLY)
      .toBeGreaterThan(1)
  })
})

describe("a wrong answer is no answer", () => {
  test("a view whose text is not what its name hashes is neither served nor kept", async () => {
    const edge = await start({ cache: false, kv: false })
    const { stable } = origin.says({ configs: { a: 1 } })
    origin.answers(
      `/internal/view/acme/Production/${stable}`,
      (_, response) => void response.end('{"a":666}'),
    )
    expect((await read(edge)).status).toBe(503)
  })

  test("another tenant's pointer is not taken", async () => {
    const edge = await start({ cache: false, kv: false })
    origin.says({ tenantId: "globex", configs: { a: "theirs" } })
    origin.answers("/internal/pointer/acme/Production", (_, response) => {
      response.writeHead(307, { location: `${origin.url}/internal/pointer/globex/Production` }).end()
    })
    expect((await read(edge)).status).toBe(503)
  })

  test("a tenant is gone only when the origin says so in its own words", async () => {
    const edge = await start({ cache: false, kv: false })
    origin.says({ configs: { a: 1 }, ageMs: OLD_MS })
    await read(edge)
    let code = "ROUTE_UNKNOWN"
    let told = 0
    origin.answers("/internal/pointer/acme/Production", (_, response) => {
      response.writeHead(404).end(JSON.stringify({ code }))
      told++
    })
    await expect
      .poll(async () => {
        expect(await read(edge)).toMatchObject({ status: 200, configs: { a: 1 } })
        return told
      }, PATIENTLY)
      .toBeGreaterThan(1)
    code = "TENANT_NOT_FOUND"
    await expect.poll(() => read(edge), PATIENTLY).toMatchObject({ status: 404, code: "TENANT_NOT_FOUND" })
    origin.mode = "down"
    expect((await read(edge)).status).toBe(503)
  })
})

test("a view that the origin has dropped makes the edge ask for the pointer again", async () => {
  const edge = await start({ cache: false, kv: false })
  const configs = Object.fromEntries(Array.from({ length: 4_000 }, (_, i) => [`k${i}`, "x".repeat(100)]))
  const { stable } = origin.says({ configs })
  const path = `/internal/view/acme/Production/${stable}`
  for (const dropped of [path, ...Array.from({ length: 2 ** Number(stable[0]) }, (_, i) => `${path}/${i}`)])
    origin.answers(dropped, (_, response) => {
      origin.says({ configs: { k2: "new" }, revision: "1.0.0.2" })
      response.writeHead(404).end('{"code":"VIEW_NOT_FOUND"}')
    })
  expect(await read(edge, "?key=k2")).toMatchObject({ revision: "1.0.0.2", configs: { k2: "new" } })
})
