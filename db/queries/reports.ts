import { and, asc, desc, eq, gt, gte, inArray, lt, type SQL, sql } from "drizzle-orm"
import type { AuditBody, AuditEntry } from "../../core/audit/entry.ts"
import { isCalled, named, pseudonymsIn } from "../../core/audit/people.ts"
import type { Change, Instant } from "../../core/change/change.ts"
import type { ChangeId, TenantId } from "../../core/ids.ts"
import { ACCESS_PATTERN } from "../../core/report/access-record.ts"
import { leadsTo } from "../../core/report/leads-to.ts"
import type { Period } from "../../core/report/period.ts"
import type { Database } from "../client.ts"
import { auditEntries } from "../schema/audit.ts"
import { changes } from "../schema/changes.ts"
import { reportReviews } from "../schema/erasures.ts"
import { type TenantTx, withTenant } from "../tenant.ts"
import { appendAudit } from "./audit.ts"
import { findAuditPeople } from "./audit-people.ts"
import { type Remember, remember } from "./replies.ts"

const { tenantId, seq, at, action, target } = auditEntries

/** Entries with the names in them that were not erased, oldest first. */
const namedEntries = async (tx: TenantTx, fits: SQL | undefined, limit?: number): Promise<AuditEntry[]> => {
  const asked = tx.db
    .select({ seq, at, body: auditEntries.body, prev: auditEntries.prev, hash: auditEntries.hash })
    .from(auditEntries)
    .where(and(eq(tenantId, tx.scope), fits))
    .orderBy(asc(seq))
  const rows = await (limit === undefined ? asked : asked.limit(limit))
  const entries = rows.map((row) => ({ ...row, body: JSON.parse(row.body) as AuditBody }))
  const people = await findAuditPeople(tx, [...new Set(entries.flatMap(({ body }) => pseudonymsIn(body)))])
  // A row that somebody else was written into is nobody's.
  const names = new Map(people.filter(isCalled).map(({ pseudonym, subject }) => [pseudonym, subject]))
  return entries.map((entry) => ({ ...entry, body: named(entry.body, names) }))
}

/** A change with all that the audit says of it, oldest first. */
export interface ChangeStory {
  change: Change
  entries: AuditEntry[]
}

/** Changes that something happened to since then, oldest first; `after` is the last one of the page before. */
export const changeStories = (
  database: Database,
  scope: TenantId,
  { from, after, limit }: { from: Instant; after: ChangeId | null; limit: number },
): Promise<ChangeStory[]> =>
  withTenant(database, scope, async (tx) => {
    const rows = await tx.db
      .select({
        content: changes.content,
        status: changes.status,
        approvals: changes.approvals,
        comments: changes.comments,
        versions: changes.versions,
      })
      .from(changes)
      .where(
        and(
          eq(changes.tenantId, scope),
          gte(changes.updatedAt, from),
          after === null ? undefined : gt(changes.changeId, after),
        ),
      )
      .orderBy(asc(changes.changeId))
      .limit(limit)
    const ids = rows.map(({ content }) => content.changeId as string)
    if (ids.length === 0) return []
    const byTarget = Map.groupBy(await namedEntries(tx, inArray(target, ids)), ({ body }) => body.target)
    return rows.map(({ versions, ...change }) => ({
      change: versions ? { ...change, versions } : change,
      entries: byTarget.get(change.content.changeId) ?? [],
    }))
  })

const within = ({ from, to }: Period): SQL | undefined => and(gte(at, from), lt(at, to))
const shows = sql`${action} ~ ${ACCESS_PATTERN}`

/** Entries that say that somebody had something shown, oldest first. */
export const accessEntries = (
  database: Database,
  scope: TenantId,
  { period, after, limit }: { period: Period; after: number; limit: number },
): Promise<AuditEntry[]> =>
  withTenant(database, scope, (tx) => namedEntries(tx, and(within(period), shows, gt(seq, after)), limit))

/** How often each token stands in the audit of the period, and how often because it had something shown. */
export interface TokenUse {
  tokenId: string
  subject: string
  actions: number
  accesses: number
  lastAt: Instant
}

/** Tokens and people that did anything in the period, by token. */
export const tokensUsed = (database: Database, scope: TenantId, period: Period): Promise<TokenUse[]> =>
  withTenant(database, scope, async (tx) => {
    const rows = await tx.db.execute<Record<keyof TokenUse, string>>(sql`
      select e.body::jsonb #>> '{actor,tokenId}' as "tokenId", coalesce(p.subject, e.actor) as subject,
        count(*) as actions, count(*) filter (where e.action ~ ${ACCESS_PATTERN}) as accesses,
        hotswap.instant(max(e.at)) as "lastAt"
      from hotswap.audit_entries e
      left join hotswap.audit_people p on p.tenant_id = e.tenant_id and p.pseudonym = e.actor and p.pseudonym =
        'person:' || encode(sha256(p.salt || convert_to(p.subject, 'UTF8')), 'hex')
      where e.tenant_id = ${scope} and e.at >= ${period.from} and e.at < ${period.to}
      group by 1, 2 order by 1, 2`)
    return rows.map(({ tokenId, subject, actions, accesses, lastAt }) => ({
      tokenId,
      subject,
      actions: Number(actions),
      accesses: Number(accesses),
      lastAt,
    }))
  })

