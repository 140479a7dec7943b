import { and, desc, eq, inArray, lt, ne, sql } from "drizzle-orm"
import type { AuditBody } from "../../core/audit/entry.ts"
import { jobIdOf, type ScopeId } from "../../core/ids.ts"
import { hasEnded, type Job, type JobKind, type JobOwner, type JobState } from "../../core/job/job.ts"
import type { JsonObject } from "../../core/json.ts"
import type { Database } from "../client.ts"
import { jobs } from "../schema/jobs.ts"
import { tenants } from "../schema/tenants.ts"
import { type TenantTx, withTenant } from "../tenant.ts"
import { appendAudit } from "./audit.ts"
import { endJob, jobColumns, jobOf, ownJob } from "./job-rows.ts"
import { conflictsOf, type Remember, remember } from "./replies.ts"

export interface NewJob {
  jobId: string
  kind: JobKind
  params: JsonObject
  createdBy: JobOwner
}

/** Nothing was written but where it says so. `conflict`: the idempotency key was taken. */
export type JobInserted =
  | { kind: "made"; job: Job }
  | { kind: "missing" }
  | { kind: "too_many" }
  | { kind: "conflict" }
export type CancelRequested =
  | { kind: "requested"; job: Job }
  | { kind: "missing" }
  | { kind: "ended" }
  | { kind: "conflict" }

/** Of one scope, queued or running: more wait where they come from. */
export const OPEN_JOBS_MAX = 100

const OPEN = ["queued", "running"] as const satisfies readonly JobState[]

/** Writes down that there is something to do. `also` is written in the same transaction. */
export const insertJob = (
  database: Database,
  scope: ScopeId,
  job: NewJob,
  audit: AuditBody,
  {
    reply,
    also,
  }: {
    reply?: Remember<Job> | undefined
    also?: ((tx: TenantTx, jobId: string) => Promise<void>) | undefined
  },
): Promise<JobInserted> =>
  conflictsOf(
    withTenant(database, scope, async (tx): Promise<JobInserted> => {
      if (!(await lockTenant(tx))) return { kind: "missing" }
      const isOpen = and(eq(jobs.tenantId, scope), inArray(jobs.state, [...OPEN]))
      if ((await tx.db.$count(jobs, isOpen)) >= OPEN_JOBS_MAX) return { kind: "too_many" }
      const [row] = await tx.db
        .insert(jobs)
        .values({ ...job, tenantId: scope })
        .returning(jobColumns)
      const made = jobOf(row!)
      await also?.(tx, job.jobId)
      await appendAudit(tx, [audit])
      await remember(tx, reply, made)
      return { kind: "made", job: made }
    }),
  )

/** Against being deleted meanwhile, and so that its jobs are counted one after the other. */
const lockTenant = async (tx: TenantTx): Promise<boolean> => {
  const isHere = and(eq(tenants.tenantId, tx.scope), ne(tenants.status, "deleted"))
  const found = await tx.db.select({ id: tenants.tenantId }).from(tenants).where(isHere).for("no key update")
  return found.length > 0
}

export const findJob = (database: Database, scope: ScopeId, jobId: string): Promise<Job | null> =>
  withTenant(database, scope, async (tx) => {
    const [row] = await tx.db.select(jobColumns).from(jobs).where(ownJob(scope, jobId))
    return row ? jobOf(row) : null
  })

export interface JobsWanted {
  kind?: JobKind | undefined
  state?: JobState | undefined
  /** Of this person only. */
  subject?: string | undefined
  /** The last one of the page before. */
  before?: string | undefined
  limit: number
}

/** Newest first. */
export const listJobs = (
  database: Database,
  scope: ScopeId,
  { kind, state, subject, before, limit }: JobsWanted,
): Promise<Job[]> =>
  withTenant(database, scope, async (tx) => {
    const fits = and(
      eq(jobs.tenantId, scope),
      kind && eq(jobs.kind, kind),
      state && eq(jobs.state, state),
      subject === undefined ? undefined : sql`${jobs.createdBy} ->> 'subject' = ${subject}`,
      before === undefined ? undefined : lt(jobs.jobId, before),
    )
    const rows = await tx.db.select(jobColumns).from(jobs).where(fits).orderBy(desc(jobs.jobId)).limit(limit)
    return rows.map(jobOf)
  })

/** What nobody has begun ends at once; what is under way is told, and ends when it hears it. Again is harmless. */
export const requestCancel = (
  database: Database,
  scope: ScopeId,
  jobId: string,
  audit: AuditBody,
  reply?: Remember<Job>,
): Promise<CancelRequested> =>
  conflictsOf(
    withTenant(database, scope, async (tx): Promise<CancelRequested> => {
      const own = ownJob(scope, jobId)
      const [before] = await tx.db.select(jobColumns).from(jobs).where(own).for("update")
      if (!before) return { kind: "missing" }
      if (hasEnded(jobOf(before))) return { kind: "ended" }
      if (!before.cancelRequested) {
        await tx.db.update(jobs).set({ cancelRequested: true }).where(own)
        await appendAudit(tx, [audit])
      }
      if (before.state === "queued") await endJob(tx, jobOf(before), { state: "cancelled" })
      const [row] = await tx.db.select(jobColumns).from(jobs).where(own)
      const job = jobOf(row!)
      await remember(tx, reply, job)
      return { kind: "requested", job }
    }),
  )

/** What the audit trail holds of a job that was asked for. */
export const jobAsked = (
  { kind, params, createdBy }: NewJob,
  target: { scope: ScopeId; jobId: string },
  requestId?: string,
): AuditBody => ({
  action: "job.create",
  actor: { subject: createdBy.subject, tokenId: createdBy.tokenId },
  target: jobIdOf(target.scope, target.jobId),
  ...(requestId === undefined ? {} : { requestId }),
  detail: { kind, params },
})
