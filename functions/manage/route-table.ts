import { lazily } from "../http/lazily.ts"
import { type LazyRoute, lazyRoute, nameOf } from "../http/lazy-route.ts"
import type { Route } from "../http/route.ts"
import type { ManageDeps } from "./deps.ts"
import { health } from "./health.ts"

/** What pages need beside: the reference's text, and whether the database answers, which throws when it does not. */
export interface PageDeps {
  reference(): Promise<string>
  ping(): Promise<void>
}

interface Group {
  routes(deps: ManageDeps & PageDeps): Route[]
}

/** Routes that are loaded together: each group when the first of its routes is asked for. */
const GROUPS = {
  tenants: (): Promise<Group> => import("./groups/tenants.ts"),
  changes: (): Promise<Group> => import("./groups/changes.ts"),
  audit: (): Promise<Group> => import("./groups/audit.ts"),
  channels: (): Promise<Group> => import("./groups/channels.ts"),
  backups: (): Promise<Group> => import("./groups/backups.ts"),
  deployments: (): Promise<Group> => import("./groups/deployments.ts"),
  usage: (): Promise<Group> => import("./groups/usage.ts"),
  pages: (): Promise<Group> => import("./groups/pages.ts"),
} as const

type GroupName = keyof typeof GROUPS

/** What is asked so often, and by those who wait for the process, that it must not wait for anything to be loaded. */
const PLAIN: Readonly<Record<string, LazyRoute["plain"]>> = { "GET /health": health }

