import postgres from "postgres"
import type { TenantId } from "../../../core/ids.ts"
import { type JobKind, SCHEDULE_OWNER } from "../../../core/job/job.ts"
import type { JsonObject } from "../../../core/json.ts"
import { listAudit } from "../../../db/queries/audit.ts"
import { findJob } from "../../../db/queries/jobs.ts"
import {
  createRunner,
  RUNNER_OPTIONS,
  type Runner,
  type RunnerOptions,
} from "../../../functions/backup/runner.ts"
import type { Work, WorkContext } from "../../../functions/backup/work.ts"
import { composeBasics } from "../../../functions/platform/compose.ts"
import { systemIds } from "../../../functions/platform/ids.ts"
import { createJob } from "../../../functions/platform/jobs.ts"
import type { Log } from "../../../functions/platform/log.ts"
import { makeTenant } from "../../db/fixtures.ts"
import { openTestDatabase } from "../../support/database.ts"

const quiet: Log = { info() {}, warn() {}, error() {} }

/** Short, so that whoever is taken for dead is so soon; attempts follow one another at once. */
export const QUICK: RunnerOptions = {
  ...RUNNER_OPTIONS,
  leaseMs: 60_000,
  tickMs: 20,
  attemptsMax: 3,
  backoffMs: () => 1,
}

/** What runs jobs, with work that a test gives it. */
export const jobWorld = async () => {
  const database = await openTestDatabase(20)
  const owner = postgres(database.url("postgres"), { max: 1, fetch_types: false, onnotice: () => {} })
  let last = 0
  const platform = () => ({
    ...composeBasics("jobs", { log: quiet }),
    db: database.app,
    system: database.system,
    ids: systemIds,
    queue: undefined,
  })
  return {
    database,
    platform,
    newTenant: async (): Promise<TenantId> => {
      const id = `tenant-${++last}`
      await makeTenant(database.app, id)
      return id as TenantId
    },
    ask: async (scope: TenantId, params: JsonObject = {}, kind: JobKind = "backup.create") =>
      (await createJob(platform(), { owner: SCHEDULE_OWNER }, { scope, kind, params }))!,
    job: async (scope: TenantId, jobId: string) => (await findJob(database.app, scope, jobId))!,
    /** Its entries, oldest first: `job.create`, `job.end succeeded`, … */
    told: async (scope: TenantId) =>
      (await listAudit(database.app, scope, { limit: 500 }))
        .filter(({ body }) => body.action.startsWith("job."))
        .map(({ body }) => [body.action, body.detail?.state].filter(Boolean).join(" "))
        .reverse(),
    runner: (work: Work, options: RunnerOptions = QUICK): Runner =>
      createRunner(platform(), { "backup.create": work }, options),
    /** As if whoever holds it had said nothing for as long as a lease is. */
    expireLease: async (jobId: string) => {
      await owner`update hotswap.jobs set lease_until = now(), due_at = now() where job_id = ${jobId}`
    },
    /** As if they had never been asked for. */
    forget: async (scope: TenantId) => {
      await owner`delete from hotswap.jobs where tenant_id = ${scope}`
    },
    close: async () => {
      await owner.end()
      await database.close()
    },
  }
}

export type JobWorld = Awaited<ReturnType<typeof jobWorld>>

/** Enough for whatever is due; what waits for long is not waited for. */
export const ALL_DUE = (): number => Date.now() + 60_000

/** Works until it is told to end. */
export const untilStopped = async ({ progress, signal }: WorkContext): Promise<never> => {
  for (;;) {
    await progress({ step: "waiting" })
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, 5)
      const end = () => {
        clearTimeout(timer)
        resolve(null)
      }
      signal.addEventListener("abort", end, { once: true })
    })
  }
}
