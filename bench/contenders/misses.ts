// A read that finds nothing in memory nor in Redis, against the bare call of the function it ends in.
import { generateKeyPairSync } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import postgres from "postgres"
import { migrate } from "../../db/migrate.ts"
import type { FunctionUrlEvent } from "../../functions/http/events.ts"
import { createManage } from "../../functions/manage/manage.ts"
import { composeManage } from "../../functions/platform/compose-manage.ts"
import { composeRead } from "../../functions/platform/compose-read.ts"
import { createRead } from "../../functions/read/read.ts"
import { startPostgres } from "../../local/postgres.ts"
import { startRedis } from "../../local/redis/start.ts"
import { median, pairedRatio, quantile, round } from "../statistics.ts"
import type { Figure } from "../suites/suite.ts"

const TENANTS = 1_000
const KEYS = 20
const ADMIN = "bench-admin-token-0123456789"
const ENVIRONMENT = "Development"

const directory = await mkdtemp(join(tmpdir(), "hotswap-misses-"))
const server = await startPostgres({ directory, durability: "test" })
const { passwords } = server
await migrate(server.url("hotswap_owner"), {
  appPassword: passwords.hotswap_app,
  readPassword: passwords.hotswap_read,
  systemPassword: passwords.hotswap_system,
})
const redis = await startRedis({ token: "bench-redis-token" })

const { privateKey, publicKey } = generateKeyPairSync("ed25519")
const keys = (key: typeof privateKey) =>
  JSON.stringify({ keys: [{ ...key.export({ format: "jwk" }), kid: "bench", alg: "EdDSA", use: "sig" }] })
const hash = (await import("node:crypto")).createHash("sha256").update(ADMIN).digest("hex")
const environment = (redisUrl: string): Record<string, string> => ({
  DATABASE_URL: server.url("hotswap_app"),
  DATABASE_READ_URL: server.url("hotswap_read"),
  DATABASE_SYSTEM_URL: server.url("hotswap_system"),
  UPSTASH_REDIS_REST_URL: redisUrl,
  UPSTASH_REDIS_REST_TOKEN: redis.token,
  HOTSWAP_READER_KEYS: keys(privateKey),
  HOTSWAP_READER_PUBLIC_KEYS: keys(publicKey),
  HOTSWAP_EDGE_SECRET: "bench-edge-secret-0123456789",
  HOTSWAP_ADMIN_TOKEN: ADMIN,
  HOTSWAP_ADMIN_TOKEN_HASH: hash,
})
/** Nothing listens there: after one deadline Redis is left alone, and what is measured is PostgreSQL. */
const NO_REDIS = "http://127.0.0.1:9"

const authorization = `Bearer ${ADMIN}`
const manage = createManage(composeManage(environment(NO_REDIS)))
const post = async (path: string, body: unknown): Promise<void> => {
  const answer = await manage.app.request(path, {
    method: "POST",
    headers: { authorization, "content-type": "application/json" },
    body: JSON.stringify(body),
  })
  if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
}
const tenants = Array.from({ length: TENANTS }, (_, i) => `tenant-${i}`)
for (const tenantId of tenants) {
  await post("/api/v1/tenants", { tenantId, name: tenantId })
  const edits = Array.from({ length: KEYS }, (_, i) => ({
    key: `feature.flag_${i}`,
    value: `${tenantId} ${i}`,
  }))
  await post("/api/v1/changes", { tenantId, environment: ENVIRONMENT, edits })
}

const eventOf = (tenantId: string): FunctionUrlEvent =>
  ({
    version: "2.0",
    rawPath: `/api/v1/configs/tenant/${tenantId}`,
    rawQueryString: `environment=${ENVIRONMENT}`,
    headers: { authorization },
    requestContext: { requestId: "bench", http: { method: "GET", path: "" } },
    isBase64Encoded: false,
  }) as unknown as FunctionUrlEvent

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const started = performance.now()
  await work()
  return (performance.now() - started) * 1_000
}

const sql = postgres(server.url("hotswap_read"), { max: 1, fetch_types: false })
const bare = (tenantId: string) =>
  sql`select kind, id, body from hotswap.read_pointer(${tenantId}, ${ENVIRONMENT}, '[]'::text::jsonb)`

const send = (figure: Figure): void => void process.send!(figure)

const measure = async (name: string, redisUrl: string, goal: boolean): Promise<void> => {
  const platform = composeRead(environment(redisUrl), { log: { info() {}, warn() {}, error() {} } })
  const read = createRead(platform)
  const answer = async (tenantId: string): Promise<void> => {
    const { statusCode, body } = await read(eventOf(tenantId))
    if (statusCode !== 200) throw new Error(`${tenantId}: ${statusCode} ${body}`)
  }
  for (const tenantId of tenants.slice(0, 100)) {
    await bare(tenantId)
    await answer(tenantId)
  }
  gc!()
  const before = process.memoryUsage()
  const misses: number[] = []
  const floor: number[] = []
  for (const tenantId of tenants.slice(100)) {
    floor.push(await timed(() => bare(tenantId)))
    misses.push(await timed(() => answer(tenantId)))
  }
  await platform.background.settled()
  gc!()
  const after = process.memoryUsage()
  const ratio = round(pairedRatio(misses, floor))
  send({
    suite: "read",
    name,
    values: {
      ratio,
      p50Micros: Math.round(median(misses)),
      p99Micros: Math.round(quantile(misses, 0.99)),
      bareP50Micros: Math.round(median(floor)),
      bareP99Micros: Math.round(quantile(floor, 0.99)),
    },
    ...(goal
      ? { goal: { text: "≤ 1.3 × one bare function call under row-level security", met: ratio <= 1.3 } }
      : {}),
  })
  if (goal)
    send({
      suite: "read",
      name: `memory of ${TENANTS} warm tenants of ${KEYS} keys`,
      values: {
        heapMb: round(((after.heapUsed - before.heapUsed) / 2 ** 20 / (TENANTS - 100)) * TENANTS, 1),
        residentMb: round(after.rss / 2 ** 20, 0),
      },
    })
  await platform.close()
}

await measure("miss to PostgreSQL, Redis left alone", NO_REDIS, true)
await measure("miss in Redis, then PostgreSQL", redis.url, false)

await sql.end()
await redis.stop()
await server.stop()
await rm(directory, { recursive: true, force: true })
process.exit(0)
