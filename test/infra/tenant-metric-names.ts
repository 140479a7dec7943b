interface MetricShape {
  /** Besides `tenant` and `tier`. */
  labels: readonly string[]
  /** Without: a counter. */
  type?: "gauge" | "histogram"
}

/** What `GET /metrics` tells of each tenant, behind `hotswap_tenant_`. */
export const TENANT_METRICS: Readonly<Record<string, MetricShape>> = {
  requests_total: { labels: ["source", "route", "method", "status"] },
  request_duration_seconds: { labels: ["source"], type: "histogram" },
  errors_total: { labels: ["type"] },
  commands_total: { labels: ["command", "status"] },
  command_duration_seconds: { labels: ["command"], type: "histogram" },
  eligibility_checks_total: { labels: ["type", "result"] },
  rate_limit_usage_ratio: { labels: ["environment", "action"], type: "gauge" },
  rate_limit_requests_total: { labels: ["environment", "action", "result"] },
  orders_total: { labels: [] },
  order_amount_cents_total: { labels: [] },
  payments_total: { labels: ["method"] },
  payment_amount_cents_total: { labels: ["method"] },
  logins_total: { labels: [] },
  active_user_days_total: { labels: [] },
  new_users_total: { labels: [] },
  security_alerts_total: { labels: ["kind"] },
  cache_requests_total: { labels: ["result"] },
  retrieval_duration_seconds: { labels: [], type: "histogram" },
  storage_bytes: { labels: ["kind"], type: "gauge" },
}
/** Told of the service by what counts for tenants. */
export const USAGE_METRICS = ["hotswap_metric_tenants", "hotswap_usage_uncounted_events"]
