/** What Prometheus looks at, and when it tells somebody: https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/ */
export interface Rule {
  alert: string
  expr: string
  /** It has to be so for this long. */
  for: string
  labels: { severity: "page" | "ticket" }
  /** `page`: where it says what to do, from the repository's folder. */
  annotations: { summary: string; description: string; page: string }
}

interface Group {
  name: string
  rules: readonly Rule[]
}

const rule = (
  alert: string,
  severity: Rule["labels"]["severity"],
  waits: string,
  expr: string,
  [summary, description]: readonly [string, string],
  page: string,
): Rule => ({
  alert,
  expr,
  for: waits,
  labels: { severity },
  annotations: { summary, description, page: `docs/${page}` },
})

const OWN = 'source="service"'

const requests: Group = {
  name: "hotswap-requests",
  rules: [
    rule(
      "HotswapDown",
      "page",
      "5m",
      "absent(hotswap_backup_scopes)",
      ["Nothing tells its metrics", "GET /metrics has not been answered for five minutes, or is not asked."],
      "observability.md#on-call",
    ),
    rule(
      "HotswapErrors",
      "page",
      "5m",
      `sum(rate(hotswap_tenant_requests_total{${OWN},status=~"5.."}[5m])) / sum(rate(hotswap_tenant_requests_total{${OWN}}[5m])) > 0.01 and sum(increase(hotswap_tenant_requests_total{${OWN}}[5m])) > 20`,
      ["More than 1 % of all requests fail", "{{ $value | humanizePercentage }} were answered by 5xx."],
      "alarms.md#errors",
    ),
    rule(
      "HotswapTenantErrors",
      "ticket",
      "10m",
      `sum by (tenant) (rate(hotswap_tenant_requests_total{${OWN},status=~"5.."}[10m])) / sum by (tenant) (rate(hotswap_tenant_requests_total{${OWN}}[10m])) > 0.05 and sum by (tenant) (increase(hotswap_tenant_requests_total{${OWN}}[10m])) > 20`,
      [
        "More than 5 % of a tenant's requests fail",
        "Of {{ $labels.tenant }}, {{ $value | humanizePercentage }} were answered by 5xx.",
      ],
      "alarms.md#errors",
    ),
    rule(
      "HotswapSlow",
      "page",
      "10m",
      `histogram_quantile(0.95, sum by (le) (rate(hotswap_tenant_request_duration_seconds_bucket{${OWN}}[5m]))) > 0.5`,
      ["Answers take long", "One in twenty takes longer than {{ $value | humanizeDuration }}."],
      "observability.md#on-call",
    ),
    rule(
      "HotswapSecurityAlerts",
      "ticket",
      "0m",
      'sum by (tenant) (increase(hotswap_tenant_security_alerts_total{kind="refused_access"}[15m])) > 0',
      ["Access was refused in bursts", "Somebody tries tokens or routes of {{ $labels.tenant }}."],
      "security.md",
    ),
    rule(
      "HotswapLimitReached",
      "ticket",
      "15m",
      "max by (tenant, environment, action) (hotswap_tenant_rate_limit_usage_ratio) >= 1",
      [
        "A tenant is at its limit",
        "{{ $labels.tenant }} is refused {{ $labels.action }} in {{ $labels.environment }}.",
      ],
      "limits.md",
    ),
  ],
}

const rollouts: Group = {
  name: "hotswap-rollouts",
  rules: [
    rule(
      "HotswapOutboxOld",
      "page",
      "2m",
      "hotswap_outbox_age_seconds > 30",
      ["Readers hear of changes late", "The oldest move has waited for {{ $value | humanizeDuration }}."],
      "alarms.md#outbox-age",
    ),
    rule(
      "HotswapChangesLate",
      "page",
      "2m",
      "hotswap_changes_late_seconds > 120",
      ["Rollouts stand still", "A change should have gone on {{ $value | humanizeDuration }} ago."],
      "alarms.md#changes-late",
    ),
    rule(
      "HotswapMessagesLate",
      "ticket",
      "10m",
      "hotswap_deliveries_late_seconds > 900",
      ["Messages are sent late", "One should have been tried {{ $value | humanizeDuration }} ago."],
      "alarms.md#messages-late",
    ),
    rule(
      "HotswapMessagesDead",
      "ticket",
      "0m",
      "hotswap_deliveries_dead > 100",
      ["Many messages were given up", "{{ $value }} within an hour."],
      "alarms.md#messages-dead",
    ),
    rule(
      "HotswapCacheCold",
      "ticket",
      "15m",
      'sum(rate(hotswap_tenant_cache_requests_total{result="hit"}[15m])) / sum(rate(hotswap_tenant_cache_requests_total[15m])) < 0.5 and sum(increase(hotswap_tenant_cache_requests_total[15m])) > 1000',
      ["Half of the reads are not answered from memory", "Only {{ $value | humanizePercentage }} are."],
      "runbooks/redis-lost.md",
    ),
    rule(
      "HotswapUncounted",
      "ticket",
      "15m",
      "hotswap_usage_uncounted_events > 10000 and delta(hotswap_usage_uncounted_events[15m]) > 0",
      ["Events wait to be counted", "{{ $value }} of them, and more come than are counted."],
      "observability.md#on-call",
    ),
  ],
}

const backups: Group = {
  name: "hotswap-backups",
  rules: [
    rule(
      "HotswapBackupsOverdue",
      "page",
      "1h",
      "hotswap_backup_tenants_overdue > 0",
      ["Backups are overdue", "Of {{ $value }} scopes, for twice as long as their schedules say."],
      "alarms.md#backups-overdue",
    ),
    rule(
      "HotswapBackupsFailing",
      "ticket",
      "30m",
      "hotswap_backup_failures > 0",
      ["Backups fail", "The last of {{ $value }} scopes did."],
      "alarms.md#backups-failing",
    ),
    rule(
      "HotswapBackupsNever",
      "ticket",
      "1d",
      "hotswap_backup_scopes_never > 0",
      ["Scopes have never been backed up", "{{ $value }} of them."],
      "alarms.md#backups-never",
    ),
    rule(
      "HotswapBackupOld",
      "page",
      "15m",
      "hotswap_backup_oldest_age_seconds > 172800",
      ["A backup is too old", "The oldest latest one is {{ $value | humanizeDuration }} old."],
      "alarms.md#backup-age",
    ),
    rule(
      "HotswapDrillOld",
      "ticket",
      "1h",
      "time() - hotswap_drill_last_success_timestamp_seconds > 180000",
      ["No drill has succeeded lately", "The last one was {{ $value | humanizeDuration }} ago."],
      "alarms.md#drill-age",
    ),
    rule(
      "HotswapJobsDead",
      "ticket",
      "0m",
      "hotswap_jobs_dead > 0",
      ["A job was given up", "{{ $value }} of the kind {{ $labels.kind }} within a day."],
      "alarms.md#jobs-dead",
    ),
    rule(
      "HotswapJobsLate",
      "page",
      "5m",
      "hotswap_jobs_waited_seconds > 900",
      [
        "Jobs are not begun",
        "One of the kind {{ $labels.kind }} has waited for {{ $value | humanizeDuration }}.",
      ],
      "alarms.md#jobs-late",
    ),
  ],
}

export const groups: readonly Group[] = [requests, rollouts, backups]
