import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest"
import { PLATFORM, type ScopeId } from "../../../core/ids.ts"
import { removeBackup } from "../../../db/queries/backups.ts"
import { retainBackups, retainOne } from "../../../functions/backup/retain.ts"
import { partsOf, raced, retainedAfterKills } from "./retain-runs.ts"
import { type ScheduleWorld, scheduleWorld } from "./schedule-world.ts"

let world: ScheduleWorld
beforeAll(async () => {
  world = await scheduleWorld()
})
afterAll(() => world.close())

const PATIENTLY = { timeout: 20_000, interval: 5 }

/** Keeps one: what is older is superfluous. */
const keepOne = (scope: string) => world.owner`
  insert into hotswap.backup_schedules (tenant_id, next_due_at, keep_last, keep_daily, keep_weekly, keep_monthly)
  values (${scope}, now() + interval '1 day', 1, 0, 0, 0)
  on conflict (tenant_id) do update set keep_last = 1, keep_daily = 0, keep_weekly = 0, keep_monthly = 0`

const retain = (scope: string) => retainOne(world.retaining, { scope: scope as ScopeId, tier: "Free" })
const statesOf = async (scope: string) => (await world.backups(scope)).map(({ state }) => state)
const opens = async (scope: string, backupId: string) => {
  const archive = await world.archiving.archives.open(scope as ScopeId, backupId)
  await archive.check()
}

/** A tenant with that many archives, each with something that the others do not have. */
const withArchives = async (scope: string, many: number) => {
  await world.newTenant(scope)
  await keepOne(scope)
  const made = []
  for (let nth = 0; nth < many; nth++) {
    await world.put(scope, "changing", `${nth} of ${scope}`)
    made.push(await world.backUp(scope))
  }
  return made.map(({ backupId }) => backupId)
}

test("what the schedule keeps no longer is gone, with the parts that only it named; the rest opens", async () => {
  const [first, second, third] = await withArchives("kept", 3)
  const before = await partsOf(world, "kept")
  expect(await retain("kept")).toMatchObject({ marked: 2, archives: 2 })
  expect(await statesOf("kept")).toEqual(["removed", "removed", "complete"])
  await opens("kept", third!)
  for (const gone of [first!, second!])
    await expect(opens("kept", gone)).rejects.toMatchObject({ code: "ARCHIVE_NOT_FOUND" })
  const named = await world.archiving.archives.partsNamed("kept" as ScopeId)
  expect(await partsOf(world, "kept")).toEqual([...named].sort())
  expect(named.size).toBeLessThan(before.length)
  expect((await world.audit("kept" as ScopeId)).at(-1)).toMatchObject({
    action: "backup.remove",
    detail: { retention: expect.arrayContaining([first, second]) },
  })
  expect(await retain("kept")).toMatchObject({ marked: 0, archives: 0, parts: 0 })
})

test("what is held, and what a job that is not over reads, stays", async () => {
  const [held, read, last] = await withArchives("used", 3)
  await world.owner`update hotswap.backups set held = true where backup_id = ${held!}`
  const jobId = await world.openJob(
    PLATFORM,
    { backupId: `used:bkp_${read!.replaceAll("-", "")}` },
    "backup.restore",
  )
  expect(await retain("used")).toMatchObject({ marked: 0 })
  for (const id of [held!, read!, last!]) await opens("used", id)
  await world.endJob(jobId, "succeeded")
  expect(await retain("used")).toMatchObject({ marked: 1 })
  await opens("used", held!)
})

