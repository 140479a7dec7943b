/** What people are told of, as `type` in every message. */
export const NOTICE_TYPES = [
  /** Approvals are owed: somebody has to act. */
  "change.approval_requested",
  /** They are still owed. */
  "change.approval_reminder",
  "change.approved",
  "change.rejected",
  "change.cancelled",
  "change.expired",
  "change.started",
  "change.live",
  /** The gate or an alarm does not let a rollout go on. */
  "change.held",
  /** A wave's candidate failed a tenant, which is back on stable. */
  "change.tenant_tripped",
  "change.rolled_back",
  "change.glass_broken",
] as const
export type NoticeType = (typeof NOTICE_TYPES)[number]
