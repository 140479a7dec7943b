import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { expect } from "vitest"
import type { TenantId } from "../../../core/ids.ts"
import { hasEnded } from "../../../core/job/job.ts"
import type { Database } from "../../../db/client.ts"
import { appendAudit, listAudit } from "../../../db/queries/audit.ts"
import { withTenant } from "../../../db/tenant.ts"
import type { Work } from "../../../functions/backup/work.ts"
import { auditOf } from "../../db/fixtures.ts"
import type { KillPoint } from "../../support/port-calls.ts"
import { ALL_DUE, type JobWorld } from "./job-world.ts"

const STEPS = 4
const CHILD = fileURLToPath(new URL("./job-child.ts", import.meta.url))

/** Takes effect once in each of its steps: what was done and that it was done are of one transaction. */
export const stepping =
  (database: Database): Work =>
  async ({ job, progress, hold, checkpoint }) => {
    for (let step = Number(job.checkpoint.step ?? 0) + 1; step <= STEPS; step++) {
      await progress({ step: `step ${step}` })
      await withTenant(database, job.scope, async (tx) => {
        await hold(tx)
        await appendAudit(tx, [auditOf("test.step", String(step))])
        await checkpoint({ step }, tx)
      })
    }
    return { kind: "done", result: { steps: STEPS } }
  }

const isOpen = async (world: JobWorld, tenant: TenantId, jobId: string): Promise<boolean> =>
  !hasEnded(await world.job(tenant, jobId))

/** A process that does a job is killed; another goes on with it. `false`: it was done before it came to that. */
export const killed = async (world: JobWorld, kill: KillPoint): Promise<boolean> => {
  const { database } = world
  const tenant = await world.newTenant()
  const { jobId } = await world.ask(tenant)
  const urls = { app: database.url("hotswap_app"), system: database.url("hotswap_system") }
  const child = fork(CHILD, {
    env: { ...process.env, JOB_CHILD: JSON.stringify({ ...urls, kill }) },
    execArgv: [],
  })
  const [code, signal] = (await once(child, "exit")) as [number | null, string | null]
  if (code !== 0 && signal !== "SIGKILL") throw new Error(`the child ended with ${code} ${signal}`)
  // What it sent last may still be on its way into the database, its lease among it.
  for (let attempt = 0; attempt < 5 && (await isOpen(world, tenant, jobId)); attempt++) {
    await world.expireLease(jobId)
    await world.runner(stepping(database.app)).run(ALL_DUE())
  }
  const at = `${kill.moment} call ${kill.call}`
  expect(await world.job(tenant, jobId), at).toMatchObject({ state: "succeeded", result: { steps: STEPS } })
  expect(await world.told(tenant), at).toEqual(["job.create", "job.end succeeded"])
  const steps = (await listAudit(database.app, tenant, { limit: 500, action: "test.step" })).reverse()
  expect(
    steps.map(({ body }) => body.target),
    at,
  ).toEqual(["1", "2", "3", "4"])
  return signal === "SIGKILL"
}
