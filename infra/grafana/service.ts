import type { Dashboard } from "@grafana/grafana-foundation-sdk/dashboard"
import { dashboard, type Row, series, stat } from "./panels.ts"

const OWN = 'source="service"'
const requestsOf = (more = "") => `sum(rate(hotswap_tenant_requests_total{${OWN}${more}}[$__rate_interval]))`
const answerTime = (share: number) =>
  `histogram_quantile(${share}, sum by (le) (rate(hotswap_tenant_request_duration_seconds_bucket{${OWN}}[$__rate_interval])))`

const health: Row = {
  title: "Health",
  panels: [
    series({
      title: "Requests a second",
      help: "To Hotswap itself, of all tenants.",
      unit: "reqps",
      lines: [
        ["all", requestsOf()],
        ["5xx", requestsOf(', status=~"5.."')],
      ],
    }),
    series({
      title: "How long an answer takes",
      help: "Hotswap's own, over all tenants.",
      unit: "s",
      lines: [0.5, 0.95, 0.99].map((share) => [`p${share * 100}`, answerTime(share)] as const),
    }),
    series({
      title: "The ten tenants with the most failures",
      help: "5xx a second. One alone is that tenant's trouble, all of them ours.",
      unit: "reqps",
      lines: [
        [
          "{{tenant}}",
          `topk(10, sum by (tenant) (rate(hotswap_tenant_requests_total{${OWN}, status=~"5.."}[$__rate_interval])) > 0)`,
        ],
      ],
    }),
  ],
}

const rollouts: Row = {
  title: "Rollouts",
  panels: [
    series({
      title: "Changes that go on by the clock",
      help: "By state. What waits for a person alone is not among them.",
      unit: "short",
      lines: [["{{state}}", "max by (state) (hotswap_changes_timed)"]],
    }),
    series({
      title: "Late: changes, messages",
      help: "By how much the latest is late. Above two minutes rollouts stand still: look at `advance`.",
      unit: "s",
      lines: [
        ["changes", "max(hotswap_changes_late_seconds)"],
        ["messages", "max(hotswap_deliveries_late_seconds)"],
      ],
    }),
    stat({
      title: "Messages given up within an hour",
      help: "Receivers that were away for ten hours.",
      unit: "short",
      lines: [["", "max(hotswap_deliveries_dead)"]],
    }),
  ],
}

const cache: Row = {
  title: "Cache",
  panels: [
    series({
      title: "Waits to be published",
      help: "What was committed and is not in Redis yet. Readers see it within the bound all the same.",
      unit: "s",
      lines: [["oldest", "max(hotswap_outbox_age_seconds)"]],
    }),
    series({
      title: "Moves that wait",
      help: "As many as this are to be published.",
      unit: "short",
      lines: [["moves", "max(hotswap_outbox_marks)"]],
    }),
    series({
      title: "Answered from memory",
      help: "Share of reads that asked neither Redis nor PostgreSQL, of all tenants.",
      unit: "percentunit",
      lines: [
        [
          "share",
          'sum(rate(hotswap_tenant_cache_requests_total{result="hit"}[$__rate_interval])) / sum(rate(hotswap_tenant_cache_requests_total[$__rate_interval]))',
        ],
      ],
    }),
  ],
}

const backups: Row = {
  title: "Backups and jobs",
  panels: [
    series({
      title: "Scopes by how their backups are",
      help: "Anything but 0 wants looking at.",
      unit: "short",
      lines: [
        ["overdue", "max(hotswap_backup_tenants_overdue)"],
        ["failing", "max(hotswap_backup_failures)"],
        ["never", "max(hotswap_backup_scopes_never)"],
        ["paused", "max(hotswap_backup_scopes_paused)"],
      ],
    }),
    stat({
      title: "Oldest latest backup; since the last drill",
      help: "Both below two days.",
      unit: "s",
      lines: [
        ["backup", "max(hotswap_backup_oldest_age_seconds)"],
        ["drill", "time() - max(hotswap_drill_last_success_timestamp_seconds)"],
      ],
    }),
    series({
      title: "Jobs",
      help: "By kind: waiting, under way, and failed within a day.",
      unit: "short",
      lines: [
        ["waiting: {{kind}}", "max by (kind) (hotswap_jobs_queued)"],
        ["under way: {{kind}}", "max by (kind) (hotswap_jobs_running)"],
        ["failed: {{kind}}", "max by (kind) (hotswap_jobs_dead)"],
      ],
    }),
    series({
      title: "How long a job waits to be begun",
      help: "The longest of each kind. Above a quarter of an hour nobody does jobs.",
      unit: "s",
      lines: [["{{kind}}", "max by (kind) (hotswap_jobs_waited_seconds)"]],
    }),
    stat({
      title: "Scopes",
      help: "Tenants, tiers and the platform.",
      unit: "short",
      lines: [["", "max(hotswap_backup_scopes)"]],
    }),
    series({
      title: "What is told by name, and what is not counted yet",
      help: "Tenants with metrics of their own, and events that wait to be counted: that they grow means that counting lags.",
      unit: "short",
      lines: [
        ["tenants", "max(hotswap_metric_tenants)"],
        ["events", "max(hotswap_usage_uncounted_events)"],
      ],
    }),
  ],
}

/** How the service is, over all tenants. */
export const service = (): Dashboard =>
  dashboard({
    uid: "hotswap-service",
    title: "Hotswap: service",
    description: "Rollouts, cache, backups and health over all tenants, by what GET /metrics tells.",
    chosenBy: [],
    rows: [health, rollouts, cache, backups],
  })
