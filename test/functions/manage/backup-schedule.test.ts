import { afterAll, beforeAll, expect, test } from "vitest"
import { PLATFORM } from "../../../core/ids.ts"
import { planBackups } from "../../../functions/backup/planner.ts"
import { type ScheduleWorld, scheduleWorld } from "../backup/schedule-world.ts"
import { must } from "./world.ts"

let world: ScheduleWorld
let admin: string
beforeAll(async () => {
  world = await scheduleWorld()
  await world.newTenant("acme", "Pro")
  const body = { subject: "ada", roles: ["tenant_admin"] }
  admin = (await must(world.call<{ token: string }>("POST", "/api/v1/tenants/acme/tokens", { body }), 201))
    .body.token
})
afterAll(() => world.close())

const PATH = "/api/v1/tenants/acme/backup-schedule"
const PRO = { everyHours: 6, keepLast: 5, keepDaily: 14, keepWeekly: 8, keepMonthly: 3, paused: false }
const put = (body: object, token = admin) =>
  world.call<{ code?: string; detail?: string }>("PUT", PATH, { body, token })

test("a tenant's schedule is its tier's until it says otherwise", async () => {
  const read = await must(world.call("GET", PATH, { token: admin }), 200)
  expect(read.body).toMatchObject({ schedule: PRO, own: { everyHours: null }, nextDueAt: null, failures: 0 })
})

test("within what its tier brings a tenant admin sets it; what is left out is the tier's again", async () => {
  expect(await must(put({ everyHours: 12, keepMonthly: 0 }), 200)).toMatchObject({
    body: { schedule: { ...PRO, everyHours: 12, keepMonthly: 0 }, nextDueAt: expect.any(String) },
  })
  expect(await must(put({ keepDaily: 2 }), 200)).toMatchObject({
    body: { schedule: { ...PRO, keepDaily: 2 } },
  })
  expect((await world.audit("acme" as never)).at(-1)).toMatchObject({
    action: "backup.schedule",
    detail: { keepDaily: 2 },
  })
})

test("more often, or more kept, is for the platform's admins", async () => {
  for (const body of [{ everyHours: 5 }, { keepLast: 6 }, { keepMonthly: 4 }]) {
    const refused = await put(body)
    expect(refused).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } })
    expect(refused.body.detail).toContain(Object.keys(body)[0])
  }
  const given = await world.call("PUT", PATH, { body: { everyHours: 1, keepLast: 100 } })
  expect(given).toMatchObject({ status: 200, body: { schedule: { everyHours: 1, keepLast: 100 } } })
})

test.each([
  { everyHours: 0 },
  { everyHours: 8_761 },
  { keepLast: 0 },
  { keepDaily: -1 },
  { keepWeekly: 1.5 },
  { hours: 1 },
])("%j is refused, and nothing is altered", async (body) => {
  const before = await world.call("GET", PATH)
  expect((await put(body)).status).toBe(400)
  expect((await world.call("GET", PATH)).body).toEqual(before.body)
})

test("the platform's own is the platform's, and what is not there has none", async () => {
  const own = await must(world.call("GET", "/api/v1/tenants/~platform/backup-schedule"), 200)
  expect(own.body).toMatchObject({ schedule: { everyHours: 1 } })
  for (const path of ["/api/v1/tenants/nobody/backup-schedule", "/api/v1/tenants/~platform/backup-schedule"])
    expect((await world.call("GET", path, { token: admin })).status).toBe(404)
  expect((await world.call("PUT", "/api/v1/tenants/nobody/backup-schedule", { body: {} })).status).toBe(404)
})

test("a request repeated under its key is answered the same, once done", async () => {
  const call = () =>
    world.call("PUT", PATH, { body: { keepLast: 2 }, token: admin, headers: { "idempotency-key": "one" } })
  const [first, again] = [await must(call(), 200), await must(call(), 200)]
  expect(again.body).toEqual(first.body)
  expect((await world.audit("acme" as never)).filter(({ detail }) => detail?.keepLast === 2)).toHaveLength(1)
})

