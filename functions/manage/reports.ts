import { z } from "@hono/zod-openapi"
import type { ChangeId, ConfigKey, TenantId } from "../../core/ids.ts"
import type { Json, JsonObject } from "../../core/json.ts"
import { ACCESS_TABLE, type Access, accessOf } from "../../core/report/access-record.ts"
import { CHANGE_TABLE, type ChangeEvidence, changeEvidence } from "../../core/report/change-evidence.ts"
import type { Period } from "../../core/report/period.ts"
import { PROCESSING_TABLE, processingRecord } from "../../core/report/processing-record.ts"
import { recordAudit } from "../../db/queries/audit.ts"
import { lastDrop } from "../../db/queries/audit-checkpoints.ts"
import {
  accessEntries,
  type ChangeStory,
  changeStories,
  lastEntryBefore,
  listReviews,
  processingFacts,
  type ReportName,
  tokensUsed,
} from "../../db/queries/reports.ts"
import { findTenant } from "../../db/queries/tenants.ts"
import { findVersions } from "../../db/queries/versions.ts"
import { type Route, type RouteReply, route, tenantNotFound } from "../http/route.ts"
import { Instant, wholeTenant } from "./audit-parts.ts"
import type { ManageDeps } from "./deps.ts"
import { periodOf } from "./period.ts"
import { audited } from "./remember.ts"
import {
  REPORT_FORMATS,
  REPORT_TYPES,
  type ReportFormat,
  type Written,
  writeReport,
} from "./report-writer.ts"
import { TenantPath } from "./shapes.ts"

const PAGE = 100

type Page = readonly ChangeStory[]

const versionsOf = async (deps: ManageDeps, scope: TenantId, page: Page) => {
  const checksums = new Map<string, string>()
  const byEnvironment = Map.groupBy(page, ({ change }) => change.content.environment)
  for (const [environment, stories] of byEnvironment) {
    const wanted = stories.flatMap(({ change: { content, versions } }) =>
      content.edits.flatMap(({ key }) =>
        [content.base[key] ?? 0, versions?.[key] ?? 0]
          .filter((version) => version > 0)
          .map((version) => ({ key, version })),
      ),
    )
    for (const { key, version, checksum } of await findVersions(deps.db, scope, environment, wanted))
      checksums.set(`${environment} ${key} ${version}`, checksum)
  }
  return checksums
}

async function* changesIn(deps: ManageDeps, scope: TenantId, period: Period): AsyncGenerator<ChangeEvidence> {
  for (let after: ChangeId | null = null; ; ) {
    const page: Page = await changeStories(deps.db, scope, { from: period.from, after, limit: PAGE })
    const checksums = await versionsOf(deps, scope, page)
    for (const { change, entries } of page) {
      const { environment } = change.content
      const checksumOf = (key: ConfigKey, version: number) =>
        checksums.get(`${environment} ${key} ${version}`)
      const evidence = changeEvidence(change, entries, period, checksumOf)
      if (evidence) yield evidence
    }
    if (page.length < PAGE) return
    after = page.at(-1)!.change.content.changeId
  }
}

async function* accessesIn(deps: ManageDeps, scope: TenantId, period: Period): AsyncGenerator<Access> {
  for (let after = 0; ; ) {
    const page = await accessEntries(deps.db, scope, { period, after, limit: PAGE })
    yield* page.map(accessOf)
    if (page.length < PAGE) return
    after = page.at(-1)!.seq
  }
}

async function* each<Item>(items: readonly Item[]): AsyncGenerator<Item> {
  yield* items
}

// Interfaces have no index signature; what goes through here holds nothing but JSON.
const plain = (value: unknown): Json => value as Json

/** What every report begins with: of whom, of when, and how far the audit it rests on goes. */
const headOf = async (
  deps: ManageDeps,
  scope: TenantId,
  report: ReportName,
  period: Period,
): Promise<JsonObject> => {
  const [tenant, drop, last] = await Promise.all([
    findTenant(deps.db, scope),
    lastDrop(deps.db, scope),
    lastEntryBefore(deps.db, scope, period.to),
  ])
  if (!tenant) throw tenantNotFound(scope)
  return {
    report,
    tenantId: scope,
    ...period,
    generatedAt: deps.clock.now().toISOString(),
    audit: { through: plain(last), droppedThrough: drop?.through ?? 0 },
  }
}

