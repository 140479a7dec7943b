import postgres from "postgres"
import { expect } from "vitest"
import { parseJobId } from "../../../core/ids.ts"
import type { JobProgress } from "../../../core/job/job.ts"
import type { JsonObject } from "../../../core/json.ts"
import type { Database } from "../../../db/client.ts"
import { findJob } from "../../../db/queries/jobs.ts"
import { restoreWork } from "../../../functions/backup/restore.ts"
import { must } from "../manage/world.ts"
import { createRestoreWorld, type RestoreWorld } from "./into-world.ts"

class Killed extends Error {}
type Moment = "before" | "after"

/** Ends an attempt before or after what it asks of the database for the nth time, for good: what it asks then is not answered. */
const killing = (nth: number, moment: Moment) => {
  let calls = 0
  let isDead = false
  const call = async <T>(work: () => Promise<T>): Promise<T> => {
    const isNow = ++calls === nth
    if (isNow && moment === "before") isDead = true
    if (isDead) throw new Killed()
    const result = await work()
    if (isNow) isDead = true
    if (isDead) throw new Killed()
    return result
  }
  return {
    call,
    over: (db: Database): Database => ({
      ...db,
      run: (query, values) => call(() => db.run(query, values)),
      transaction: (...args) => call(() => db.transaction(...args)),
    }),
  }
}

/** A tenant of which Staging, its grants and Production are to be something else again. */
const scene = async (world: RestoreWorld, tenantId: string): Promise<string> => {
  await world.tenant(tenantId)
  const limit = (max: number) => ({ max, windowMs: 60_000 })
  await world.put(tenantId, "Staging", "a", 1)
  await world.put(tenantId, "Staging", "secret", "old", { secret: true })
  await world.put(tenantId, "Staging", "limit.command", limit(1))
  const backup = await world.backUp(tenantId)
  await world.put(tenantId, "Staging", "a", 2)
  await world.put(tenantId, "Staging", "secret", "new")
  await world.put(tenantId, "Staging", "limit.command", limit(2))
  const filed = await world.put(tenantId, "Production", "b", 1)
  await must(world.call("POST", `/api/v1/changes/${filed.body.changeId}/break-glass`), 200)
  return backup
}

/** One attempt, ended there; `false`: it came to its end before. What it wrote down is in the database as attempts leave it. */
const isKilled = async (
  world: RestoreWorld,
  owner: postgres.Sql,
  jobId: string,
  nth: number,
  moment: Moment,
): Promise<boolean> => {
  const { scope, uuid } = parseJobId(jobId)!
  const job = (await findJob(world.app, scope, uuid))!
  const { call, over } = killing(nth, moment)
  const platform = { ...(world.jobPlatform as object), db: over(world.app), bulk: over(world.archiving.bulk) }
  const keep = async (state: JsonObject) => {
    await owner`update hotswap.jobs set checkpoint = ${owner.json(state as never)} where job_id = ${uuid}`
  }
  const context = {
    job,
    progress: async (_: JobProgress) => {},
    checkpoint: (state: JsonObject) => call(() => keep(state)),
    hold: async () => {},
    signal: new AbortController().signal,
  }
  try {
    await restoreWork(platform as never)(context)
    return false
  } catch (error) {
    if (!(error instanceof Killed)) throw error
    return true
  } finally {
    await world.platform.background.settled()
  }
}

interface Listed {
  environment: string
  state: string
  comment: string | null
  keys: string[]
}

const filedFor = async (world: RestoreWorld, tenantId: string, backup: string): Promise<string[]> => {
  const path = `/api/v1/changes?tenantId=${tenantId}&limit=100`
  const { body } = await must(world.call<{ items: Listed[] }>("GET", path), 200)
  return body.items
    .filter(({ comment }) => comment?.includes(backup))
    .map(({ environment, state, keys }) => `${environment} ${keys.toSorted().join("+")}: ${state}`)
    .sort()
}

const FILED = ["Production b: awaiting_approval", "Staging a+secret: live", "Staging limit.command: live"]
const DONE = [
  {
    environment: "Staging",
    state: "live",
    set: 2,
    deleted: 0,
    unchanged: 0,
    grants: { state: "live", set: 1 },
  },
  { environment: "Production", state: "awaiting_approval", set: 0, deleted: 1, grants: null },
]

/**
 * Restores, each killed at another of the points where it asks anything of the database: gone on with, each has filed each
 * change once. Returns at how many points that was.
 */
export const restoreKilled = async (options: { every: number; from: number }): Promise<number> => {
  const world = await createRestoreWorld()
  const owner = postgres(world.url("postgres"), { max: 1, fetch_types: false, onnotice: () => {} })
  let killed = 0
  /** `false`: there is no such point any more. */
  const restoreOne = async (nth: number, moment: Moment): Promise<boolean> => {
    const tenantId = `killed-${nth}-${moment}`
    const backup = await scene(world, tenantId)
    const path = `/api/v1/backups/${backup}/restore`
    const asked = await must(world.call("POST", path, { body: {} }), 202)
    const jobId = String(asked.body.jobId)
    const wasKilled = await isKilled(world, owner, jobId, nth, moment)
    if (wasKilled) killed++
    await world.work()
    const { state, result, problem } = await world.jobSeen(jobId)
    expect([tenantId, state, problem]).toEqual([tenantId, "succeeded", null])
    expect([tenantId, await filedFor(world, tenantId, backup)]).toEqual([tenantId, FILED])
    for (const done of DONE)
      expect(result!.environments).toContainEqual(expect.objectContaining(doneAs(done)))
    return wasKilled
  }
  try {
    for (let nth = options.from; ; nth += options.every) {
      const isOver = !(await restoreOne(nth, "before"))
      if (isOver) return killed
      await restoreOne(nth, "after")
    }
  } finally {
    await owner.end()
    await world.close()
  }
}

const doneAs = ({ grants, ...done }: (typeof DONE)[number]) => ({
  ...done,
  grants: grants === null ? null : expect.objectContaining(grants),
})