/** What a record of processing is made of, as the data has it. */
export interface ProcessingFacts {
  /** Different people and applications that tokens were issued to. */
  subjects: number
  /** People that stand in the audit under a pseudonym that can still be opened. */
  auditPeople: number
  hasAdminEmail: boolean
  comments: number
  channels: { type: string; leadsTo: string; environment: string | null }[]
  /** Data keys that secrets are sealed with. */
  dataKeys: number
  auditDays: number | null
  /** Different users that events name. */
  eventUsers: number
  firstAt: Instant | null
}

export const processingFacts = (database: Database, scope: TenantId): Promise<ProcessingFacts> =>
  withTenant(database, scope, async (tx) => {
    const [row] = await tx.db.execute<Record<string, unknown>>(sql`
      select (select count(distinct subject) from hotswap.tokens where tenant_id = ${scope}) as subjects,
        (select count(*) from hotswap.audit_people where tenant_id = ${scope}) as "auditPeople",
        (select admin_email is not null from hotswap.tenants where tenant_id = ${scope}) as "hasAdminEmail",
        (select coalesce(sum(jsonb_array_length(comments)), 0) from hotswap.changes where tenant_id = ${scope}) as comments,
        (select count(*) from hotswap.data_keys where tenant_id = ${scope} and wrapped is not null) as "dataKeys",
        (select days from hotswap.audit_retention where tenant_id = ${scope}) as "auditDays",
        (select count(distinct user_key) from hotswap.usage_users where tenant_id = ${scope}) as "eventUsers",
        (select hotswap.instant(created_at) from hotswap.tenants where tenant_id = ${scope}) as "firstAt",
        (select coalesce(jsonb_agg(jsonb_build_object('type', type, 'environment', environment,
          'leadsTo', coalesce(config ->> 'url', config ->> 'to')) order by channel_id), '[]')
          from hotswap.channels where tenant_id = ${scope}) as channels`)
    const { subjects, auditPeople, comments, dataKeys, eventUsers, channels, ...rest } =
      row as unknown as ProcessingFacts
    return {
      ...rest,
      channels: channels.map((one) =>
        one.type === "email" ? one : { ...one, leadsTo: leadsTo(one.leadsTo) },
      ),
      subjects: Number(subjects),
      eventUsers: Number(eventUsers),
      auditPeople: Number(auditPeople),
      comments: Number(comments),
      dataKeys: Number(dataKeys),
    }
  })

export type ReportName = "soc2" | "gdpr" | "hipaa"

/** That somebody of compliance has looked through a report. */
export interface Review {
  reviewId: string
  report: ReportName
  from: Instant
  to: Instant
  throughSeq: number
  items: number
  by: string
  comment: string | null
  at: Instant
}

const reviewColumns = {
  reviewId: reportReviews.reviewId,
  report: reportReviews.report,
  from: reportReviews.fromAt,
  to: reportReviews.toAt,
  throughSeq: reportReviews.throughSeq,
  items: reportReviews.items,
  by: reportReviews.by,
  comment: reportReviews.comment,
  at: reportReviews.at,
}

/** Reviews of a report that have to do with any of the period, oldest first. */
export const listReviews = (
  database: Database,
  scope: TenantId,
  report: ReportName,
  { from, to }: Period,
): Promise<Review[]> =>
  withTenant(database, scope, async (tx) => {
    const { fromAt, toAt } = reportReviews
    const own = and(eq(reportReviews.tenantId, scope), eq(reportReviews.report, report))
    return await tx.db
      .select(reviewColumns)
      .from(reportReviews)
      .where(and(own, lt(fromAt, to), gt(toAt, from)))
      .orderBy(asc(reportReviews.at))
  })

/** Throws `KeyTaken`. */
export const addReview = (
  database: Database,
  scope: TenantId,
  { reviewId, report, from, to, throughSeq, items, by, comment }: Omit<Review, "at">,
  audit: AuditBody,
  reply?: Remember<Review>,
): Promise<Review> =>
  withTenant(database, scope, async (tx) => {
    const [row] = await tx.db
      .insert(reportReviews)
      .values({ tenantId: scope, reviewId, report, fromAt: from, toAt: to, throughSeq, items, by, comment })
      .returning(reviewColumns)
    await appendAudit(tx, [audit])
    await remember(tx, reply, row as Review)
    return row as Review
  })

/** How many accesses the period has, and the last of them; what a review says it has seen. */
export const accessesSeen = (
  database: Database,
  scope: TenantId,
  period: Period,
): Promise<{ items: number; throughSeq: number }> =>
  withTenant(database, scope, async (tx) => {
    const [row] = await tx.db
      .select({ items: sql<string>`count(*)`, throughSeq: sql<string | null>`max(${seq})` })
      .from(auditEntries)
      .where(and(eq(tenantId, scope), within(period), shows))
    return { items: Number(row?.items), throughSeq: Number(row?.throughSeq ?? 0) }
  })

/** The last entry before a moment; `null`: there is none. */
export const lastEntryBefore = (
  database: Database,
  scope: TenantId,
  to: Instant,
): Promise<{ seq: number; hash: string } | null> =>
  withTenant(database, scope, async (tx) => {
    const [row] = await tx.db
      .select({ seq, hash: auditEntries.hash })
      .from(auditEntries)
      .where(and(eq(tenantId, scope), lt(at, to)))
      .orderBy(desc(seq))
      .limit(1)
    return row ?? null
  })