/** Every route there is, in the order of the reference, with the group that declares it. */
const ROUTE_TABLE: readonly { group: GroupName; names: readonly string[] }[] = [
  {
    group: "tenants",
    names: [
      "POST /api/v1/tenants",
      "GET /api/v1/tenants",
      "GET /api/v1/tenants/{tenantId}",
      "PATCH /api/v1/tenants/{tenantId}",
      "POST /api/v1/tenants/{tenantId}/suspend",
      "POST /api/v1/tenants/{tenantId}/resume",
      "DELETE /api/v1/tenants/{tenantId}",
      "GET /api/v1/tenants/{tenantId}/erasure",
      "POST /api/v1/tenants/{tenantId}/tokens",
      "POST /api/v1/tokens",
      "GET /api/v1/tenants/{tenantId}/tokens",
      "DELETE /api/v1/tenants/{tenantId}/tokens/{tokenId}",
      "GET /api/v1/whoami",
    ],
  },
  {
    group: "changes",
    names: [
      "POST /api/v1/configs",
      "GET /api/v1/configs",
      "GET /api/v1/configs/{configId}",
      "PUT /api/v1/configs/{configId}",
      "DELETE /api/v1/configs/{configId}",
      "GET /api/v1/configs/{configId}/versions",
      "GET /api/v1/configs/{configId}/diff",
      "POST /api/v1/configs/{configId}/rollback",
      "GET /api/v1/configs/{configId}/explain",
      "GET /api/v1/tenants/{tenantId}/flags",
      "GET /api/v1/tenants/{tenantId}/flags/{key}",
      "PUT /api/v1/tenants/{tenantId}/flags/{key}",
      "DELETE /api/v1/tenants/{tenantId}/flags/{key}",
      "POST /api/v1/tenants/{tenantId}/flags/{key}/evaluate",
      "POST /api/v1/tenants/{tenantId}/flags/{key}/explain",
      "GET /api/v1/configs/{configId}/secret",
      "POST /api/v1/tenants/{tenantId}/keys/rotate",
      "POST /api/v1/configs/{configId}/promote",
      "POST /api/v1/changes",
      "POST /api/v1/changes/preview",
      "GET /api/v1/changes",
      "GET /api/v1/changes/{changeId}",
      "POST /api/v1/changes/{changeId}/cancel",
      "POST /api/v1/changes/{changeId}/rollback",
      "POST /api/v1/changes/{changeId}/break-glass",
      "POST /api/v1/changes/{changeId}/review",
      "POST /api/v1/changes/{changeId}/pause",
      "POST /api/v1/changes/{changeId}/resume",
      "POST /api/v1/changes/{changeId}/remind",
      "POST /api/v1/changes/{changeId}/advance",
      "POST /api/v1/changes/{changeId}/abort",
      "POST /api/v1/changes/{changeId}/comments",
      "GET /api/v1/approvals",
      "POST /api/v1/approvals/{changeId}/approve",
      "POST /api/v1/approvals/{changeId}/reject",
      "POST /api/v1/approvals/{changeId}/withdraw",
      "POST /api/v1/changes/{changeId}/signals",
      "POST /api/v1/tenants/{tenantId}/environments/{environment}/signals",
      "GET /api/v1/tenants/{tenantId}/environments/{environment}/policy",
      "PUT /api/v1/tenants/{tenantId}/environments/{environment}/policy",
      "DELETE /api/v1/tenants/{tenantId}/environments/{environment}/policy",
      "GET /api/v1/tenants/{tenantId}/environments/{environment}/rules",
      "PUT /api/v1/tenants/{tenantId}/environments/{environment}/rules",
      "POST /api/v1/tenants/{tenantId}/environments/{environment}/rules/check",
      "POST /api/v1/tenants/{tenantId}/environments/{environment}/rollback",
      "GET /api/v1/tenants/{tenantId}/environments/{environment}/releases",
    ],
  },
  {
    group: "audit",
    names: [
      "GET /api/v1/audit",
      "POST /api/v1/audit/verify",
      "GET /api/v1/audit/export",
      "GET /api/v1/audit/checkpoints",
      "GET /api/v1/audit/checkpoint/latest",
      "GET /api/v1/audit/proof",
      "GET /api/v1/audit/consistency",
      "GET /api/v1/audit/key",
      "GET /api/v1/tenants/{tenantId}/audit-retention",
      "PUT /api/v1/tenants/{tenantId}/audit-retention",
      "GET /api/v1/tenants/{tenantId}/reports/soc2",
      "GET /api/v1/tenants/{tenantId}/reports/gdpr",
      "GET /api/v1/tenants/{tenantId}/reports/hipaa",
      "POST /api/v1/tenants/{tenantId}/reports/hipaa/reviews",
      "POST /api/v1/tenants/{tenantId}/persons/erase",
      "POST /api/v1/tenants/{tenantId}/persons/export",
    ],
  },
  {
    group: "channels",
    names: [
      "GET /api/v1/tenants/{tenantId}/channels",
      "POST /api/v1/tenants/{tenantId}/channels",
      "GET /api/v1/tenants/{tenantId}/channels/{channelId}",
      "PUT /api/v1/tenants/{tenantId}/channels/{channelId}",
      "DELETE /api/v1/tenants/{tenantId}/channels/{channelId}",
      "POST /api/v1/tenants/{tenantId}/channels/{channelId}/rotate",
      "POST /api/v1/tenants/{tenantId}/channels/{channelId}/test",
      "GET /api/v1/tenants/{tenantId}/deliveries",
      "POST /api/v1/tenants/{tenantId}/deliveries/{deliveryId}/retry",
    ],
  },
  {
    group: "tenants",
    names: [
      "POST /api/v1/reload",
      "GET /api/v1/tenants/{tenantId}/limits",
      "GET /api/v1/tenants/{tenantId}/limits/{action}",
      "POST /api/v1/tenants/{tenantId}/limits/{action}/check",
      "POST /api/v1/tenants/{tenantId}/limits/{action}/consume",
      "DELETE /api/v1/tenants/{tenantId}/limits/{action}",
      "GET /api/v1/tenants/{tenantId}/features",
    ],
  },
  {
    group: "usage",
    names: ["GET /api/v1/tenants/{tenantId}/usage", "GET /api/v1/tenants/{tenantId}/health", "GET /metrics"],
  },
  {
    group: "backups",
    names: [
      "GET /api/v1/tenants/{tenantId}/backup-schedule",
      "PUT /api/v1/tenants/{tenantId}/backup-schedule",
      "POST /api/v1/backups/drills",
      "POST /api/v1/tenants/{tenantId}/backups",
      "GET /api/v1/tenants/{tenantId}/backups",
      "GET /api/v1/backups/{backupId}",
      "POST /api/v1/backups/{backupId}/validate",
      "PATCH /api/v1/backups/{backupId}",
      "DELETE /api/v1/backups/{backupId}",
      "GET /api/v1/backups",
      "POST /api/v1/tenants/{tenantId}/clone",
      "POST /api/v1/backups/{backupId}/restore",
      "POST /api/v1/tenants/{tenantId}/restore",
      "POST /api/v1/tenants/{tenantId}/migrate",
      "GET /api/v1/jobs/{jobId}",
      "GET /api/v1/jobs",
      "POST /api/v1/jobs/{jobId}/cancel",
      "GET /api/v1/backups/{backupId}/manifest",
      "GET /api/v1/backups/{backupId}/parts/{partId}",
      "POST /api/v1/backups/imports",
      "PUT /api/v1/backups/imports/{importId}/parts/{partId}",
      "POST /api/v1/backups/imports/{importId}/complete",
      "POST /api/v1/backups/adopt",
      "GET /api/v1/deployment",
    ],
  },
  {
    group: "deployments",
    names: [
      "GET /api/v1/tenants/{tenantId}/deployments",
      "PUT /api/v1/tenants/{tenantId}/deployments",
      "POST /api/v1/tenants/{tenantId}/deployments/check",
      "GET /api/v1/tenants/{tenantId}/provisioning",
      "POST /api/v1/tenants/{tenantId}/provisioning/plan",
      "POST /api/v1/tenants/{tenantId}/provisioning/apply",
      "POST /api/v1/tenants/{tenantId}/provisioning/confirm",
      "POST /api/v1/tenants/{tenantId}/provisioning/retry",
      "POST /api/v1/tenants/{tenantId}/provisioning/cancel",
      "POST /api/v1/tenants/{tenantId}/provisioning/retire",
      "GET /api/v1/provisioning-template",
      "PUT /api/v1/provisioning-template",
    ],
  },
  {
    group: "pages",
    names: [
      "GET /",
      "GET /assets/{name}",
      "GET /docs",
      "GET /docs/errors",
      "GET /openapi.json",
      "GET /health",
      "GET /ready",
      "GET /docs/assets/{name}",
    ],
  },
]

const namesOf = (group: string): readonly string[] =>
  ROUTE_TABLE.flatMap((part) => (part.group === group ? part.names : []))

/** What a group declares. Throws for a route that nobody could call. */
const declaredIn = async (group: GroupName, deps: ManageDeps & PageDeps): Promise<readonly Route[]> => {
  const routes = (await GROUPS[group]()).routes(deps)
  const known = new Set(namesOf(group))
  const unnamed = routes.map(nameOf).filter((name) => !known.has(name))
  if (unnamed.length > 0) throw new Error(`not in the table of routes: ${unnamed.join(", ")}`)
  return routes
}

/** Every route by name, each to be loaded with its group. */
export const manageRoutes = (deps: ManageDeps & PageDeps): LazyRoute[] => {
  const groups = new Map(
    ROUTE_TABLE.map(({ group }) => [group, lazily(() => declaredIn(group, deps))] as const),
  )
  return ROUTE_TABLE.flatMap(({ group, names }) =>
    names.map((name) => ({ ...lazyRoute(name, groups.get(group)!), plain: PLAIN[name] })),
  )
}
