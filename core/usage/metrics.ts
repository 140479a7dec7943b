interface MetricShape {
  help: string
  labels: readonly string[]
  /** Without: a counter. */
  type?: "gauge" | "histogram"
}

/** The metrics of tenants. Each also has the labels `tenant` and `tier`. */
const METRICS = {
  requests_total: {
    help: "Requests about a tenant: to Hotswap itself, or as applications told.",
    labels: ["source", "route", "method", "status"],
  },
  request_duration_seconds: { help: "How long these took.", labels: ["source"], type: "histogram" },
  errors_total: { help: "Errors, by what went wrong.", labels: ["type"] },
  commands_total: { help: "Commands that applications told of.", labels: ["command", "status"] },
  command_duration_seconds: { help: "How long these took.", labels: ["command"], type: "histogram" },
  eligibility_checks_total: {
    help: "Eligibility checks that applications told of.",
    labels: ["type", "result"],
  },
  rate_limit_usage_ratio: {
    help: "Which part of a limit was used when it was last asked for; 0 when that is over.",
    labels: ["environment", "action"],
    type: "gauge",
  },
  rate_limit_requests_total: {
    help: "How often it was asked for so many of what is limited.",
    labels: ["environment", "action", "result"],
  },
  orders_total: { help: "Orders.", labels: [] },
  order_amount_cents_total: { help: "What was ordered for, in cents.", labels: [] },
  payments_total: { help: "Payments.", labels: ["method"] },
  payment_amount_cents_total: { help: "What was paid, in cents.", labels: ["method"] },
  logins_total: { help: "Logins.", labels: [] },
  active_user_days_total: { help: "Users, counted once for each UTC day that they were seen.", labels: [] },
  new_users_total: { help: "Users that were not seen before.", labels: [] },
  security_alerts_total: { help: "Security alerts.", labels: ["kind"] },
  cache_requests_total: {
    help: "Reads of a tenant's configuration, at the edge or by the read function: from memory (hit) or not.",
    labels: ["result"],
  },
  retrieval_duration_seconds: { help: "How long these took.", labels: [], type: "histogram" },
  storage_bytes: {
    help: "What is kept of a tenant: rows in the database, without indexes, and archives.",
    labels: ["kind"],
    type: "gauge",
  },
} as const satisfies Record<string, MetricShape>

export type TenantMetric = keyof typeof METRICS
export const TENANT_METRICS: Readonly<Record<TenantMetric, MetricShape>> = METRICS

export const typeOfMetric = (metric: TenantMetric): "counter" | "gauge" | "histogram" =>
  TENANT_METRICS[metric].type ?? "counter"

/** What stands for the values of a label that are one too many, and for the tenants that are. */
export const OTHERS = "~other"
