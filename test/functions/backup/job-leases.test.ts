import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { TenantId } from "../../../core/ids.ts"
import { auditHead, recordAudit } from "../../../db/queries/audit.ts"
import {
  claimJob,
  finishJob,
  holdJob,
  keepCheckpoint,
  type Lease,
  releaseJob,
  renewLease,
} from "../../../db/queries/job-leases.ts"
import { withTenant } from "../../../db/tenant.ts"
import { gaveUp } from "../../../functions/backup/job-problems.ts"
import type { Work } from "../../../functions/backup/work.ts"
import { auditOf } from "../../db/fixtures.ts"
import { ALL_DUE, type JobWorld, jobWorld, QUICK } from "./job-world.ts"

let world: JobWorld
beforeAll(async () => {
  world = await jobWorld()
})
afterAll(() => world.close())

const LEASE_MS = 60_000
const TERMS = { leaseMs: LEASE_MS, attemptsMax: 5, gaveUp }

const claim = async (scope: TenantId, jobId: string) => {
  const lease: Lease = { scope, jobId, worker: crypto.randomUUID() }
  return { lease, claim: await claimJob(world.database.app, lease, TERMS) }
}

/** A job that one worker had, and another has now. */
const takenOver = async () => {
  const tenant = await world.newTenant()
  const { jobId } = await world.ask(tenant)
  const first = await claim(tenant, jobId)
  await world.expireLease(jobId)
  const second = await claim(tenant, jobId)
  expect([first.claim.kind, second.claim.kind]).toEqual(["claimed", "claimed"])
  return { tenant, jobId, first: first.lease, second: second.lease }
}

describe("a lease", () => {
  test("is one worker's until it is over", async () => {
    const tenant = await world.newTenant()
    const { jobId } = await world.ask(tenant)
    const claims = await Promise.all(Array.from({ length: 8 }, () => claim(tenant, jobId)))
    expect(claims.map(({ claim: { kind } }) => kind).sort()).toEqual(["claimed", ...Array(7).fill("none")])
    expect((await claim(tenant, jobId)).claim).toEqual({ kind: "none" })
    await world.expireLease(jobId)
    expect((await claim(tenant, jobId)).claim).toMatchObject({ kind: "claimed", job: { attempts: 2 } })
  })

  test("that was lost lets its worker write nothing more", async () => {
    const { app } = world.database
    const { tenant, jobId, first, second } = await takenOver()
    const progress = { step: "of the dead" }
    const before = await world.job(tenant, jobId)
    const head = await auditHead(app, tenant)
    const end = { state: "succeeded" as const, result: { by: "the dead" } }
    expect(await renewLease(app, first, LEASE_MS, progress)).toBeNull()
    expect(
      await keepCheckpoint(app, first, LEASE_MS, { checkpoint: { by: "the dead" }, progress }),
    ).toBeNull()
    expect(await finishJob(app, first, end, progress)).toBe(false)
    expect(await releaseJob(app, first, { due: { inMs: 0 }, progress })).toBe(false)
    expect(await withTenant(app, tenant, (tx) => holdJob(tx, first))).toBe(false)
    expect(await world.job(tenant, jobId)).toEqual(before)
    expect(await auditHead(app, tenant)).toEqual(head)
    expect(await finishJob(app, second, end, {})).toBe(true)
    expect(await finishJob(app, second, end, {})).toBe(false)
  })

  test("that is held by a transaction is taken over only after it", async () => {
    const { app } = world.database
    const tenant = await world.newTenant()
    const { jobId } = await world.ask(tenant)
    const { lease } = await claim(tenant, jobId)
    await withTenant(app, tenant, async (tx) => {
      expect(await holdJob(tx, lease)).toBe(true)
      await world.expireLease(jobId)
      expect((await claim(tenant, jobId)).claim).toEqual({ kind: "none" })
      // Whoever holds it says so all the while.
      expect(await renewLease(app, lease, LEASE_MS, {})).toEqual({ cancelRequested: false })
    })
    await world.expireLease(jobId)
    expect((await claim(tenant, jobId)).claim.kind).toBe("claimed")
  })

  test("keeps a checkpoint together with what its transaction does, or neither", async () => {
    const { app } = world.database
    const tenant = await world.newTenant()
    const { jobId } = await world.ask(tenant)
    const { lease } = await claim(tenant, jobId)
    const step = (isUndone: boolean) =>
      withTenant(app, tenant, async (tx) => {
        expect(await holdJob(tx, lease)).toBe(true)
        await keepCheckpoint(app, lease, LEASE_MS, { checkpoint: { step: 1 }, progress: {} }, tx)
        if (isUndone) throw new Error("undone")
      })
    await expect(step(true)).rejects.toThrow("undone")
    expect(await world.job(tenant, jobId)).toMatchObject({ checkpoint: {}, attempts: 1 })
    await step(false)
    expect(await world.job(tenant, jobId)).toMatchObject({ checkpoint: { step: 1 }, attempts: 0 })
  })

  test("that is lost in the middle of the work ends it, and its transaction leaves nothing", async () => {
    const { app } = world.database
    const tenant = await world.newTenant()
    const { jobId } = await world.ask(tenant)
    const thrown: unknown[] = []
    const work: Work = async ({ hold, checkpoint, signal }) => {
      await world.expireLease(jobId)
      const { claim: other } = await claim(tenant, jobId)
      expect(other.kind).toBe("claimed")
      await recordAudit(app, tenant, auditOf("test.before", jobId))
      const head = await auditHead(app, tenant)
      await withTenant(app, tenant, async (tx) => {
        await tx.db.execute("select 1")
        await hold(tx)
      }).catch((error: unknown) => thrown.push(error))
      await checkpoint({ by: "the dead" }).catch((error: unknown) => thrown.push(error))
      expect(signal.aborted).toBe(true)
      expect(await auditHead(app, tenant)).toEqual(head)
      return { kind: "done", result: {} }
    }
    // Nothing tells it by the way.
    await world.runner(work, { ...QUICK, tickMs: 600_000 }).run(ALL_DUE())
    expect(thrown).toHaveLength(2)
    expect(await world.job(tenant, jobId)).toMatchObject({ state: "running", checkpoint: {}, result: null })
  })
})
