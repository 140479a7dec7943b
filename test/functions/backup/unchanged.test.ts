import { afterAll, beforeAll, expect, test } from "vitest"
import { PLATFORM, type ScopeId, type TenantId } from "../../../core/ids.ts"
import { SCHEDULE_OWNER } from "../../../core/job/job.ts"
import type { BackupRow } from "../../../db/queries/backups.ts"
import { createArchive } from "../../../functions/backup/create.ts"
import type { Archives } from "../../../functions/platform/archive/archives.ts"
import { systemIds } from "../../../functions/platform/ids.ts"
import { chanceOf } from "../../fuzz/chance.ts"
import { UNDISTURBED } from "./archive-world.ts"
import { type ScheduleWorld, scheduleWorld } from "./schedule-world.ts"

let world: ScheduleWorld
beforeAll(async () => {
  world = await scheduleWorld()
})
afterAll(() => world.close())

const backUp = async (scope: string, archives: Partial<Archives> = {}): Promise<BackupRow> => {
  const made = await createArchive(
    { ...world.archiving, archives: { ...world.archiving.archives, ...archives } },
    {
      scope: scope as ScopeId,
      backupId: systemIds.uuid(),
      origin: "scheduled",
      by: SCHEDULE_OWNER,
      jobId: systemIds.uuid(),
      includeEmptyTables: true,
    },
    UNDISTURBED,
  )
  if (made === "later") throw new Error("parts are being removed")
  return made
}

/** The keys that have a version in it. */
const keysIn = async (scope: string, backupId: string): Promise<Set<string>> => {
  const archive = await world.archiving.archives.open(scope as ScopeId, backupId)
  await archive.check()
  const keys = new Set<string>()
  for await (const row of archive.rows("config_versions")) keys.add((JSON.parse(row) as { key: string }).key)
  return keys
}

test("what was acknowledged before a backup began is in it, whoever writes and backs up meanwhile", async () => {
  const tenant = await world.newTenant("written-to")
  const pick = chanceOf(11, 0)
  const acknowledged: string[] = []
  let fewest = Number.POSITIVE_INFINITY
  const write = async (nth: number) => {
    await world.put(tenant, `key.${nth}`, nth)
    acknowledged.push(`key.${nth}`)
  }
  const check = async () => {
    const before = [...acknowledged]
    const made = await backUp(tenant)
    const found = await keysIn(tenant, made.backupId)
    expect(before.filter((key) => !found.has(key))).toEqual([])
    fewest = Math.min(fewest, made.writtenBytes)
  }
  for (let nth = 0; nth < 24; nth++) {
    const together = [pick.below(2) === 0 ? write(nth) : null, check(), pick.below(3) === 0 ? check() : null]
    await Promise.all(together)
  }
  await check()
  await check()
  // Of some of them nothing but the manifest was stored.
  expect(fewest).toBeLessThan(5_000)
})

test("an archive that was given up while a backup waited for its turn is not built on", async () => {
  const tenant = await world.newTenant("waited-for")
  const first = await backUp(tenant)
  const second = await backUp(tenant)
  const opened: string[] = []
  const open: Archives["open"] = (home, backupId, hash) => {
    opened.push(backupId)
    return world.archiving.archives.open(home, backupId, hash)
  }
  const third = await world.owner.begin(async (sql) => {
    const [holder] = await sql`
      select pg_backend_pid() as pid from hotswap.backup_schedules where tenant_id = ${tenant} for update`
    const made = backUp(tenant, { open })
    const waits = async () =>
      (await world.owner`select from pg_stat_activity where ${holder!.pid}::int = any(pg_blocking_pids(pid))`)
        .length
    await expect.poll(waits, { timeout: 20_000, interval: 5 }).toBeGreaterThan(0)
    await sql`update hotswap.backups set state = 'removed', removed_at = now() where backup_id = ${second.backupId}`
    return { made }
  })
  const { backupId } = await third.made
  expect(opened).toEqual([first.backupId])
  await (await world.archiving.archives.open(tenant, backupId)).check()
})

test("a scope that was never planned, is deleted, or is no scope, is told apart", async () => {
  const tenant: TenantId = await world.newTenant("never-planned")
  await world.owner`delete from hotswap.backup_schedules where tenant_id = ${tenant}`
  const made = await backUp(tenant)
  expect((await world.schedule(tenant))?.last_at).toEqual(expect.anything())
  expect(made).toMatchObject({ tenantId: tenant, state: "complete", locations: [{ ok: true }] })
  await world.owner`update hotswap.tenants set status = 'deleted' where tenant_id = ${tenant}`
  await expect(backUp(tenant)).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" })
  expect(await world.backups(tenant)).toHaveLength(1)
  await expect(backUp("never-there")).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" })
  expect(await backUp(PLATFORM)).toMatchObject({ state: "complete" })
})