test("the last archive stays, though somebody deletes one while retention gives up the other", async () => {
  const scope = "between" as ScopeId
  const [, last] = await withArchives(scope, 2)
  const audit = { action: "backup.remove", actor: { subject: "x", tokenId: "startup" }, target: scope }
  const [locked, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  onTestFinished(() => held.resolve())
  const locking = world.owner.begin(async (tx) => {
    // What retention asks for between reading which archives there are and giving some of them up.
    await tx`lock table hotswap.jobs in access exclusive mode`
    locked.resolve()
    await held.promise
  })
  const waiting = async () =>
    (
      await world.owner`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
    ).length
  await locked.promise
  const retained = retain(scope)
  await expect.poll(waiting, PATIENTLY).toBe(1)
  let isOver = false
  const removed = removeBackup(world.app, scope, last!, audit).finally(() => {
    isOver = true
  })
  await expect.poll(async () => isOver || (await waiting()) > 1, PATIENTLY).toBe(true)
  held.resolve()
  await Promise.all([locking, retained, removed])
  expect(await statesOf(scope)).toContain("complete")
})

test("while an archive is being written nothing is taken out of the store; once its job is over its leftovers are", async () => {
  const [old, last] = await withArchives("writing", 2)
  const jobId = await world.openJob("writing" as ScopeId, {}, "backup.create")
  const unfinished = new Error("killed")
  const cut = { progress: async () => Promise.reject(unfinished), signal: new AbortController().signal }
  await world.put("writing", "other", "x")
  await expect(world.archiving.backUp("writing", { jobId }, cut)).rejects.toBe(unfinished)
  const before = await partsOf(world, "writing")
  expect(await retain("writing")).toBeNull()
  expect(await statesOf("writing")).toContain("removed")
  expect(await partsOf(world, "writing")).toEqual(before)
  await world.endJob(jobId, "failed")
  expect(await retain("writing")).toMatchObject({ marked: 1, archives: 1 })
  expect(await partsOf(world, "writing")).toEqual(
    [...(await world.archiving.archives.partsNamed("writing" as ScopeId))].sort(),
  )
  await opens("writing", last!)
  await expect(opens("writing", old!)).rejects.toMatchObject({ code: "ARCHIVE_NOT_FOUND" })
})

test("while parts are being taken away nobody begins an archive there", async () => {
  await withArchives("busy", 1)
  await world.owner`update hotswap.backup_schedules set removing_until = now() + interval '1 minute' where tenant_id = 'busy'`
  expect(await world.archiving.backUp("busy")).toBe("later")
  expect(await retain("busy")).toBeNull()
  await world.expireRemoving("busy")
  expect(await world.archiving.backUp("busy")).not.toBe("later")
})

test("an archive that the database does not know of is never taken away: it may be all there is", async () => {
  const [first, second] = await withArchives("lost", 2)
  await world.owner`delete from hotswap.backups where tenant_id = 'lost'`
  await world.backUp("lost")
  await retain("lost")
  for (const id of [first!, second!]) await opens("lost", id)
})

test("where one manifest cannot be read no part goes, as it may name any", async () => {
  const [, second] = await withArchives("unread", 3)
  await world.owner`update hotswap.backups set held = true where backup_id = ${second!}`
  const archives = {
    ...world.retaining.archives,
    partsNamed: async () => Promise.reject(new Error("not to be read")),
  }
  const before = await partsOf(world, "unread")
  await retainOne({ ...world.retaining, archives }, { scope: "unread" as ScopeId, tier: "Free" })
  expect(await partsOf(world, "unread")).toEqual(before)
  expect(world.errors.at(-1)).toMatchObject({ fields: { scope: "unread" } })
})

test("whose time is over takes nothing away, though the clock was put back by as much meanwhile", async () => {
  await withArchives("back", 3)
  const before = await partsOf(world, "back")
  const { archives, clock } = world.retaining
  const [wallMs, realNow] = [clock.nowMs(), performance.now.bind(performance)]
  const partsNamed = async (scope: ScopeId) => {
    vi.spyOn(performance, "now").mockImplementation(() => realNow() + 660_000)
    await world.expireRemoving(scope)
    return await archives.partsNamed(scope)
  }
  const deps = {
    ...world.retaining,
    clock: { ...clock, nowMs: () => wallMs },
    archives: { ...archives, partsNamed },
  }
  try {
    await expect(retainOne(deps, { scope: "back" as ScopeId, tier: "Free" })).rejects.toThrow(
      "not being taken away",
    )
  } finally {
    vi.restoreAllMocks()
  }
  expect(await partsOf(world, "back")).toEqual(before)
})

test("what is locked stays whole until its lock is over, and goes then", async () => {
  const [first, last] = await withArchives("locked", 2)
  const { archives } = world.retaining
  const locked = {
    ...archives,
    removeManifest: async () => "kept" as const,
    removePart: async () => "kept" as const,
  }
  const swept = await retainOne(
    { ...world.retaining, archives: locked },
    { scope: "locked" as ScopeId, tier: "Free" },
  )
  expect(swept).toMatchObject({ archives: 0, parts: 0, locked: 1 })
  await opens("locked", first!)
  expect(await retain("locked")).toMatchObject({ archives: 1 })
  await opens("locked", last!)
})

test("a run takes each scope's turn once, and one that fails keeps no other from its turn", async () => {
  await withArchives("turn-a", 2)
  await withArchives("turn-b", 2)
  await world.owner`update hotswap.backup_schedules set retained_at = null`
  const archives = {
    ...world.retaining.archives,
    list: async (scope: ScopeId) =>
      scope === "turn-a" ? Promise.reject(new Error("away")) : world.retaining.archives.list(scope),
  }
  expect(await retainBackups({ ...world.retaining, archives })).toMatchObject({ failed: 1 })
  expect((await world.schedule("turn-b"))!.retained_at).not.toBeNull()
  expect((await world.schedule("turn-a"))!.retained_at).toBeNull()
})

test("that an archive was given up is forgotten after 100 days, and nothing else is", async () => {
  const [first, second, last] = await withArchives("old", 3)
  await retain("old")
  await world.owner`update hotswap.backups set removed_at = now() - interval '101 days' where backup_id = ${first!}`
  await world.owner`update hotswap.backups set removed_at = now() - interval '99 days' where backup_id = ${second!}`
  expect(await retainBackups(world.retaining)).toMatchObject({ forgotten: 1 })
  expect((await world.backups("old")).map(({ id }) => id)).toEqual([second, last])
})

test("killed before or after anything it asks of database and store, it leaves every archive whole and goes on", async () => {
  const kills = await retainedAfterKills(world, "killed", 5)
  expect(kills).toBeGreaterThan(3)
})

test("with backups made meanwhile that need the very parts that are to go, each that is complete is whole", async () => {
  const { complete, removed } = await raced(world, "race", 12)
  expect(complete).toBeGreaterThan(0)
  expect(removed).toBeGreaterThan(0)
})
