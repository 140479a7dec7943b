import { z } from "@hono/zod-openapi"
import { schedulePeriods } from "../../core/backup/schedule.ts"
import { JOB_KINDS } from "../../core/job/job.ts"
import { backupFigures, jobFigures } from "../../db/system-backups.ts"
import { usageFigures } from "../../db/system-usage.ts"
import { type Route, type RouteReply, route } from "../http/route.ts"
import type { ManageDeps } from "./deps.ts"
import { lagMetrics } from "./lag-metrics.ts"
import { tenantMetrics } from "./tenant-metrics.ts"

/** Prometheus' text format, 0.0.4. */
const TEXT = "text/plain; version=0.0.4; charset=utf-8"

/** By value of its one label; under `""` without. */
export interface Metric {
  name: string
  help: string
  label?: string
  values: ReadonlyMap<string, number | null>
}

const one = (value: number | null): ReadonlyMap<string, number | null> => new Map([["", value]])

const linesOf = ({ name, help, label, values }: Metric): string[] => {
  const known = [...values].filter(([, value]) => value !== null)
  if (known.length === 0) return []
  return [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} gauge`,
    ...known.map(([of, value]) => `${name}${label ? `{${label}="${of}"}` : ""} ${value}`),
  ]
}

const textOf = (metrics: readonly Metric[]): string => `${metrics.flatMap(linesOf).join("\n")}\n`

/** All that is told of the service itself, what is not known yet among it. */
export const metricsOf = async ({ system }: Pick<ManageDeps, "system">): Promise<Metric[]> => {
  const backups = await backupFigures(system, schedulePeriods())
  const usage = await usageFigures(system)
  const jobs = new Map((await jobFigures(system)).map((figures) => [figures.kind, figures]))
  const byKind = (what: "queued" | "running" | "dead" | "waitedSeconds") =>
    new Map(JOB_KINDS.map((kind) => [kind, jobs.get(kind)?.[what] ?? 0]))
  return [
    {
      name: "hotswap_backup_scopes",
      help: "Tenants, tiers and the platform, without the deleted.",
      values: one(backups.scopes),
    },
    {
      name: "hotswap_backup_scopes_paused",
      help: "Of these, those whose schedule is paused.",
      values: one(backups.paused),
    },
    {
      name: "hotswap_backup_scopes_never",
      help: "Of these, those without a complete backup.",
      values: one(backups.never),
    },
    {
      name: "hotswap_backup_tenants_overdue",
      help: "Scopes without a complete backup for twice as long as their schedule says.",
      values: one(backups.overdue),
    },
    {
      name: "hotswap_backup_failures",
      help: "Scopes whose last scheduled backups failed.",
      values: one(backups.failing),
    },
    {
      name: "hotswap_backup_oldest_age_seconds",
      help: "Age of the oldest among the scopes' latest backups.",
      values: one(backups.oldestAgeSeconds),
    },
    {
      name: "hotswap_drill_last_success_timestamp_seconds",
      help: "When archives were last restored for trial and found right.",
      values: one(backups.lastDrillSeconds),
    },
    { name: "hotswap_jobs_queued", help: "Jobs that wait.", label: "kind", values: byKind("queued") },
    { name: "hotswap_jobs_running", help: "Jobs under way.", label: "kind", values: byKind("running") },
    {
      name: "hotswap_jobs_dead",
      help: "Jobs that failed within the last day.",
      label: "kind",
      values: byKind("dead"),
    },
    {
      name: "hotswap_jobs_waited_seconds",
      help: "How long the longest due job has waited to be begun.",
      label: "kind",
      values: byKind("waitedSeconds"),
    },
    ...(await lagMetrics(system)),
    {
      name: "hotswap_metric_tenants",
      help: "Tenants whose metrics are told by their name; the others are ~other.",
      values: one(usage.labelled),
    },
    {
      name: "hotswap_usage_uncounted_events",
      help: "Events of tenants that are kept and not counted yet.",
      values: one(usage.uncounted),
    },
  ]
}

const PAGES_MAX = 1_000
const Page = z.coerce.number().int().min(1).max(PAGES_MAX).default(1)
const Pages = z
  .strictObject({ page: Page, pages: Page })
  .refine(({ page, pages }) => page <= pages, { path: ["page"], message: "There are not so many pages." })

async function* pieces(deps: ManageDeps, head: string, page: number, pages: number) {
  const encoder = new TextEncoder()
  if (head !== "") yield encoder.encode(head)
  for await (const text of tenantMetrics(deps, { part: page - 1, parts: pages })) yield encoder.encode(text)
}

/** For Prometheus: how backups, jobs and drills go, over all tenants together, and what happens at each. */
export const metricsRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/metrics",
    operationId: "readMetrics",
    tag: "Service",
    summary:
      "How backups, jobs and drills go, and what happens at each tenant, in Prometheus' text format; with many tenants in `pages`",
    action: "metrics.read",
    query: Pages,
    replies: { 200: { description: "The metrics", contentType: TEXT } },
    isLong: true,
    run: async ({ query: { page, pages } }): Promise<RouteReply> => ({
      status: 200,
      headers: { "content-type": TEXT, "cache-control": "no-store" },
      body: pieces(deps, page === 1 ? textOf(await metricsOf(deps)) : "", page, pages),
    }),
  })
