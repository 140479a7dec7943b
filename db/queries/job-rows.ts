import { and, eq, getTableColumns, sql } from "drizzle-orm"
import type { AuditBody } from "../../core/audit/entry.ts"
import { jobIdOf, type ScopeId } from "../../core/ids.ts"
import type { Job } from "../../core/job/job.ts"
import type { JsonObject } from "../../core/json.ts"
import type { ProblemDocument } from "../../core/problem.ts"
import { jobs } from "../schema/jobs.ts"
import type { TenantTx } from "../tenant.ts"
import { appendAudit } from "./audit.ts"

/** How a job ends. */
export type JobEnd =
  | { state: "succeeded"; result: JsonObject }
  | { state: "failed"; problem: ProblemDocument }
  | { state: "cancelled" }

const { tenantId, dueAt: _due, leaseUntil: _lease, worker: _worker, ...others } = getTableColumns(jobs)
export const jobColumns = { ...others, scope: tenantId }

type Row = Omit<Job, "scope"> & { scope: string }

export const jobOf = (row: Row): Job => ({ ...row, scope: row.scope as ScopeId })

export const ownJob = (scope: ScopeId, jobId: string) => and(eq(jobs.tenantId, scope), eq(jobs.jobId, jobId))

/** The end and its entry in the audit, in the transaction of whoever may write it: the job's holder, or nobody holds it. */
export const endJob = async (
  tx: TenantTx,
  job: Pick<Job, "scope" | "jobId" | "kind" | "createdBy">,
  end: JobEnd,
): Promise<void> => {
  await tx.db
    .update(jobs)
    .set({ ...end, endedAt: sql`clock_timestamp()`, leaseUntil: null, worker: null })
    .where(ownJob(job.scope, job.jobId))
  await appendAudit(tx, [jobEnded(job, end)])
}

const jobEnded = (
  { scope, jobId, kind, createdBy }: Pick<Job, "scope" | "jobId" | "kind" | "createdBy">,
  end: JobEnd,
): AuditBody => ({
  action: "job.end",
  actor: { subject: createdBy.subject, tokenId: createdBy.tokenId },
  target: jobIdOf(scope, jobId),
  detail: { kind, state: end.state, ...(end.state === "failed" ? { code: end.problem.code } : {}) },
})
