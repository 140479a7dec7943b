import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { Refusal } from "../../../core/errors.ts"
import type { TenantId } from "../../../core/ids.ts"
import { requestCancel } from "../../../db/queries/jobs.ts"
import { deleteTenant } from "../../../db/queries/tenants.ts"
import type { Work } from "../../../functions/backup/work.ts"
import { auditOf, ENVIRONMENTS } from "../../db/fixtures.ts"
import { ALL_DUE, type JobWorld, jobWorld, QUICK, untilStopped } from "./job-world.ts"

let world: JobWorld
beforeAll(async () => {
  world = await jobWorld()
})
afterAll(() => world.close())

const DONE = { kind: "done" as const, result: { ok: true } }
const done: Work = async () => DONE
const cancel = (scope: TenantId, jobId: string) =>
  requestCancel(world.database.app, scope, jobId, auditOf("job.cancel", jobId))

/** Resolves once the work has begun. */
const begun = (work: Work) => {
  const first = Promise.withResolvers<void>()
  const wrapped: Work = (context) => {
    first.resolve()
    return work(context)
  }
  return { work: wrapped, begun: first.promise }
}

describe("jobs", () => {
  test("asked of eight runners at once are each done once, and never more at once than there is room for", async () => {
    const tenants = await Promise.all(Array.from({ length: 5 }, () => world.newTenant()))
    for (const tenant of tenants) for (let n = 0; n < 8; n++) await world.ask(tenant)
    const running: string[] = []
    const times = new Map<string, number>()
    const gate = Promise.withResolvers<void>()
    const work: Work = async ({ job }) => {
      times.set(job.jobId, (times.get(job.jobId) ?? 0) + 1)
      running.push(job.scope)
      await gate.promise
      return DONE
    }
    const room = { ofAll: 7, ofScope: 2 }
    const runners = Array.from({ length: 8 }, () => world.runner(work, { ...QUICK, room }))
    // At the same moment, and each finds something else to do.
    await Promise.all(runners.map((runner) => runner.look()))
    expect(running).toHaveLength(7)
    expect(tenants.map((tenant) => running.filter((scope) => scope === tenant).length).sort()).toEqual([
      1, 1, 1, 2, 2,
    ])
    gate.resolve()
    await Promise.all(runners.map((runner) => runner.settled()))
    expect([...times.values()]).toEqual(Array(40).fill(1))
    // Alone, a tenant has no more room than beside others.
    const alone = await world.newTenant()
    for (let n = 0; n < 5; n++) await world.ask(alone)
    const held = Promise.withResolvers<void>()
    let many = 0
    const holding = Array.from({ length: 3 }, () =>
      world.runner(
        async () => {
          many++
          await held.promise
          return DONE
        },
        { ...QUICK, room },
      ),
    )
    await Promise.all(holding.map((runner) => runner.look()))
    expect(many).toBe(2)
    held.resolve()
    await Promise.all(holding.map((runner) => runner.settled()))
    expect(many).toBe(5)
    for (const tenant of tenants) {
      const told = await world.told(tenant)
      expect(told.sort()).toEqual([...Array(8).fill("job.create"), ...Array(8).fill("job.end succeeded")])
    }
  })

  test("of one tenant, a hundred of them, keep no other's from its turn", async () => {
    const [many, one] = [await world.newTenant(), await world.newTenant()]
    for (let n = 0; n < 100; n++) await world.ask(many)
    await expect(world.ask(many)).rejects.toMatchObject({ code: "JOBS_TOO_MANY" })
    await world.ask(one)
    const order: string[] = []
    const served = Promise.withResolvers<void>()
    const work: Work = async ({ job }) => {
      order.push(job.scope)
      if (job.scope === one) served.resolve()
      return DONE
    }
    const runner = world.runner(work, { ...QUICK, ofProcess: 1 })
    await runner.look()
    await served.promise
    await runner.drain()
    expect(order.indexOf(one)).toBeLessThan(2)
    await world.forget(many)
  })

  test("that failed for a reason of their own end with it at once, and others are tried again", async () => {
    const tenant = await world.newTenant()
    const attempts = new Map<string, number>()
    const work: Work = async ({ job }) => {
      attempts.set(job.jobId, (attempts.get(job.jobId) ?? 0) + 1)
      const { how } = job.params
      if (how === "refused") throw new Refusal("ARCHIVE_DAMAGED", "Part 3 of table heads, byte 17.")
      if (how === "full") throw new Refusal("BLOB_STORE_FULL", "There is no room.")
      if (how === "unforeseen") throw new Error("a secret of the inside")
      return DONE
    }
    const [refused, full, unforeseen] = await Promise.all(
      ["refused", "full", "unforeseen"].map((how) => world.ask(tenant, { how })),
    )
    const unknown = await world.ask(tenant, {}, "backup.drill")
    await world.runner(work).run(ALL_DUE())
    const ended = async (job: { jobId: string } | undefined) => await world.job(tenant, job!.jobId)
    expect(await ended(refused)).toMatchObject({
      state: "failed",
      problem: { code: "ARCHIVE_DAMAGED", detail: "Part 3 of table heads, byte 17." },
    })
    expect((await ended(full)).problem).toMatchObject({ code: "BLOB_STORE_FULL" })
    expect((await ended(unknown)).problem).toMatchObject({ code: "JOB_UNSUPPORTED" })
    expect((await ended(unforeseen)).problem).toMatchObject({ code: "JOB_GAVE_UP" })
    expect(JSON.stringify(await ended(unforeseen))).not.toContain("inside")
    expect([refused, full, unforeseen].map((job) => attempts.get(job!.jobId))).toEqual([1, 3, 3])
    expect((await world.told(tenant)).filter((entry) => entry === "job.end failed")).toHaveLength(4)
  })

  test("that come further are tried as often as it takes, each time from where the last attempt came to", async () => {
    const tenant = await world.newTenant()
    const job = await world.ask(tenant)
    const seen: unknown[] = []
    const work: Work = async ({ job: { checkpoint }, checkpoint: keep }) => {
      seen.push(checkpoint.step ?? 0)
      const step = Number(checkpoint.step ?? 0) + 1
      await keep({ step })
      if (step < 9) throw new Error("not yet")
      return DONE
    }
    await world.runner(work).run(ALL_DUE())
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
    expect(await world.job(tenant, job.jobId)).toMatchObject({ state: "succeeded", result: { ok: true } })
  })

  test("whose time is up, or whose process is stopped, are gone on with by the next", async () => {
    const tenant = await world.newTenant()
    const job = await world.ask(tenant)
    const first = begun(async (context) => {
      await context.checkpoint({ step: 1 })
      return await untilStopped(context)
    })
    await world.runner(first.work).run(Date.now() + 200)
    expect(await world.job(tenant, job.jobId)).toMatchObject({ state: "queued", checkpoint: { step: 1 } })
    // However often: to be stopped is not to fail.
    for (let stop = 0; stop < 5; stop++) {
      const again = begun(untilStopped)
      const stopped = world.runner(again.work)
      await stopped.look()
      await again.begun
      await stopped.drain()
      expect(await world.job(tenant, job.jobId)).toMatchObject({ state: "queued", attempts: 0 })
    }
    await world.runner(done).run(ALL_DUE())
    expect(await world.job(tenant, job.jobId)).toMatchObject({ state: "succeeded" })
  })

  test("whose work hangs when its process is stopped are let go of all the same, and it writes nothing more", async () => {
    const tenant = await world.newTenant()
    const job = await world.ask(tenant)
    const hang = Promise.withResolvers<void>()
    const work = begun(async () => {
      await hang.promise
      return { kind: "done", result: { by: "the one that hung" } }
    })
    const stopped = world.runner(work.work)
    await stopped.look()
    await work.begun
    await stopped.drain()
    expect(await world.job(tenant, job.jobId)).toMatchObject({ state: "queued", attempts: 0 })
    await world.runner(done).run(ALL_DUE())
    hang.resolve()
    await stopped.settled()
    expect(await world.job(tenant, job.jobId)).toMatchObject({ state: "succeeded", result: { ok: true } })
    expect(await world.told(tenant)).toEqual(["job.create", "job.end succeeded"])
  })

  test("that need more time than there is, again and again, are given up", async () => {
    const tenant = await world.newTenant()
    const job = await world.ask(tenant)
    for (let time = 0; time < 4; time++) {
      const work = begun(untilStopped)
      const run = world.runner(work.work).run(Date.now() + 150)
      if (time < 3) await work.begun
      await run
    }
    expect(await world.job(tenant, job.jobId)).toMatchObject({
      state: "failed",
      problem: { code: "JOB_GAVE_UP", detail: expect.stringContaining("3 times") },
    })
  })

  test("that are cancelled end at once when nobody has begun them, and else at the next that is heard of them", async () => {
    const tenant = await world.newTenant()
    const [queued, running] = [await world.ask(tenant), await world.ask(tenant)]
    expect(await cancel(tenant, queued.jobId)).toMatchObject({ job: { state: "cancelled" } })
    const work = begun(untilStopped)
    const runner = world.runner(work.work)
    await runner.look()
    await work.begun
    expect(await cancel(tenant, running.jobId)).toMatchObject({
      job: { state: "running", cancelRequested: true },
    })
    await cancel(tenant, running.jobId)
    await runner.settled()
    expect(await world.job(tenant, running.jobId)).toMatchObject({ state: "cancelled" })
    expect(await cancel(tenant, running.jobId)).toEqual({ kind: "ended" })
    expect(await world.told(tenant)).toEqual([
      "job.create",
      "job.create",
      "job.cancel",
      "job.end cancelled",
      "job.cancel",
      "job.end cancelled",
    ])
  })

  test("of a tenant that is deleted are not begun", async () => {
    const tenant = await world.newTenant()
    const job = await world.ask(tenant)
    const erasure = { by: "tester", afterDays: 7 }
    await deleteTenant(
      world.database.app,
      tenant,
      { environments: ENVIRONMENTS, erasure },
      auditOf("tenant.delete", tenant),
    )
    await world.runner(untilStopped).run(ALL_DUE())
    expect(await world.job(tenant, job.jobId)).toMatchObject({ state: "cancelled" })
    await expect(world.ask(tenant)).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" })
  })
})
