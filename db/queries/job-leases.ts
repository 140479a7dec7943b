import { and, eq, type SQL, sql } from "drizzle-orm"
import type { Instant } from "../../core/change/change.ts"
import type { ScopeId } from "../../core/ids.ts"
import type { Job, JobProgress } from "../../core/job/job.ts"
import type { JsonObject } from "../../core/json.ts"
import type { ProblemDocument } from "../../core/problem.ts"
import type { Database } from "../client.ts"
import { jobs } from "../schema/jobs.ts"
import { tenants } from "../schema/tenants.ts"
import { type TenantTx, withTenant } from "../tenant.ts"
import { textQuery } from "../text-query.ts"
import { endJob, type JobEnd, jobColumns, jobOf, ownJob } from "./job-rows.ts"

// Who works on a job is told by a lease, by the database's clock. Each attempt has a name of its own, and whatever it writes
// asks whether the job still is that attempt's: one that was taken for dead alters nothing when it wakes.

/** One attempt at one job. */
export interface Lease {
  scope: ScopeId
  jobId: string
  worker: string
}

export type Claim =
  | { kind: "claimed"; job: Job }
  /** Nothing is left to do: it was cancelled, its tenant is gone, or it was given up. */
  | { kind: "ended"; job: Job; end: JobEnd }
  /** Somebody else has it, or it is not its time. */
  | { kind: "none" }

const inMs = (ms: number): SQL<string> => sql<string>`clock_timestamp() + ${ms} * interval '1 millisecond'`

const leasedFor = (ms: number) => ({ leaseUntil: inMs(ms), dueAt: inMs(ms) })

const isHeldBy = ({ scope, jobId, worker }: Lease) =>
  and(ownJob(scope, jobId), eq(jobs.worker, worker), eq(jobs.state, "running"))

/** Taken by whoever takes over, and by an attempt whose transaction must not take effect once it was taken over. */
const lockName = (jobId: string): string => `~job/${jobId}`

/**
 * For whoever takes it first: until the lease is over nobody else gets it. What was asked to be cancelled ends, and so does
 * what was begun `attemptsMax` times without coming further, with the problem that `gaveUp` makes.
 */
export const claimJob = (
  database: Database,
  { scope, jobId, worker }: Lease,
  {
    leaseMs,
    attemptsMax,
    gaveUp,
  }: { leaseMs: number; attemptsMax: number; gaveUp: (job: Job) => ProblemDocument },
): Promise<Claim> =>
  withTenant(database, scope, async (tx): Promise<Claim> => {
    if (!(await isFree(tx, jobId))) return { kind: "none" }
    const isDue = sql`${jobs.state} in ('queued', 'running') and ${jobs.dueAt} <= clock_timestamp()`
    const own = ownJob(scope, jobId)
    const [row] = await tx.db
      .select(jobColumns)
      .from(jobs)
      .where(and(own, isDue))
      .for("update", { skipLocked: true })
    if (!row) return { kind: "none" }
    const job = jobOf(row)
    const end = await endOf(tx, job, attemptsMax, gaveUp)
    if (end) {
      await endJob(tx, job, end)
      return { kind: "ended", job, end }
    }
    const [claimed] = await tx.db
      .update(jobs)
      .set({
        state: "running",
        worker,
        ...leasedFor(leaseMs),
        attempts: job.attempts + 1,
        startedAt: sql`coalesce(${jobs.startedAt}, clock_timestamp())`,
      })
      .where(own)
      .returning(jobColumns)
    await letOthersGoFirst(tx)
    return { kind: "claimed", job: jobOf(claimed!) }
  })

/** What else of this scope is due goes to the end of the line, in which every scope's jobs stand. */
const letOthersGoFirst = async (tx: TenantTx): Promise<void> => {
  const isInLine = sql`${jobs.state} = 'queued' and ${jobs.dueAt} <= clock_timestamp()`
  await tx.db
    .update(jobs)
    .set({ dueAt: sql`transaction_timestamp()` })
    .where(and(eq(jobs.tenantId, tx.scope), isInLine))
}

const endOf = async (
  tx: TenantTx,
  job: Job,
  attemptsMax: number,
  gaveUp: (job: Job) => ProblemDocument,
): Promise<JobEnd | null> => {
  if (job.cancelRequested) return { state: "cancelled" }
  const [tenant] = await tx.db
    .select({ status: tenants.status })
    .from(tenants)
    .where(eq(tenants.tenantId, tx.scope))
  if (tenant?.status === "deleted") return { state: "cancelled" }
  return job.attempts >= attemptsMax ? { state: "failed", problem: gaveUp(job) } : null
}

