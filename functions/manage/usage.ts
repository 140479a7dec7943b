import { z } from "@hono/zod-openapi"
import type { Principal } from "../../core/access.ts"
import { isTenant, type TenantId } from "../../core/ids.ts"
import { readUsage } from "../../db/queries/usage.ts"
import { json, type Route, route, tenantNotFound, type Where } from "../http/route.ts"
import { Instant } from "./audit-parts.ts"
import type { ManageDeps } from "./deps.ts"
import { HEALTH, type HealthPart } from "./health-parts.ts"
import { scopeNamed } from "./parse.ts"
import { periodOf } from "./period.ts"
import { TenantPath } from "./shapes.ts"

const TAG = "Usage"
/** Where nobody says from when. */
const USUAL_MS = 30 * 86_400_000

const tenantNamed =
  (deps: ManageDeps) =>
  async ({ params }: { params: { tenantId: string } }, principal: Principal): Promise<Where> => {
    const scope = await scopeNamed(params.tenantId, principal, deps.findExternal)
    if (!isTenant(scope)) throw tenantNotFound(params.tenantId)
    return { scope, environment: null }
  }

const Count = z.object({ count: z.int() })
const Amount = z.object({ count: z.int(), amountCents: z.int() })

const UsageShown = z
  .object({
    tenantId: z.string(),
    from: z.string().openapi({ description: "What was counted begins here: at whole ten minutes" }),
    to: z.string().openapi({ description: "And ends before this" }),
    orders: Amount,
    payments: Amount,
    users: z.object({
      active: z.int().openapi({ description: "Users that events name, of the days of the period" }),
      total: z.int().openapi({ description: "Of all days that are kept" }),
    }),
    logins: Count,
    requests: z.object({
      count: z.int(),
      averageMs: z.number().nullable().openapi({ description: "`null` where there were none" }),
    }),
    errors: Count.openapi({ description: "Events of the type `error`, and requests answered with 5xx" }),
    securityAlerts: Count,
  })
  .openapi("Usage")

const usageRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/tenants/{tenantId}/usage",
    operationId: "readUsage",
    tag: TAG,
    summary:
      "What happened at a tenant: orders, payments, users, requests, errors; of the last 30 days unless asked",
    action: "usage.read",
    params: TenantPath,
    query: z.strictObject({ from: Instant.optional(), to: Instant.optional() }),
    replies: { 200: { description: "What it comes to", schema: UsageShown } },
    where: tenantNamed(deps),
    run: async ({ scope, query }) => {
      const tenantId = scope as TenantId
      const period = periodOf(deps, query, USUAL_MS)
      return json(200, { tenantId, ...(await readUsage(deps.db, tenantId, period)) })
    },
  })

const HealthShown = z
  .object({
    tenantId: z.string(),
    at: z.string(),
    ...Object.fromEntries(Object.entries(HEALTH).map(([name, { schema }]) => [name, schema])),
  })
  .openapi("TenantHealth")

const healthRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/tenants/{tenantId}/health",
    operationId: "readTenantHealth",
    tag: TAG,
    summary: "How a tenant's requests fare, and how much is kept of it",
    action: "usage.read",
    params: TenantPath,
    replies: { 200: { description: "As of now", schema: HealthShown } },
    where: tenantNamed(deps),
    run: async ({ scope }) => {
      const tenantId = scope as TenantId
      const read = async ([name, part]: [string, HealthPart]) => [name, await part.read(deps, tenantId)]
      const parts = await Promise.all(Object.entries<HealthPart>(HEALTH).map(read))
      return json(200, { tenantId, at: deps.clock.now().toISOString(), ...Object.fromEntries(parts) })
    },
  })

export const usageRoutes = (deps: ManageDeps): Route[] => [usageRoute(deps), healthRoute(deps)]
