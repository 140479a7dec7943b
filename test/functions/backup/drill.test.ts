import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { PLATFORM, type ScopeId, type TenantId } from "../../../core/ids.ts"
import { type Job, SCHEDULE_OWNER } from "../../../core/job/job.ts"
import type { JsonObject } from "../../../core/json.ts"
import { drillWork, startDrill } from "../../../functions/backup/drill.ts"
import { compareRestored } from "../../../functions/backup/drill-compare.ts"
import type { WorkContext } from "../../../functions/backup/work.ts"
import { systemIds } from "../../../functions/platform/ids.ts"
import { fill } from "../../isolation/filling.ts"
import { must } from "../manage/world.ts"
import { type ScheduleWorld, scheduleWorld } from "./schedule-world.ts"

let world: ScheduleWorld
beforeAll(async () => {
  world = await scheduleWorld()
  for (const name of ["first", "second"]) {
    await fill(world, name)
    await world.backUp(name)
  }
})
afterAll(() => world.close())
beforeEach(async () => {
  world.errors.length = 0
  await world.owner`delete from hotswap.jobs`
})

/** One attempt at a drill of all tenants there are; `stop` may end it as a kill would. */
const drill = async (
  checkpoint: JsonObject = {},
  stop: (step: "checkpoint" | "progress", state: JsonObject) => void = () => {},
  jobId?: string,
) => {
  const open = jobId ?? (await world.openJob(PLATFORM, {}, "backup.drill"))
  let last = checkpoint
  const context: WorkContext = {
    job: {
      scope: PLATFORM,
      jobId: open,
      kind: "backup.drill",
      params: { tenants: 20 },
      checkpoint,
      createdBy: SCHEDULE_OWNER,
    } as unknown as Job,
    progress: async (progress) => stop("progress", { ...progress }),
    checkpoint: async (state) => {
      last = state
      stop("checkpoint", state)
    },
    hold: async () => {},
    signal: new AbortController().signal,
  }
  const outcome = await drillWork(world.planning)(context).catch((error: unknown) => error)
  return { outcome, last, jobId: open }
}

const latestOf = async (scope: string): Promise<string> => (await world.backups(scope)).at(-1)!.id

/** Rows of scratch tenants, in any table, but for what says that they are destroyed. */
const scratchRows = async (): Promise<string[]> => {
  const tables = await world.owner`select table_name as name from information_schema.columns
    where table_schema = 'hotswap' and column_name = 'tenant_id' and table_name <> 'erasures' order by 1`
  const found: string[] = []
  for (const { name } of tables) {
    const [row] =
      await world.owner`select count(*)::int as many from hotswap.${world.owner(name)} where tenant_id like 'drill-%'`
    if (row!.many > 0) found.push(`${name}: ${row!.many}`)
  }
  return found
}

test("archives drawn by lot are restored, compared with themselves and with the tenant, and removed for good", async () => {
  const { outcome, jobId } = await drill()
  await world.endJob(jobId, "succeeded")
  expect(outcome).toMatchObject({
    kind: "done",
    result: {
      tenants: 2,
      failed: 0,
      results: [
        { ok: true, withLive: true },
        { ok: true, withLive: true },
      ],
    },
  })
  const { results } = (outcome as { result: { results: { configs: number; versions: number }[] } }).result
  for (const { configs, versions } of results) expect([configs > 0, versions > 0]).toEqual([true, true])
  expect(await scratchRows()).toEqual([])
  const left =
    await world.owner`select tenant_id from hotswap.erasures where tenant_id like 'drill-%' and erased_at is null`
  expect([...left]).toEqual([])
  expect(
    (await world.audit(PLATFORM)).filter(({ action }) => action === "backup.drill").at(-1),
  ).toMatchObject({
    detail: { tenants: 2, failed: 0 },
  })
  const [row] =
    await world.owner`select drilled_at, verified_at from hotswap.backups where tenant_id = 'first'`
  expect([row!.drilled_at, row!.verified_at]).not.toContain(null)
})

test("while it is being tried out a scratch tenant is in no list, and nobody can read it or make one of that name", async () => {
  let seen: unknown[] = []
  const looked: Promise<void>[] = []
  const { jobId } = await drill({}, (step, state) => {
    const id = state.scratch
    if (step !== "checkpoint" || typeof id !== "string") return
    looked.push(
      (async () => {
        const listed = await must(
          world.call<{ items: { tenantId: string }[] }>("GET", "/api/v1/tenants?limit=200"),
          200,
        )
        const deleted = await must(
          world.call<{ items: { tenantId: string }[] }>("GET", "/api/v1/tenants?limit=200&status=deleted"),
          200,
        )
        const shown = [...listed.body.items, ...deleted.body.items].map(({ tenantId }) => tenantId)
        const read = await world.call("GET", `/api/v1/tenants/${id}`)
        const made = await world.call("POST", "/api/v1/tenants", { body: { tenantId: id, name: "x" } })
        seen = [shown.includes(id), read.status, made.status]
      })(),
    )
  })
  await Promise.all(looked)
  await world.endJob(jobId, "succeeded")
  expect(seen).toEqual([false, 404, 409])
})

