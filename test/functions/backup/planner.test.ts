import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { nextDueMs, retryMs } from "../../../core/backup/schedule.ts"
import type { ScopeId } from "../../../core/ids.ts"
import { OPEN_MAX, planBackups } from "../../../functions/backup/planner.ts"
import { must } from "../manage/world.ts"
import { type ScheduleWorld, scheduleWorld } from "./schedule-world.ts"

let world: ScheduleWorld
beforeAll(async () => {
  world = await scheduleWorld()
  await planBackups(world.planning)
})
afterAll(() => world.close())
beforeEach(async () => {
  await world.owner`delete from hotswap.jobs`
  await world.owner`update hotswap.backup_schedules set planned_job = null, next_due_at = now() + interval '1 day'`
})

const jobsOf = (scope: string) =>
  world.owner`select job_id as id, state, params, created_by from hotswap.jobs where tenant_id = ${scope}`
const plan = () => planBackups(world.planning)

test("a new tenant is put on its tier's schedule, at a point of its own", async () => {
  await world.newTenant("fresh", "Pro")
  expect(await plan()).toMatchObject({ started: 1, planned: 0 })
  const { next_due_at: due } = (await world.schedule("fresh"))!
  const nowMs = Date.now()
  expect(nextDueMs("fresh" as ScopeId, 6, nowMs)).toBe(Math.round(due.getTime()))
  expect(await plan()).toMatchObject({ started: 0 })
})

test("the platform and the tiers, which all tenants rest on, are on a schedule as well", async () => {
  for (const scope of ["~platform", "~tier.Free", "~tier.Pro", "~tier.Enterprise"])
    expect(await world.schedule(scope)).toMatchObject({ paused: false })
})

test("what is due becomes one job, in the name of the schedule, and is next due in its next period", async () => {
  await world.newTenant("due")
  await plan()
  await world.makeDue("due")
  expect(await plan()).toMatchObject({ planned: 1 })
  const [job, ...others] = await jobsOf("due")
  expect(others).toEqual([])
  expect(job).toMatchObject({ params: { origin: "scheduled" }, created_by: { subject: "clock" } })
  expect(await plan()).toMatchObject({ planned: 0 })
  const schedule = await world.schedule("due")
  expect(schedule).toMatchObject({ planned_job: job!.id })
  expect(schedule!.next_due_at.getTime()).toBeGreaterThan(Date.now())
  // However long it takes: no second one beside it.
  await world.makeDue("due")
  expect(await plan()).toMatchObject({ planned: 0 })
})

test("planners at the same moment make one job of it", async () => {
  await world.newTenant("raced")
  await plan()
  await world.makeDue("raced")
  await Promise.all(Array.from({ length: 6 }, plan))
  expect(await jobsOf("raced")).toHaveLength(1)
})

test("suspended tenants are backed up, deleted ones and those whose schedule is paused are not", async () => {
  for (const name of ["asleep", "gone", "paused"]) await world.newTenant(name)
  await plan()
  await must(world.call("POST", "/api/v1/tenants/asleep/suspend"), 200)
  await must(world.call("PUT", "/api/v1/tenants/paused/backup-schedule", { body: { paused: true } }), 200)
  await must(world.call("DELETE", "/api/v1/tenants/gone"), 200)
  for (const name of ["asleep", "gone", "paused"]) await world.makeDue(name)
  await plan()
  expect(
    [await jobsOf("asleep"), await jobsOf("gone"), await jobsOf("paused")].map(({ length }) => length),
  ).toEqual([1, 0, 0])
})

test("who fails is told of and tried again, later after each failure, and is forgiven once it succeeds", async () => {
  await world.newTenant("failing")
  await plan()
  for (const failures of [1, 2, 3]) {
    await world.makeDue("failing")
    await plan()
    const { planned_job: jobId } = (await world.schedule("failing"))!
    await world.endJob(jobId, "failed")
    const before = Date.now()
    expect(await plan()).toMatchObject({ failed: 1 })
    const after = await world.schedule("failing")
    expect(after).toMatchObject({ failures, planned_job: null })
    expect(after!.next_due_at.getTime()).toBeGreaterThanOrEqual(
      retryMs("failing" as ScopeId, 24, failures, before),
    )
    expect(world.errors.at(-1)).toMatchObject({ fields: { scope: "failing", failures } })
  }
  const { backupId } = await world.backUp("failing")
  expect(await world.schedule("failing")).toMatchObject({ failures: 0, last_at: expect.any(Date) })
  expect(backupId).toBeTruthy()
})

test("after an outage of weeks no more than so many are open, each tenant's once, the longest waiting first", async () => {
  await world.owner`insert into hotswap.tenants (tenant_id, name, tier)
    select 'late-' || lpad(n::text, 4, '0'), 'late', 'Free' from generate_series(1, ${OPEN_MAX + 200}) n`
  await world.owner`insert into hotswap.backup_schedules (tenant_id, next_due_at)
    select tenant_id, now() - interval '20 days' + row_number() over (order by tenant_id) * interval '1 second'
    from hotswap.tenants where tenant_id like 'late-%'`
  // Each is due again at its own point of the day, which of so many comes for one every two minutes: here not within the hour.
  const later = () => Date.now() + 3_600_000
  const clock = { nowMs: later, now: () => new Date(later()) }
  const plan = () => planBackups({ ...(world.planning as object), clock } as never)
  expect(await plan()).toMatchObject({ planned: OPEN_MAX })
  expect(await plan()).toMatchObject({ planned: 0 })
  const [last] = await world.owner`select max(tenant_id) as id, count(*)::int as many from hotswap.jobs`
  expect(last).toEqual({ id: `late-${String(OPEN_MAX).padStart(4, "0")}`, many: OPEN_MAX })
  await world.owner`update hotswap.jobs set state = 'succeeded', ended_at = now()`
  expect(await plan()).toMatchObject({ settled: OPEN_MAX, planned: 200 })
  await world.owner`update hotswap.jobs set state = 'succeeded', ended_at = now()`
  expect(await plan()).toMatchObject({ planned: 0 })
})