type Make = (deps: ManageDeps, scope: TenantId, period: Period) => Promise<Written<never>>

const written = <Item>(report: Written<Item>): Written<never> => report as unknown as Written<never>

const soc2: Make = async (deps, scope, period) =>
  written({
    title: "Evidence of changes (SOC 2)",
    head: await headOf(deps, scope, "soc2", period),
    table: CHANGE_TABLE,
    items: changesIn(deps, scope, period),
  })

const gdpr: Make = async (deps, scope, period) => {
  const tenant = await findTenant(deps.db, scope)
  if (!tenant) throw tenantNotFound(scope)
  const { name, adminEmail } = tenant
  const { eraseAfterDays, eventDays, processing } = deps.settings
  const facts = await processingFacts(deps.db, scope)
  const record = processingRecord(
    { tenantId: scope, name, adminEmail, eraseAfterDays, eventDays, ...facts },
    processing ?? {},
  )
  const missing = record.flatMap((field) => (field.missing === null ? [] : [field.missing]))
  return written({
    title: "Record of processing (GDPR, Article 30)",
    head: { ...(await headOf(deps, scope, "gdpr", period)), missing },
    table: PROCESSING_TABLE,
    items: each(record),
  })
}

const hipaa: Make = async (deps, scope, period) => {
  const [tokens, reviews] = await Promise.all([
    tokensUsed(deps.db, scope, period),
    listReviews(deps.db, scope, "hipaa", period),
  ])
  return written({
    title: "Record of access (HIPAA)",
    head: { ...(await headOf(deps, scope, "hipaa", period)), tokens: plain(tokens), reviews: plain(reviews) },
    table: ACCESS_TABLE,
    items: accessesIn(deps, scope, period),
  })
}

const REPORTS: Readonly<Record<ReportName, { make: Make; summary: string }>> = {
  soc2: {
    make: soc2,
    summary: "Who wanted, approved and rolled out each change of a period: SOC 2 change evidence",
  },
  gdpr: { make: gdpr, summary: "What is processed of a tenant's people, and why: GDPR Article 30" },
  hipaa: {
    make: hipaa,
    summary: "Who had what shown in a period, and who has reviewed that: HIPAA access record",
  },
}

const replyOf = async (
  format: ReportFormat,
  scope: TenantId,
  report: ReportName,
  made: Written<never>,
): Promise<RouteReply> => ({
  status: 200,
  headers: {
    "content-type": REPORT_TYPES[format],
    "content-disposition": `attachment; filename="${report}-${scope}.${format}"`,
  },
  body: writeReport(format, made),
})

const reportRoute = (deps: ManageDeps, report: ReportName): Route =>
  route({
    method: "get",
    path: `/api/v1/tenants/{tenantId}/reports/${report}`,
    operationId: `${report}Report`,
    isLong: true,
    tag: "Reports",
    summary: REPORTS[report].summary,
    action: "report.read",
    params: TenantPath,
    query: z.strictObject({
      from: Instant.optional().openapi({ description: "Inclusive; 90 days before `to` if it is left out" }),
      to: Instant.optional().openapi({ description: "Exclusive; now if it is left out" }),
      format: z.enum(REPORT_FORMATS).default("json"),
    }),
    replies: {
      200: {
        description: "The report; JSON ends with how many items it has",
        schema: z.looseObject({}),
        alsoAs: ["text/csv", "text/markdown"],
      },
    },
    where: wholeTenant(deps),
    run: async ({ scope, query, ...call }) => {
      const tenantId = scope as TenantId
      const period = periodOf(deps, query)
      const made = await REPORTS[report].make(deps, tenantId, period)
      const detail = { report, format: query.format, ...period }
      await recordAudit(deps.db, tenantId, audited(call, "report.read", tenantId, detail))
      return await replyOf(query.format, tenantId, report, made)
    },
  })

export const reportRoutes = (deps: ManageDeps): Route[] =>
  (Object.keys(REPORTS) as ReportName[]).map((report) => reportRoute(deps, report))