test("an archive that is damaged makes the drill fail, loudly, and the others are tried all the same", async () => {
  await world.newTenant("damaged")
  await world.put("damaged", "key", "value")
  const { backupId } = await world.backUp("damaged")
  const [first] = (
    await world.archiving.archives.open("damaged" as ScopeId, backupId)
  ).manifest.tables.flatMap(({ parts }) => parts)
  await world.archiving.archives.removePart("damaged" as ScopeId, first!.id)
  const { outcome, jobId } = await drill()
  await world.endJob(jobId, "failed")
  expect(outcome).toMatchObject({ code: "DRILL_FAILED", message: expect.stringContaining("damaged:bkp_") })
  expect(world.errors.at(-1)).toMatchObject({
    fields: { failed: [{ tenantId: "damaged", code: "ARCHIVE_DAMAGED" }] },
  })
  expect(
    (await world.audit(PLATFORM)).filter(({ action }) => action === "backup.drill").at(-1),
  ).toMatchObject({
    detail: { tenants: 3, failed: 1 },
  })
  expect(await scratchRows()).toEqual([])
  await world.owner`update hotswap.backup_schedules set last_at = null where tenant_id = 'damaged'`
})

test("whatever is not the archive's configuration is told, by environment", async () => {
  const archive = await world.archiving.archives.open("first" as ScopeId, await latestOf("first"))
  const compare = (scratch: string) =>
    compareRestored(
      { db: world.app, bulk: world.archiving.bulk },
      archive,
      scratch as TenantId,
      world.platform.settings.environments,
    )
  expect(await compare("first")).toMatchObject({ differences: [] })
  expect((await compare("second")).differences).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/versions are not/),
      expect.stringMatching(/^Development: another/),
    ]),
  )
  await world.newTenant("empty")
  expect((await compare("empty")).differences).toContainEqual(expect.stringMatching(/^Development: another/))
  expect((await compare("nobody")).differences).toEqual(["the restored tenant is not there"])
})

test("an archive that could not come back under its own id makes it fail too, though nothing of that is tried out", async () => {
  await world.newTenant("torn")
  const [kept] = await world.owner`
    update hotswap.audit_entries set body = replace(body, '"torn"', '"turn"') where tenant_id = 'torn' and seq = 1
    returning body`
  expect(kept!.body).toContain("turn")
  await world.backUp("torn")
  const { outcome } = await drill()
  expect(outcome).toMatchObject({ code: "DRILL_FAILED", message: expect.stringContaining("1 of 3") })
  expect((outcome as Error).message).toContain("audit_entries")
  await world.owner`update hotswap.backup_schedules set last_at = null where tenant_id = 'torn'`
})

test("a tenant that has changed since is compared with its archive alone", async () => {
  await world.put("second", "newer", systemIds.uuid())
  const { outcome, jobId } = await drill()
  await world.endJob(jobId, "succeeded")
  const { results } = (outcome as { result: { results: { tenantId: string; withLive: boolean }[] } }).result
  expect(results.find(({ tenantId }) => tenantId === "second")).toMatchObject({ ok: true, withLive: false })
})

test("what a killed drill left behind the next attempt removes, and where it was given up the next drill does", async () => {
  class Killed extends Error {}
  let steps = 0
  const dying = await drill({}, (step) => {
    if (step === "progress" && ++steps === 4) throw new Killed()
  })
  expect(dying.outcome).toBeInstanceOf(Killed)
  expect(dying.last.scratch).toEqual(expect.stringMatching(/^drill-/))
  const again = await drill(dying.last, undefined, dying.jobId)
  expect(again.outcome).toMatchObject({ kind: "done", result: { tenants: 2, failed: 0 } })
  steps = 0
  await drill({}, (step) => {
    if (step === "progress" && ++steps === 4) throw new Killed()
  }).then(({ jobId }) => world.endJob(jobId, "cancelled"))
  await world.endJob(dying.jobId, "succeeded")
  const next = await drill()
  await world.endJob(next.jobId, "succeeded")
  expect(await scratchRows()).toEqual([])
  const left =
    await world.owner`select tenant_id from hotswap.erasures where tenant_id like 'drill-%' and erased_at is null`
  expect([...left]).toEqual([])
})

test("a tenant that was deleted after it was drawn is no failure", async () => {
  await world.newTenant("leaving")
  await world.backUp("leaving")
  const { outcome, jobId } = await drill({ drawn: ["leaving"], results: [], scratch: null })
  expect(outcome).toMatchObject({ kind: "done", result: { tenants: 1, failed: 0 } })
  await must(world.call("DELETE", "/api/v1/tenants/leaving"), 200)
  await world.owner`delete from hotswap.backups where tenant_id = 'leaving'`
  const after = await drill({ drawn: ["leaving"], results: [], scratch: null }, undefined, jobId)
  expect(after.outcome).toMatchObject({ kind: "done", result: { tenants: 1, failed: 0 } })
})

test("what a drill found is told in the audit once, though its job is attempted again", async () => {
  const told = async () =>
    (await world.audit(PLATFORM)).filter(({ action }) => action === "backup.drill").length
  const { last, jobId } = await drill()
  const before = await told()
  await drill(last, undefined, jobId)
  expect(await told()).toBe(before)
})

test("the schedule has one made unless one is under way", async () => {
  expect(await startDrill(world.planning)).toEqual({ made: 1 })
  expect(await startDrill(world.planning)).toEqual({ made: 0 })
})
