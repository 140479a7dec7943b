import { and, desc, eq, lt, sql } from "drizzle-orm"
import type { Instant } from "../../core/change/change.ts"
import type { Environment } from "../../core/environment.ts"
import type { ChangeId, ReleaseId, ScopeId } from "../../core/ids.ts"
import type { Database } from "../client.ts"
import { toInstant } from "../instant.ts"
import { pointers } from "../schema/pointers.ts"
import { withTenant } from "../tenant.ts"

/** A release while it was stable. */
export interface StableRelease {
  /** Of the pointer's row that made it so. */
  seq: number
  release: ReleaseId
  at: Instant
  /** `null`: it still is. */
  until: Instant | null
  /** The change that made it what it is. */
  changeId: ChangeId | null
  /** Why the pointer moved to it, and away from it. */
  cause: string
  endedBy: string | null
}

/** The row that ended it: the next one that names another release. */
const ending = (column: "at" | "cause") =>
  sql<string | null>`(select q.${sql.identifier(column)} from ${pointers} q
    where q.tenant_id = "pointers"."tenant_id" and q.environment = "pointers"."environment"
      and q.seq > "pointers"."seq" and q.stable <> "pointers"."stable" order by q.seq limit 1)`

/** What was stable in a scope × environment, newest first; `before` is the `seq` of the last one of the page before. */
export const listReleases = (
  database: Database,
  scope: ScopeId,
  environment: Environment,
  { limit, before }: { limit: number; before?: number },
): Promise<StableRelease[]> =>
  withTenant(database, scope, async (tx) => {
    // A row that only moves the candidate names the same stable release as the one before it.
    const isNews = sql`not exists (select from ${pointers} p where p.tenant_id = "pointers"."tenant_id"
      and p.environment = "pointers"."environment" and p.seq = "pointers"."seq" - 1 and p.stable = "pointers"."stable")`
    const rows = await tx.db
      .select({
        seq: pointers.seq,
        release: pointers.stable,
        at: pointers.at,
        until: ending("at"),
        changeId: pointers.stableChangeId,
        cause: pointers.cause,
        endedBy: ending("cause"),
      })
      .from(pointers)
      .where(
        and(
          eq(pointers.tenantId, scope),
          eq(pointers.environment, environment),
          before === undefined ? undefined : lt(pointers.seq, before),
          isNews,
        ),
      )
      .orderBy(desc(pointers.seq))
      .limit(limit)
    return rows.map(({ until, ...row }) => ({
      ...row,
      until: until === null ? null : toInstant(until),
    })) as StableRelease[]
  })
