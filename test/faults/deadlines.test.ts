import { monitorEventLoopDelay } from "node:perf_hooks"
import { exportJWK, generateKeyPair } from "jose"
import postgres from "postgres"
import { afterAll, beforeAll, expect, test } from "vitest"
import { createManage } from "../../functions/manage/manage.ts"
import { createOutcomes } from "../../functions/outcomes/outcomes.ts"
import { composeManage } from "../../functions/platform/compose-manage.ts"
import { composeOutcomes } from "../../functions/platform/compose-outcomes.ts"
import { composeRead } from "../../functions/platform/compose-read.ts"
import { createRead } from "../../functions/read/read.ts"
import { type FaultyWire, startFaultyWire } from "../support/faults.ts"
import { CONTEXT, eventOf } from "../support/function-events.ts"
import { freshDatabase, type TestDatabase } from "../support/postgres.ts"
import { PROMISED_MS } from "./kill-load.ts"

const ADMIN = "admin-token-of-a-test-0123456789abcdef"
const CONFIG = "/api/v1/configs/late:Development:key"
/** More than there are connections, so that some wait for one. */
const EACH = 15
const SAYS_SO = ["DATABASE_UNAVAILABLE", "DEADLINE_EXCEEDED"]

interface Answer {
  status: number
  code: unknown
  token: string
  tookMs: number
}

let database: TestDatabase
let wire: FaultyWire
let admin: postgres.Sql
let readerToken: string
let functions: Awaited<ReturnType<typeof compose>>
beforeAll(async () => {
  database = await freshDatabase()
  wire = await startFaultyWire({ port: Number(new URL(database.url("hotswap_app")).port) })
  admin = postgres(database.url("postgres"), { max: 1, fetch_types: false, onnotice: () => {} })
  functions = await compose()
  await must("/api/v1/tenants", { tenantId: "late", name: "late" })
  await must("/api/v1/configs", { tenantId: "late", environment: "Development", key: "key", value: 1 })
  const reader = { subject: "shop", roles: ["reader"], environment: "Development" }
  readerToken = (await must("/api/v1/tenants/late/tokens", reader)).token
})
afterAll(async () => {
  await functions.close()
  await wire.close()
  await admin.end()
  await database.drop()
})

const compose = async () => {
  const through = (role: "hotswap_app" | "hotswap_read" | "hotswap_system") => {
    const url = new URL(database.url(role))
    url.port = String(wire.port)
    return url.href
  }
  const { privateKey, publicKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true })
  const set = async (key: typeof privateKey) =>
    JSON.stringify({ keys: [{ ...(await exportJWK(key)), kid: "test" }] })
  const variables = {
    DATABASE_URL: through("hotswap_app"),
    DATABASE_READ_URL: through("hotswap_read"),
    DATABASE_SYSTEM_URL: through("hotswap_system"),
    // Nobody is there: what is not cached has to come from PostgreSQL.
    UPSTASH_REDIS_REST_URL: "http://127.0.0.1:1",
    UPSTASH_REDIS_REST_TOKEN: "none",
    HOTSWAP_ADMIN_TOKEN: ADMIN,
    HOTSWAP_EDGE_SECRET: "an-edge-secret-of-a-test",
    HOTSWAP_READER_KEYS: await set(privateKey),
    HOTSWAP_READER_PUBLIC_KEYS: await set(publicKey),
  }
  const quiet = { log: { info: () => {}, warn: () => {}, error: () => {} } }
  const platforms = {
    manage: composeManage(variables, quiet),
    read: composeRead(variables, quiet),
    outcomes: composeOutcomes(variables, quiet),
  }
  return {
    manage: createManage(platforms.manage).handler,
    read: createRead(platforms.read),
    outcomes: createOutcomes(platforms.outcomes),
    close: async () => {
      for (const platform of Object.values(platforms)) {
        await platform.background.settled()
        await platform.close()
      }
    },
  }
}

const ask = async (
  of: "manage" | "read" | "outcomes",
  [method, path, body]: readonly [string, string, unknown?],
  token = ADMIN,
): Promise<Answer> => {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" }
  const event = eventOf(method, path, {
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const startedMs = performance.now()
  const reply = await functions[of](event, CONTEXT)
  const tookMs = performance.now() - startedMs
  const { code, token: issued } = JSON.parse(reply.body) as { code: unknown; token: string }
  return { status: reply.statusCode, code, token: issued, tookMs }
}

const must = async (path: string, body: unknown): Promise<Answer> => {
  const answer = await ask("manage", ["POST", path, body])
  expect(answer.status).toBe(201)
  return answer
}

/** Each kind of request, some more often than there are connections. */
const askAll = async () => {
  const many = (one: () => Promise<Answer>) => Promise.all(Array.from({ length: EACH }, one))
  const report = { revision: "1.0.0.1", arm: "stable", instance: "web-1", seq: 1, ok: 1, errors: 0 }
  const [writes, reports, reads, views] = await Promise.all([
    many(() => ask("manage", ["PUT", CONFIG, { value: Math.random() }])),
    many(() => ask("outcomes", ["POST", "/api/v1/outcomes", { reports: [report] }], readerToken)),
    many(() => ask("manage", ["GET", CONFIG])),
    // Nobody has read these before, so nothing is known of them.
    many(() => ask("read", ["GET", `/api/v1/configs/tenant/unread-${crypto.randomUUID()}?environment=QA`])),
  ])
  return { writes: [...writes, ...reports], reads: [...reads, ...views] }
}

const lock = {
  begin: () => admin.unsafe(`alter database ${database.name} connection limit 0`),
  end: () => admin.unsafe(`alter database ${database.name} connection limit -1`),
}

test.each([
  ["refused", () => wire.set("refused"), () => wire.set("none")],
  ["silent", () => wire.set("silent"), () => wire.set("none")],
  ["slow", () => wire.set("slow"), () => wire.set("none")],
  ["giving half an answer", () => wire.set("cut"), () => wire.set("none")],
  // Those that are open are ended first, as they would go on.
  [
    "at its limit of connections",
    () =>
      lock
        .begin()
        .then(() => wire.set("refused"))
        .then(() => wire.set("none")),
    lock.end,
  ],
] as const)(
  "with PostgreSQL %s each write is answered within 3 seconds, each read within 1, and says so",
  async (_, begin, end) => {
    await begin()
    const stalls = monitorEventLoopDelay({ resolution: 10 })
    stalls.enable()
    const { writes, reads } = await askAll()
    stalls.disable()
    // What keeps this machine from turning to anything is no fault of PostgreSQL's.
    const stalledMs = stalls.max / 1e6
    await end()
    for (const { status, code } of [...writes, ...reads]) {
      expect(status).toBe(503)
      expect(SAYS_SO).toContain(code)
    }
    expect(Math.max(...writes.map(({ tookMs }) => tookMs))).toBeLessThan(PROMISED_MS.write + stalledMs)
    expect(Math.max(...reads.map(({ tookMs }) => tookMs))).toBeLessThan(PROMISED_MS.read + stalledMs)
    // And nothing that is left of it stands in the way.
    await expect
      .poll(async () => (await ask("manage", ["PUT", CONFIG, { value: Math.random() }])).status)
      .toBe(200)
    expect((await ask("manage", ["GET", CONFIG])).status).toBe(200)
  },
)
