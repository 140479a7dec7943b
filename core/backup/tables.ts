/**
 * What becomes of a table's rows. `copied`: in a clone, with ids that name the tenant made over; `left`: in archives, but not
 * in clones, where they would be untrue or harmful.
 */
interface Archived {
  name: string
  inClones: "copied" | "left"
}

/**
 * Tables with rows of tenants that archives hold, each after those it refers to, so that they can be restored in this
 * order. A test holds this list and {@link NOT_ARCHIVED} to the catalog: no table is forgotten.
 */
export const ARCHIVED: readonly Archived[] = [
  { name: "tenants", inClones: "copied" },
  { name: "external_ids", inClones: "left" },
  { name: "heads", inClones: "copied" },
  { name: "chunks", inClones: "copied" },
  { name: "releases", inClones: "copied" },
  { name: "changes", inClones: "copied" },
  { name: "config_versions", inClones: "copied" },
  { name: "pointers", inClones: "copied" },
  { name: "data_keys", inClones: "left" },
  { name: "secret_values", inClones: "copied" },
  { name: "channels", inClones: "left" },
  { name: "audit_keys", inClones: "left" },
  { name: "audit_people", inClones: "left" },
  { name: "audit_entries", inClones: "left" },
  { name: "audit_heads", inClones: "left" },
  { name: "audit_checkpoints", inClones: "left" },
  { name: "audit_drops", inClones: "left" },
  { name: "audit_retention", inClones: "copied" },
  { name: "report_reviews", inClones: "left" },
]

/** The others, each with the reason. */
export const NOT_ARCHIVED: Readonly<Record<string, string>> = {
  tokens: "credentials never travel",
  idempotency_keys: "answers of the last day",
  outbox: "marks of what is to be published here",
  workflow_waits: "task tokens of this deployment's state machine",
  deliveries: "messages on their way; sent again, they would be untrue",
  gate_steps: "evidence of rollouts, of use while they run",
  gate_instances: "evidence of rollouts, of use while they run",
  gate_readers: "evidence of rollouts, of use while they run",
  gate_tenants: "evidence of rollouts, of use while they run",
  gate_baselines: "what this deployment's readers usually report",
  erasures: "that a tenant was deleted here",
  deployment_states: "how a tenant's backends are from here, and which of them the platform vouches for here",
  provisionings: "what is made for the tenant in this operator's cluster, and how far that is",
  jobs: "this deployment's work",
  backups: "which archives this deployment has",
  backup_schedules: "when this deployment makes them",
  tenant_origins: "how the tenant came to this deployment",
  tenant_events: "what happened here, kept for so many days; no part of the configuration",
  usage_slots: "statistics of what happened here",
  usage_requests: "statistics of what happened here",
  usage_users: "statistics of what happened here",
  usage_metrics: "statistics of what happened here",
  usage_meters: "how far these are",
  usage_sources: "how far these are",
}