/** Does no attempt's transaction hold it? */
const isFree = async (tx: TenantTx, jobId: string): Promise<boolean> => {
  const [row] = await tx.db.execute<{ free: boolean }>(
    sql`select pg_try_advisory_xact_lock(hotswap.scope_lock(${tx.scope}, ${lockName(jobId)})) as free`,
  )
  return row?.free === true
}

/** `null`: it is this attempt's no longer. */
export const renewLease = (
  database: Database,
  lease: Lease,
  leaseMs: number,
  progress: JobProgress,
): Promise<{ cancelRequested: boolean } | null> =>
  withTenant(database, lease.scope, async (tx) => {
    const [row] = await tx.db
      .update(jobs)
      .set({ progress, ...leasedFor(leaseMs) })
      .where(isHeldBy(lease))
      .returning({ cancelRequested: jobs.cancelRequested })
    return row ?? null
  })

/**
 * What the next attempt goes on from. It has come further, so that its attempts are counted anew. With `tx` it is written in
 * that transaction, so that what the transaction does and that it was done come to be together; call it last then.
 */
export const keepCheckpoint = async (
  database: Database,
  lease: Lease,
  leaseMs: number,
  kept: { checkpoint: JsonObject; progress: JobProgress },
  tx?: TenantTx,
): Promise<{ cancelRequested: boolean } | null> => {
  const keep = async (own: TenantTx) => {
    const [row] = await own.db
      .update(jobs)
      .set({ ...kept, ...leasedFor(leaseMs), attempts: 0 })
      .where(isHeldBy(lease))
      .returning({ cancelRequested: jobs.cancelRequested })
    return row ?? null
  }
  return tx ? await tx.as(lease.scope, keep) : await withTenant(database, lease.scope, keep)
}

const lockQuery = textQuery(`select pg_advisory_xact_lock(hotswap.scope_lock($1, $2))`, ["scope", "lock"])
const heldQuery = textQuery(
  `select from hotswap.jobs where tenant_id = $1 and job_id = $2::text::uuid and worker = $3::text::uuid and state = 'running'`,
  ["scope", "jobId", "worker"],
)

/** Waits for its turn until the transaction ends; `false`: it is this attempt's no longer. */
export const holdJob = async (tx: TenantTx, lease: Lease): Promise<boolean> => {
  const { scope, jobId, worker } = lease
  const hold = async (own: TenantTx): Promise<boolean> => {
    // Sent together, and done one after the other.
    const [, held] = await Promise.all([
      own.run(lockQuery, { scope, lock: lockName(jobId) }),
      own.run(heldQuery, { scope, jobId, worker }),
    ])
    return held.length > 0
  }
  return tx.scope === lease.scope ? await hold(tx) : await tx.as(lease.scope, hold)
}

/** `false`: it is this attempt's no longer, and nothing was written. */
export const finishJob = (
  database: Database,
  lease: Lease,
  end: JobEnd,
  progress: JobProgress,
): Promise<boolean> =>
  withTenant(database, lease.scope, async (tx) => {
    const [row] = await tx.db.update(jobs).set({ progress }).where(isHeldBy(lease)).returning(jobColumns)
    if (!row) return false
    await endJob(tx, jobOf(row), end)
    return true
  })

/** Lets go of it: due again at `at`, or after `inMs`. `attempts` as they are to count; left as they are if not said. */
export const releaseJob = (
  database: Database,
  lease: Lease,
  {
    due,
    attempts,
    progress,
  }: { due: { at: Instant } | { inMs: number }; attempts?: number; progress: JobProgress },
): Promise<boolean> =>
  withTenant(database, lease.scope, async (tx) => {
    const dueAt = "at" in due ? sql<string>`${due.at}::text::timestamptz` : inMs(due.inMs)
    const released = await tx.db
      .update(jobs)
      .set({
        state: "queued",
        worker: null,
        leaseUntil: null,
        dueAt,
        progress,
        ...(attempts === undefined ? {} : { attempts }),
      })
      .where(isHeldBy(lease))
      .returning({ jobId: jobs.jobId })
    return released.length > 0
  })
