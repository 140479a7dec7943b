import type { Dashboard } from "@grafana/grafana-foundation-sdk/dashboard"
import { dashboard, type Row, series, stat } from "./panels.ts"

const T = 'tenant=~"$tenant", tier=~"$tier"'

/** A second, as a mean over a little more than what a graph's point stands for. */
const rate = (metric: string, more = ""): string =>
  `rate(hotswap_tenant_${metric}{${T}${more}}[$__rate_interval])`
/** Over all of the time that is looked at. */
const increase = (metric: string): string => `sum(increase(hotswap_tenant_${metric}{${T}}[$__range]))`
const sumBy = (labels: string, of: string): string => `sum by (${labels}) (${of})`
const quantile = (share: number, metric: string, labels = ""): string =>
  `histogram_quantile(${share}, ${sumBy(`le${labels}`, rate(`${metric}_seconds_bucket`))})`
const quantiles = (metric: string, label = "") =>
  ([0.5, 0.95, 0.99] as const).map(
    (share) =>
      [
        `p${share * 100}${label ? ` {{${label}}}` : ""}`,
        quantile(share, metric, label && `, ${label}`),
      ] as const,
  )

const requests: Row = {
  title: "Requests",
  panels: [
    series({
      title: "Requests a second",
      help: "By tenant. A fall to nothing means that the application has stopped asking, or cannot.",
      unit: "reqps",
      lines: [["{{tenant}}", sumBy("tenant", rate("requests_total"))]],
    }),
    series({
      title: "How long an answer takes",
      help: "Over all chosen tenants; `service` is Hotswap itself, `application` what applications told of their own.",
      unit: "s",
      lines: quantiles("request_duration", "source"),
    }),
    series({
      title: "Requests a second, by status",
      help: "4xx are callers' mistakes, 5xx ours.",
      unit: "reqps",
      lines: [["{{status}}", sumBy("status", rate("requests_total"))]],
    }),
    series({
      title: "The ten busiest routes",
      help: "By template of the path.",
      unit: "reqps",
      lines: [["{{method}} {{route}}", `topk(10, ${sumBy("method, route", rate("requests_total"))})`]],
    }),
    series({
      title: "Share of failed requests",
      help: "5xx among all.",
      unit: "percentunit",
      lines: [
        [
          "{{tenant}}",
          `${sumBy("tenant", rate("requests_total", ', status=~"5.."'))} / ${sumBy("tenant", rate("requests_total"))}`,
        ],
      ],
    }),
    series({
      title: "Errors a second, by type",
      help: "The service's own, and those that applications told of.",
      unit: "short",
      lines: [["{{type}}", sumBy("type", rate("errors_total"))]],
    }),
  ],
}

const business: Row = {
  title: "Volumes and revenue",
  panels: [
    stat({
      title: "Orders",
      help: "Over the time shown.",
      unit: "short",
      lines: [["", increase("orders_total")]],
    }),
    stat({
      title: "Value of the orders",
      help: "Over the time shown, in the currency's whole units.",
      unit: "short",
      lines: [["", `${increase("order_amount_cents_total")} / 100`]],
    }),
    stat({
      title: "Paid",
      help: "Over the time shown, in the currency's whole units.",
      unit: "short",
      lines: [["", `${increase("payment_amount_cents_total")} / 100`]],
    }),
    series({
      title: "Orders an hour",
      help: "By tenant.",
      unit: "short",
      lines: [["{{tenant}}", `3600 * ${sumBy("tenant", rate("orders_total"))}`]],
    }),
    series({
      title: "Payments an hour",
      help: "By method.",
      unit: "short",
      lines: [["{{method}}", `3600 * ${sumBy("method", rate("payments_total"))}`]],
    }),
    series({
      title: "Paid an hour",
      help: "By tenant, in the currency's whole units.",
      unit: "short",
      lines: [["{{tenant}}", `36 * ${sumBy("tenant", rate("payment_amount_cents_total"))}`]],
    }),
  ],
}

const users: Row = {
  title: "Users",
  panels: [
    series({
      title: "Users of a day",
      help: "Each user counts once a day (UTC): those of the last 24 hours.",
      unit: "short",
      lines: [["{{tenant}}", sumBy("tenant", `increase(hotswap_tenant_active_user_days_total{${T}}[1d])`)]],
    }),
    series({
      title: "New users of a week",
      help: "Seen for the first time within seven days.",
      unit: "short",
      lines: [["{{tenant}}", sumBy("tenant", `increase(hotswap_tenant_new_users_total{${T}}[7d])`)]],
    }),
    series({
      title: "Logins an hour; alerts",
      help: "Alerts are bursts of refused access, and what applications told of.",
      unit: "short",
      lines: [
        ["logins", `3600 * sum(${rate("logins_total")})`],
        ["alerts: {{kind}}", `3600 * ${sumBy("kind", rate("security_alerts_total"))}`],
      ],
    }),
  ],
}

const commands: Row = {
  title: "Commands and limits",
  panels: [
    series({
      title: "Commands a second",
      help: "By command and how it ended.",
      unit: "short",
      lines: [["{{command}} {{status}}", sumBy("command, status", rate("commands_total"))]],
    }),
    series({
      title: "How long a command takes",
      help: "Over all chosen tenants.",
      unit: "s",
      lines: quantiles("command_duration"),
    }),
    series({
      title: "Eligibility checks a second",
      help: "By type and result.",
      unit: "short",
      lines: [["{{type}} {{result}}", sumBy("type, result", rate("eligibility_checks_total"))]],
    }),
    series({
      title: "How far limits are used",
      help: "The most used of each tenant and action. At 1 calls are refused.",
      unit: "percentunit",
      lines: [
        ["{{tenant}} {{action}}", `max by (tenant, action) (hotswap_tenant_rate_limit_usage_ratio{${T}})`],
      ],
    }),
    series({
      title: "Refused by limits, a second",
      help: "By tenant and action.",
      unit: "short",
      lines: [
        [
          "{{tenant}} {{action}}",
          sumBy("tenant, action", rate("rate_limit_requests_total", ', result="refused"')),
        ],
      ],
    }),
  ],
}

const serving: Row = {
  title: "Configuration and storage",
  panels: [
    series({
      title: "Answered from memory",
      help: "Share of reads that asked neither Redis nor PostgreSQL.",
      unit: "percentunit",
      lines: [
        [
          "{{tenant}}",
          `${sumBy("tenant", rate("cache_requests_total", ', result="hit"'))} / ${sumBy("tenant", rate("cache_requests_total"))}`,
        ],
      ],
    }),
    series({
      title: "How long it takes to have a configuration",
      help: "In the function that serves it, from wherever it comes.",
      unit: "s",
      lines: quantiles("retrieval_duration"),
    }),
    series({
      title: "Storage",
      help: "Rows in the database, and archives.",
      unit: "bytes",
      lines: [["{{tenant}} {{kind}}", `sum by (tenant, kind) (hotswap_tenant_storage_bytes{${T}})`]],
    }),
  ],
}

/** What tenants do, and how they fare: of one, some or all of them. */
export const tenants = (): Dashboard =>
  dashboard({
    uid: "hotswap-tenants",
    title: "Hotswap: tenants",
    description:
      "What tenants do and how they fare, by what GET /metrics tells. `~other` are those beyond the cap.",
    chosenBy: [
      { label: "tier", metric: "hotswap_tenant_requests_total" },
      { label: "tenant", metric: 'hotswap_tenant_requests_total{tier=~"$tier"}' },
    ],
    rows: [requests, business, users, commands, serving],
  })
