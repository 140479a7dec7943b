import { createHash, randomUUID } from "node:crypto"
import postgres from "postgres"
import type { Role } from "../../../core/access.ts"
import type { ScopeId } from "../../../core/ids.ts"
import type { Json } from "../../../core/json.ts"
import type { Database } from "../../../db/client.ts"
import { commitScope, loadScope } from "../../../db/queries/scope.ts"
import { insertToken } from "../../../db/queries/tokens.ts"
import { openReader } from "../../../db/reader.ts"
import { mintApiToken } from "../../../functions/http/tokens.ts"
import { createAttempts } from "../../../functions/platform/attempts.ts"
import { createBackground } from "../../../functions/platform/background.ts"
import { type CachePort, createCache } from "../../../functions/platform/cache.ts"
import { createPublisher } from "../../../functions/platform/publish.ts"
import { pointerReading, postgresReading } from "../../../functions/platform/reading-postgres.ts"
import { restSender } from "../../../functions/platform/redis-rest.ts"
import { upstashSender } from "../../../functions/platform/redis-upstash.ts"
import { createTokenUses } from "../../../functions/platform/token-uses.ts"
import { noTrace } from "../../../functions/platform/tracing.ts"
import { createRead } from "../../../functions/read/read.ts"
import { createRelay } from "../../../functions/relay/relay.ts"
import { startRedis } from "../../../local/redis/start.ts"
import { auditOf, directCommit, ENVIRONMENTS, PRODUCTION } from "../../db/fixtures.ts"
import { openTestDatabase } from "../../support/database.ts"
import { redisServerBinary, startTestRedis } from "../../support/redis.ts"
import { handClock, silentLog } from "../platform/fakes.ts"
import { ADMIN_TOKEN, EDGE_SECRET, eventOf, READER_PUBLIC_KEYS, readerToken } from "./world.ts"

/** A database that counts what it is asked. */
const counting = (db: Database) => {
  const counted = { commands: 0 }
  const wrapped: Database = {
    ...db,
    run: (query, values) => {
      counted.commands++
      return db.run(query, values)
    },
  }
  return { wrapped, counted }
}

/** The read function and the relay on a real PostgreSQL and, where the machine has one, a real Redis. */
export const realWorld = async () => {
  const database = await openTestDatabase()
  const redis = await (redisServerBinary() === null ? startRedis() : startTestRedis("bridge"))
  // PostgreSQL stamps with its own clock: this one starts there, and is moved on from there.
  const clock = handClock(Date.now() + 120_000)
  const log = silentLog()
  const background = createBackground(log)
  const basics = { clock, log, background, trace: noTrace }
  // A busy machine may take longer than a reader would wait for.
  const sending = { url: redis.url, token: redis.token, deadlineMs: 10_000 }
  const cacheOf = (send: typeof restSender): CachePort =>
    createCache({ ...basics, send: send(sending), ttlSeconds: 300 })
  const reader = openReader({ url: database.url("hotswap_read"), applicationName: "test reader" })
  const { wrapped, counted } = counting(reader)
  const platform = {
    ...basics,
    reading: postgresReading(wrapped, ENVIRONMENTS),
    cache: cacheOf(restSender),
    attempts: createAttempts({ ...basics, send: null }),
    tokenUses: createTokenUses({ ...basics, send: null }),
    settings: {
      readerPublicKeys: READER_PUBLIC_KEYS,
      edgeSecret: EDGE_SECRET,
      adminTokenHash: createHash("sha256").update(ADMIN_TOKEN).digest("hex"),
      environments: ENVIRONMENTS,
      cacheTtlSeconds: 300,
      viewMemoryMebibytes: 192,
      jwtIssuers: [],
      outboundAllow: [],
    },
    close: async () => {},
  }
  const relayCache = cacheOf(upstashSender)
  const publisher = createPublisher({ reading: pointerReading(database.read), cache: relayCache, clock })
  const relay = createRelay({
    ...basics,
    settings: { eventDays: 90, metricTenants: 10 } as never,
    system: database.system,
    cache: relayCache,
    publisher,
    close: async () => {},
  })
  let read = createRead(platform)
  return {
    ...database,
    clock,
    log,
    background,
    redis,
    relay,
    publisher,
    counted,
    platform,
    restart: () => {
      read = createRead(platform)
    },
    call: async (path: string, token: string) => {
      const result = await read(eventOf(path, { token }))
      await background.settled()
      return result
    },
    callOnly: (path: string, token: string) => read(eventOf(path, { token })),
    commit: async (scope: ScopeId, name: string, value: Json) => {
      const loaded = await loadScope(database.app, { scope, environment: PRODUCTION, keys: [name as never] })
      const commit = directCommit(loaded!.state, name, value)
      const committed = await commitScope(database.app, commit)
      if (committed.kind !== "committed") throw new Error("a conflict nobody expected")
      return { ...committed, changeId: commit.pointer!.stableChangeId! }
    },
    reader: (tenants: readonly string[] | "*") =>
      readerToken({ tenants, environment: PRODUCTION, nowMs: clock.nowMs() }),
    issue: async (scope: ScopeId, roles: readonly Role[]) => {
      const minted = mintApiToken(scope, randomUUID())
      await insertToken(
        database.app,
        scope,
        {
          tokenId: minted.tokenId,
          kind: "api",
          subject: "somebody",
          roles: [...roles],
          tenants: null,
          environment: null,
          secretHash: minted.hash,
          issuer: { subject: "platform", tokenId: "startup", ancestors: [] },
          expiresAt: new Date(clock.nowMs() + 86_400_000).toISOString(),
        } as never,
        auditOf("token.issue", minted.tokenId),
      )
      return minted
    },
    /** As an administrator or a failover ends them. */
    endConnections: async () => {
      const sql = postgres(database.url("hotswap_read"), { max: 1, fetch_types: false })
      await sql`select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'test reader' and datname = current_database()`
      await sql.end()
    },
    async stop() {
      await background.settled()
      await Promise.all([redis.stop(), reader.close()])
      await database.close()
    },
  }
}

export const pathOf = (tenantId: string): string =>
  `/api/v1/configs/tenant/${tenantId}?environment=Production`
