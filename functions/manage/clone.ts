import { z } from "@hono/zod-openapi"
import { isDrillId } from "../../core/backup/drill-id.ts"
import { Refusal } from "../../core/errors.ts"
import { isTenant, parseTenantId } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import { isTaken } from "../../db/queries/restore.ts"
import { findTenant } from "../../db/queries/tenants.ts"
import { type Route, route, tenantNotFound } from "../http/route.ts"
import { TAG } from "./backup-parts.ts"
import type { ManageDeps } from "./deps.ts"
import { JobStarted, startJob } from "./job-parts.ts"
import { replayed } from "./remember.ts"
import { Instant, TenantPath, text } from "./shapes.ts"
import { tenantOf } from "./tenants.ts"

const CloneBody = z
  .strictObject({
    tenantId: z.string().openapi({ description: "The new tenant's; none that there is, or was" }),
    name: text(200).min(1).optional().openapi({ description: "The new tenant's; left out, the same" }),
    asOf: Instant.optional().openapi({ description: "As it was then, rather than as it is now" }),
    dryRun: z.boolean().optional().openapi({ description: "Only tell what would be made" }),
  })
  .openapi("Clone")

/** `POST …/clone`: a new tenant with what this one holds, but for what docs/clone.md lists. */
export const cloneRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/tenants/{tenantId}/clone",
    operationId: "cloneTenant",
    tag: TAG,
    summary: "Make a new tenant that holds what this one does: its configuration and history, no tokens",
    action: "backup.clone",
    params: TenantPath,
    body: CloneBody,
    replies: JobStarted,
    where: tenantOf(deps),
    run: async ({ body, scope, params, environment: _, ...call }) => {
      const kept = await replayed(deps, scope!, call.idempotency)
      if (kept) return kept
      const { name, asOf, dryRun } = body
      const target = parseTenantId(body.tenantId)
      if (!target || isDrillId(target))
        throw new Refusal("TENANT_ID_INVALID", `"${body.tenantId}" is not the slug of a tenant.`)
      if (!isTenant(scope!) || !(await findTenant(deps.db, scope))) throw tenantNotFound(params.tenantId)
      if (await isTaken(deps.db, target))
        throw new Refusal("TENANT_EXISTS", `There is, or was, a tenant "${target}".`)
      const wish: JsonObject = {
        backupId: deps.ids.uuid(),
        target,
        ...(name === undefined ? {} : { name }),
        ...(asOf === undefined ? {} : { asOf: new Date(asOf).toISOString() }),
        ...(dryRun ? { dryRun } : {}),
      }
      return await startJob(deps, call, { scope: scope!, kind: "tenant.clone", params: wish })
    },
  })
