import type { Principal } from "../../core/access.ts"
import { Refusal } from "../../core/errors.ts"
import { jobIdOf, type ScopeId } from "../../core/ids.ts"
import type { Job, JobKind, JobOwner } from "../../core/job/job.ts"
import type { JsonObject } from "../../core/json.ts"
import type { Database } from "../../db/client.ts"
import { unhurried } from "../../db/deadline.ts"
import { insertJob, jobAsked, OPEN_JOBS_MAX } from "../../db/queries/jobs.ts"
import type { Remember } from "../../db/queries/replies.ts"
import type { TenantTx } from "../../db/tenant.ts"
import type { Background } from "./background.ts"
import type { Ids } from "./ids.ts"
import type { Log } from "./log.ts"
import type { JobQueue } from "./queue.ts"

export interface JobsPlatform {
  db: Database
  ids: Ids
  log: Log
  background: Background
  /** Absent where a clock in the same process looks for what is due. */
  queue?: JobQueue | undefined
}

export interface JobWish {
  scope: ScopeId
  kind: JobKind
  /** Of its kind. Ids and options: they stand in the audit trail as they are. */
  params: JsonObject
}

/** In whose name, and under which request. */
export interface JobAsker {
  owner: JobOwner
  requestId?: string
}

interface Alongside {
  reply?: Remember<Job> | undefined
  /** Written in the same transaction. */
  also?: ((tx: TenantTx, jobId: string) => Promise<void>) | undefined
}

/** Who asked, as a job keeps it. */
export const askerOf = (principal: Principal, requestId: string): JobAsker => {
  const { subject, tokenId, ancestors, roles } = principal
  return { owner: { subject, tokenId, ancestors, roles }, requestId }
}

/**
 * Has something done in the background: one transaction, with its entry in the audit. `null`: the idempotency key was taken at
 * this moment, and nothing was written. Throws TENANT_NOT_FOUND and JOBS_TOO_MANY.
 */
export const createJob = async (
  platform: JobsPlatform,
  { owner, requestId }: JobAsker,
  { scope, kind, params }: JobWish,
  { reply, also }: Alongside = {},
): Promise<Job | null> => {
  const job = { jobId: platform.ids.uuid(), kind, params, createdBy: owner }
  const audit = jobAsked(job, { scope, jobId: job.jobId }, requestId)
  const made = await insertJob(platform.db, scope, job, audit, {
    reply,
    also: also && ((tx) => also(tx, job.jobId)),
  })
  switch (made.kind) {
    case "made":
      wake(platform, made.job)
      return made.job
    case "missing":
      throw new Refusal("TENANT_NOT_FOUND", `There is no tenant "${scope}".`)
    case "too_many":
      throw new Refusal("JOBS_TOO_MANY", `${OPEN_JOBS_MAX} jobs of "${scope}" wait or run.`)
    case "conflict":
      return null
  }
}

const wake = ({ queue, background, log }: JobsPlatform, { scope, jobId }: Job): void => {
  if (!queue) return
  const id = jobIdOf(scope, jobId)
  const woken = unhurried(() => queue.wake(id)).catch((error: unknown) =>
    log.warn("nobody could be woken for a job; the schedule finds it", { jobId: id, error }),
  )
  background.waitUntil(woken)
}
