import { createHash } from "node:crypto"
import { expect } from "vitest"
import { DEFAULT_ENVIRONMENTS } from "../../../core/environment.ts"
import type { Json, JsonObject } from "../../../core/json.ts"
import { migrateWork } from "../../../functions/backup/migrate.ts"
import { restoreWork } from "../../../functions/backup/restore.ts"
import { createRunner } from "../../../functions/backup/runner.ts"
import { createAttempts } from "../../../functions/platform/attempts.ts"
import { createBackground } from "../../../functions/platform/background.ts"
import { postgresReading } from "../../../functions/platform/reading-postgres.ts"
import { createTokenUses } from "../../../functions/platform/token-uses.ts"
import { noTrace } from "../../../functions/platform/tracing.ts"
import { createRead } from "../../../functions/read/read.ts"
import { memoryCache } from "../../contracts/cache-memory.ts"
import type { OpenTestDatabase } from "../../support/database.ts"
import { type Answer, createWorld, must } from "../manage/world.ts"
import { handClock, silentLog } from "../platform/fakes.ts"
import { ADMIN_TOKEN, EDGE_SECRET, eventOf, READER_PUBLIC_KEYS } from "../read/world.ts"
import { archiveWorld } from "./archive-world.ts"
import { ALL_DUE, QUICK } from "./job-world.ts"

/** A job as `GET /api/v1/jobs/{jobId}` shows it. */
export interface JobSeen {
  jobId: string
  state: string
  result: JsonObject | null
  problem: { code: string; detail: string; errors?: { path: string; message: string }[] } | null
}

/** What became of one environment. */
export interface RestoredSeen {
  environment: string
  changeId: string | null
  state: string
  set: number
  deleted: number
  unchanged: number
  diff: { key: string; kind: string; before?: unknown; after?: unknown }[]
  left: string[]
  grants: { changeId: string | null; state: string; set: number } | null
  policy: JsonObject | null
  problem: { code: string } | null
}

/** The read function over the same database, as readers ask it: past and provenance are looked up each time. */
const readerOver = (database: Pick<OpenTestDatabase, "app">) => {
  // Ahead of all that may be asked for: what is yet to come, the database judges.
  const clock = handClock(Date.now() + 86_400_000)
  const log = silentLog()
  const background = createBackground(log)
  const basics = { clock, log, background, trace: noTrace }
  return createRead({
    ...basics,
    reading: postgresReading(database.app, DEFAULT_ENVIRONMENTS),
    cache: memoryCache(clock),
    attempts: createAttempts({ ...basics, send: null }),
    tokenUses: createTokenUses({ ...basics, send: null }),
    settings: {
      readerPublicKeys: READER_PUBLIC_KEYS,
      edgeSecret: EDGE_SECRET,
      adminTokenHash: createHash("sha256").update(ADMIN_TOKEN).digest("hex"),
      environments: DEFAULT_ENVIRONMENTS,
      cacheTtlSeconds: 300,
      viewMemoryMebibytes: 64,
      jwtIssuers: [],
      outboundAllow: [],
    },
    close: async () => {},
  })
}

