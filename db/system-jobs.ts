import { sql } from "drizzle-orm"
import type { ScopeId } from "../core/ids.ts"
import type { Database } from "./client.ts"
import type { Connection } from "./connection.ts"

// As `system.ts`, for jobs: which there are, whose, and when they are due, but not what they are about.

export interface DueJob {
  scope: ScopeId
  jobId: string
}

/** How many may be under way at once. */
export interface JobRoom {
  ofAll: number
  ofScope: number
}

/** Looked at, the longest due first; of these each scope's first come first. A scope has a hundred open at the most. */
const WINDOW = 2_000

/**
 * Hands `claim` the jobs that are due and that there is room for, by turns, `limit` at the most: whoever has fewest under way
 * comes first, so that one scope's many keep no other from its turn. One caller after the other, everywhere: counted and
 * claimed by two at once there would be more under way than there is room for. Resolves to what `claim` made of each.
 */
export const claimDueJobs = <T>(
  system: Database,
  room: JobRoom,
  limit: number,
  claim: (due: DueJob) => Promise<T>,
): Promise<T[]> =>
  system.transaction(async (connection) => {
    await connection.db.execute(sql`select pg_advisory_xact_lock(hashtextextended('hotswap.jobs', 0))`)
    const claimed: T[] = []
    for (const due of await dueJobs(connection, room, limit)) claimed.push(await claim(due))
    return claimed
  })

const dueJobs = async ({ db }: Connection, { ofAll, ofScope }: JobRoom, limit: number): Promise<DueJob[]> => {
  const rows = await db.execute<DueJob & Record<string, unknown>>(sql`
    with running as materialized (
      select tenant_id, count(*)::int as many from hotswap.jobs
      where state in ('queued', 'running') and due_at > clock_timestamp() and lease_until > clock_timestamp()
      group by tenant_id),
    due as materialized (
      select tenant_id, job_id, due_at from hotswap.jobs
      where state in ('queued', 'running') and due_at <= clock_timestamp()
      order by due_at limit ${WINDOW}),
    placed as (
      select d.*, coalesce(r.many, 0) + row_number() over (partition by d.tenant_id order by d.due_at, d.job_id) as place
      from due d left join running r on r.tenant_id = d.tenant_id)
    select tenant_id as scope, job_id as "jobId" from placed
    where place <= ${ofScope}
    order by place, due_at, job_id
    limit greatest(0, least(${limit}, ${ofAll} - (select coalesce(sum(many), 0)::int from running)))`)
  return rows.map(({ scope, jobId }) => ({ scope, jobId }))
}

/**
 * When the first job that is not due yet will be, in milliseconds from now; `null` where there is none. One that has become
 * due within the last second counts: whoever looked for what is due may have looked just before.
 */
export const nextJobInMs = (system: Database): Promise<number | null> =>
  system.transaction(async ({ db }) => {
    const [row] = await db.execute<{ ms: number | null }>(sql`
      select ceil(extract(epoch from min(due_at) - clock_timestamp()) * 1000)::int as ms
      from hotswap.jobs where state in ('queued', 'running') and due_at > clock_timestamp() - interval '1 second'`)
    return row?.ms ?? null
  })
