export { auditEntries, auditHeads } from "./audit.ts"
export { auditCheckpoints, auditDrops, auditRetention } from "./audit-checkpoints.ts"
export { auditKeys, auditPeople } from "./audit-people.ts"
export { backupSchedules, backups, tenantOrigins } from "./backups.ts"
export { changes } from "./changes.ts"
export { configVersions } from "./config-versions.ts"
export { deploymentStates } from "./deployment-states.ts"
export { epoch } from "./epoch.ts"
export { erasures, reportReviews } from "./erasures.ts"
export { gateInstances, gateSteps } from "./gate.ts"
export { gateBaselines, gateReaders, gateTenants } from "./gate-waves.ts"
export { idempotencyKeys } from "./idempotency.ts"
export { jobs } from "./jobs.ts"
export { channels, deliveries } from "./notifications.ts"
export { outbox } from "./outbox.ts"
export { heads, pointers } from "./pointers.ts"
export { provisionings } from "./provisionings.ts"
export { chunks, releases } from "./releases.ts"
export { hotswap } from "./schema.ts"
export { dataKeys, secretValues } from "./secrets.ts"
export { externalIds, tenants } from "./tenants.ts"
export { tokens } from "./tokens.ts"
export {
  tenantEvents,
  usageMeters,
  usageMetrics,
  usageRequests,
  usageSlots,
  usageSources,
  usageUsers,
} from "./usage.ts"
export { workflowWaits } from "./workflows.ts"