/** The management function with what does its jobs, over a database and a folder of archives of its own. */
export const createRestoreWorld = async () => {
  const world = await createWorld()
  const archiving = archiveWorld(world, world.platform as never)
  const platform = { ...world.platform, ...archiving, queue: undefined } as never
  const works = { "backup.restore": restoreWork(platform), "tenant.migrate": migrateWork(platform) }
  const runner = createRunner(platform, works, QUICK)
  const reader = readerOver(world)

  const jobSeen = async (jobId: string): Promise<JobSeen> =>
    (await must(world.call<JobSeen & Record<string, unknown>>("GET", `/api/v1/jobs/${jobId}`), 200)).body

  /** Has every job done that is asked for. */
  const work = async (): Promise<void> => {
    await runner.run(ALL_DUE())
    await world.platform.background.settled()
  }

  /** Asks for a job, has it done, and answers with what came of it. */
  const done = async (asked: Promise<Answer>): Promise<JobSeen> => {
    const { body } = await must(asked, 202)
    await work()
    return await jobSeen(String(body.jobId))
  }

  const succeeded = async (asked: Promise<Answer>): Promise<JsonObject> => {
    const { state, result, problem } = await done(asked)
    expect([state, problem]).toEqual(["succeeded", null])
    return result!
  }

  return {
    ...world,
    archiving,
    platform: world.platform,
    jobPlatform: platform,
    runner,
    jobSeen,
    work,
    done,
    succeeded,
    /** The id that HTTP knows the backup by. */
    backUp: async (tenantId: string): Promise<string> => {
      const made = await archiving.backUp(tenantId)
      if (made === "later") throw new Error("parts are being removed")
      return `${tenantId}:bkp_${made.backupId.replaceAll("-", "")}`
    },
    /** Restores, of all environments or these, and answers with what became of each. */
    restore: async (
      backupId: string,
      body: JsonObject = {},
      token?: string,
    ): Promise<Record<string, RestoredSeen>> =>
      byEnvironment(
        await succeeded(
          world.call("POST", `/api/v1/backups/${backupId}/restore`, { body, ...(token && { token }) }),
        ),
      ),
    restoreAsOf: async (
      tenantId: string,
      body: JsonObject,
      token?: string,
    ): Promise<Record<string, RestoredSeen>> =>
      byEnvironment(
        await succeeded(
          world.call("POST", `/api/v1/tenants/${tenantId}/restore`, { body, ...(token && { token }) }),
        ),
      ),
    /** What readers get, now or as of then, as the read function answers it. */
    read: async (tenantId: string, environment: string, asOf: string | null): Promise<JsonObject> => {
      const query = asOf === null ? "detail=full" : `detail=full&asOf=${asOf}`
      const path = `/api/v1/configs/tenant/${tenantId}?environment=${environment}&${query}`
      const { statusCode, body } = await reader(eventOf(path, { token: ADMIN_TOKEN }))
      expect([statusCode, path]).toEqual([200, path])
      const { configs } = JSON.parse(body) as { configs: Record<string, { value: Json }> }
      return Object.fromEntries(Object.entries(configs).map(([key, { value }]) => [key, value]))
    },
    /** The database's clock, to the microsecond: between this and what comes next nothing happens. */
    instant: async (): Promise<string> => {
      const [row] = await world.app.transaction(({ db }) =>
        db.execute<{ at: string }>(
          "select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') as at",
        ),
      )
      // The function's clock stands still, and nobody asks for what is to come.
      world.moveClock(Math.max(0, Date.parse(row!.at) - world.platform.clock.nowMs()))
      return row!.at
    },
    put: (tenantId: string, environment: string, key: string, value: unknown, more: object = {}) =>
      must(
        world.call("POST", "/api/v1/changes", {
          body: { tenantId, environment, edits: [{ key, value, ...more }] },
        }),
        202,
      ),
    remove: (tenantId: string, environment: string, key: string) =>
      must(
        world.call("POST", "/api/v1/changes", {
          body: { tenantId, environment, edits: [{ key, delete: true }] },
        }),
        202,
      ),
    /** Every config of an environment, as it is listed. */
    configs: async (tenantId: string, environment: string): Promise<Record<string, JsonObject>> => {
      const path = `/api/v1/configs?tenantId=${tenantId}&environment=${environment}&limit=100`
      const { body } = await must(world.call<{ items: (JsonObject & { key: string })[] }>("GET", path), 200)
      return Object.fromEntries(body.items.map((item) => [item.key, item]))
    },
    close: async () => {
      await archiving.close()
      await world.close()
    },
  }
}

export type RestoreWorld = Awaited<ReturnType<typeof createRestoreWorld>>

const byEnvironment = (result: JsonObject): Record<string, RestoredSeen> =>
  Object.fromEntries(
    (result.environments as unknown as RestoredSeen[]).map((restored) => [restored.environment, restored]),
  )