test("a drill is asked for by the platform's admins alone, and is a job", async () => {
  const started = await must(world.call("POST", "/api/v1/backups/drills", { body: { tenants: 2 } }), 202)
  expect(started.body).toMatchObject({ tenantId: PLATFORM, kind: "backup.drill", params: { tenants: 2 } })
  expect((await world.call("POST", "/api/v1/backups/drills", { body: {}, token: admin })).status).toBe(403)
  expect((await world.call("POST", "/api/v1/backups/drills", { body: { tenants: 0 } })).status).toBe(400)
})

const metrics = async () => {
  const { text, headers } = await must(world.call("GET", "/metrics"), 200)
  const lines = text.trimEnd().split("\n")
  const values = new Map(
    lines
      .filter((line) => !line.startsWith("#"))
      .map((line) => [line.split(" ")[0]!, Number(line.split(" ")[1])]),
  )
  return { text, type: headers.get("content-type"), lines, values }
}

test("metrics are Prometheus' text, with a name and a type for each, and no tenant in them", async () => {
  await planBackups(world.planning)
  await world.backUp("acme")
  const { lines, text, type, values } = await metrics()
  expect(type).toBe("text/plain; version=0.0.4; charset=utf-8")
  for (const line of lines)
    expect(line).toMatch(
      /^(# (HELP|TYPE) hotswap_[a-z_]+ .+|hotswap_[a-z_]+(\{(kind|state)="[a-z_.]+"\})? -?\d+(\.\d+)?(e[+-]?\d+)?)$/,
    )
  for (const name of values.keys()) expect(text).toContain(`# TYPE ${name.replace(/\{.*/, "")} gauge`)
  expect(text).not.toContain("acme")
  expect(values.get("hotswap_backup_scopes")).toBe(5)
  expect(values.get("hotswap_backup_scopes_never")).toBe(4)
  expect(values.get('hotswap_jobs_queued{kind="backup.drill"}')).toBe(1)
})

test("metrics tell who is overdue, who fails, what is dead and how old the oldest latest backup is", async () => {
  const before = (await metrics()).values
  await world.owner`update hotswap.backup_schedules set last_at = now() - interval '13 hours', every_hours = 6, failures = 2
    where tenant_id = 'acme'`
  const jobId = await world.openJob("acme" as never, {}, "backup.create")
  await world.endJob(jobId, "failed")
  const { values } = await metrics()
  const rise = (name: string) => values.get(name)! - before.get(name)!
  expect(rise("hotswap_backup_tenants_overdue")).toBe(1)
  expect(rise("hotswap_backup_failures")).toBe(1)
  expect(rise('hotswap_jobs_dead{kind="backup.create"}')).toBe(1)
  expect(Math.round(values.get("hotswap_backup_oldest_age_seconds")! / 3_600)).toBe(13)
  await world.owner`update hotswap.backup_schedules set paused = true where tenant_id = 'acme'`
  expect((await metrics()).values.get("hotswap_backup_tenants_overdue")).toBe(
    before.get("hotswap_backup_tenants_overdue"),
  )
})

test("metrics tell when a drill last succeeded, once one has", async () => {
  expect((await metrics()).values.has("hotswap_drill_last_success_timestamp_seconds")).toBe(false)
  const jobId = await world.openJob(PLATFORM, {}, "backup.drill")
  await world.endJob(jobId, "succeeded")
  const at = (await metrics()).values.get("hotswap_drill_last_success_timestamp_seconds")!
  const [row] =
    await world.owner`select extract(epoch from ended_at)::float8 as at from hotswap.jobs where job_id = ${jobId}`
  expect(at).toBeCloseTo(row!.at, 2)
})

test("a tenant's own token reads no metrics", async () => {
  expect((await world.call("GET", "/metrics", { token: admin })).status).toBe(403)
})
