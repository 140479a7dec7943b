import { z } from "@hono/zod-openapi"
import { findRetention, lastDrop, setRetention } from "../../db/queries/audit-checkpoints.ts"
import { json, type Route, route } from "../http/route.ts"
import { headOf, TAG, wholeTenant } from "./audit-parts.ts"
import { once } from "./channel-parts.ts"
import type { ManageDeps } from "./deps.ts"
import { audited, remembered } from "./remember.ts"
import { TenantPath } from "./shapes.ts"

const PATH = "/api/v1/tenants/{tenantId}/audit-retention"
const Days = z.int().min(90).max(36_500).nullable()

const RetentionShown = z
  .object({
    days: Days.openapi({ description: "How long entries are kept; `null`: for ever" }),
    droppedThrough: z
      .int()
      .openapi({ description: "Entries up to this number are gone because of their age" }),
  })
  .openapi("AuditRetention")

const getRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: PATH,
    operationId: "getAuditRetention",
    tag: TAG,
    summary: "How long a scope's audit entries are kept",
    action: "audit.read",
    evenDeleted: true,
    params: TenantPath,
    replies: { 200: { description: "How long, and what is gone", schema: RetentionShown } },
    where: wholeTenant(deps),
    run: async ({ scope }) => {
      await headOf(deps, scope!)
      const [days, drop] = await Promise.all([findRetention(deps.db, scope!), lastDrop(deps.db, scope!)])
      return json(200, { days, droppedThrough: drop?.through ?? 0 })
    },
  })

const putRoute = (deps: ManageDeps): Route =>
  route({
    method: "put",
    path: PATH,
    operationId: "setAuditRetention",
    tag: TAG,
    summary:
      "Keep a scope's audit entries for this long, at least 90 days; what is older is dropped up to a checkpoint",
    action: "audit.retain",
    params: TenantPath,
    body: z.strictObject({ days: Days }).openapi("NewAuditRetention"),
    replies: { 200: { description: "How long, and what is gone", schema: RetentionShown } },
    where: wholeTenant(deps),
    run: async ({ body: { days }, scope, ...call }) =>
      await once(deps, scope!, call.idempotency, async () => {
        await headOf(deps, scope!)
        const drop = await lastDrop(deps.db, scope!)
        const shown = { days, droppedThrough: drop?.through ?? 0 }
        const audit = audited(call, "audit.retain", scope!, { days })
        const keep = remembered(call.idempotency, () => ({ status: 200, headers: {}, body: shown }))
        await setRetention(deps.db, scope!, days, audit, keep)
        return json(200, shown)
      }),
  })

export const retentionRoutes = (deps: ManageDeps): Route[] => [getRoute(deps), putRoute(deps)]
