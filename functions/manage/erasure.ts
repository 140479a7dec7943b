import { z } from "@hono/zod-openapi"
import { Refusal } from "../../core/errors.ts"
import type { TenantId } from "../../core/ids.ts"
import { isSigned } from "../../core/report/certificate.ts"
import { type Erasure, findErasure, hastenErasure } from "../../db/queries/erasure.ts"
import { deleteTenant, findTenant } from "../../db/queries/tenants.ts"
import { json, type Route, route, tenantNotFound } from "../http/route.ts"
import type { ManageDeps } from "./deps.ts"
import { audited, remembered, replayed } from "./remember.ts"
import { TenantPath, TenantShown } from "./shapes.ts"
import { ok, tenantOf, updatedReply } from "./tenants.ts"

const Counts = z.record(z.string(), z.int())
const ErasureShown = z
  .object({
    tenantId: z.string(),
    state: z.enum(["planned", "erasing", "erased"]),
    requestedAt: z.string(),
    requestedBy: z.string().openapi({ description: "The token by which it was requested" }),
    dueAt: z.string().openapi({ description: "When everything of the tenant begins to be destroyed" }),
    erasedAt: z.string().nullable(),
    rows: Counts.openapi({ description: "Rows destroyed so far, by table" }),
    outside: Counts.openapi({ description: "What was destroyed outside the database" }),
    certificate: z.string().nullable().openapi({ description: "A signed note; can be checked offline" }),
    signed: z.boolean(),
  })
  .openapi("Erasure")

const stateOf = ({ erasedAt, evidence }: Erasure): "planned" | "erasing" | "erased" =>
  erasedAt !== null ? "erased" : evidence !== null ? "erasing" : "planned"

const showErasure = (erasure: Erasure) => ({
  tenantId: erasure.tenantId,
  state: stateOf(erasure),
  requestedAt: erasure.requestedAt,
  requestedBy: erasure.requestedBy,
  dueAt: erasure.dueAt,
  erasedAt: erasure.erasedAt,
  rows: erasure.counts,
  outside: erasure.outside,
  certificate: erasure.certificate,
  signed: erasure.certificate !== null && isSigned(erasure.certificate),
})

/** Destroying something for good at once takes naming it twice. */
const mustBeMeant = (tenantId: TenantId, { erase, confirm }: { erase?: "now"; confirm?: string }): void => {
  if (erase === "now" && confirm !== tenantId)
    throw new Refusal("ERASURE_UNCONFIRMED", `Repeat the tenant's id: ?erase=now&confirm=${tenantId}`)
}

const deleteRoute = (deps: ManageDeps): Route =>
  route({
    method: "delete",
    path: "/api/v1/tenants/{tenantId}",
    operationId: "deleteTenant",
    isLong: true,
    tag: "Tenants",
    summary:
      "Delete a tenant: it is gone for readers at once, and everything of it is destroyed after a time of grace; its id is not given out again",
    action: "tenant.delete",
    params: TenantPath,
    query: z.strictObject({
      erase: z
        .literal("now")
        .optional()
        .openapi({ description: "Without the grace, also for a tenant deleted before; with `confirm`" }),
      confirm: z.string().optional().openapi({ description: "The tenant's id once more" }),
    }),
    replies: {
      200: { description: "The tenant as it was, deleted", schema: TenantShown },
      202: { description: "It was deleted before, and is destroyed now", schema: ErasureShown },
    },
    where: tenantOf(deps),
    run: async ({ scope, query, ...call }) => {
      const tenantId = scope as TenantId
      const isNow = query.erase === "now"
      mustBeMeant(tenantId, {
        ...(isNow ? { erase: "now" } : {}),
        ...(query.confirm ? { confirm: query.confirm } : {}),
      })
      const kept = await replayed(deps, tenantId, call.idempotency)
      if (kept) return kept
      const { environments, eraseAfterDays } = deps.settings
      const updated = await deleteTenant(
        deps.db,
        tenantId,
        {
          environments,
          erasure: { by: call.principal.tokenId, afterDays: isNow ? 0 : eraseAfterDays },
        },
        audited(call, "tenant.delete", tenantId),
        remembered(call.idempotency, ok),
      )
      if (updated.kind === "missing" && isNow) {
        const hastened = audited(call, "tenant.erase_now", tenantId)
        if (await hastenErasure(deps.db, tenantId, hastened))
          return json(202, showErasure((await findErasure(deps.db, tenantId))!))
      }
      return await updatedReply(deps, tenantId, call.idempotency, updated)
    },
  })

const getRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/tenants/{tenantId}/erasure",
    operationId: "getErasure",
    tag: "Tenants",
    summary: "How far the erasure of a deleted tenant has got, and in the end its certificate",
    action: "tenant.delete",
    params: TenantPath,
    evenDeleted: true,
    replies: { 200: { description: "The erasure", schema: ErasureShown } },
    where: tenantOf(deps),
    run: async ({ scope, params }) => {
      const tenantId = scope as TenantId
      const erasure = await findErasure(deps.db, tenantId)
      if (erasure) return json(200, showErasure(erasure))
      if (!(await findTenant(deps.db, tenantId))) throw tenantNotFound(params.tenantId)
      throw new Refusal("ERASURE_NOT_FOUND", `The tenant "${tenantId}" was not deleted.`)
    },
  })

export const erasureRoutes = (deps: ManageDeps): Route[] => [deleteRoute(deps), getRoute(deps)]
