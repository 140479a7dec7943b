import { z } from "@hono/zod-openapi"
import type { Principal } from "../../core/access.ts"
import { isDrillId } from "../../core/backup/drill-id.ts"
import { Refusal } from "../../core/errors.ts"
import { isTenant, PLATFORM, parseTenantId, type TenantId } from "../../core/ids.ts"
import type { Json } from "../../core/json.ts"
import { createTenant, findTenant, setTenantStatus, updateTenant } from "../../db/queries/tenants.ts"
import { listTenants } from "../../db/system.ts"
import { decodeCursor, encodeCursor } from "../http/cursor.ts"
import { json, permit, type Route, route, tenantNotFound } from "../http/route.ts"
import { deploymentsOfNew, deploymentsToKeep } from "./deployment-parts.ts"
import type { ManageDeps } from "./deps.ts"
import { ifMatchNamed, noneMatches, scopeNamed, tierNamed } from "./parse.ts"
import { audited, conflict, remembered, replayed } from "./remember.ts"
import { Paging, page, Stale, TenantBody, TenantPatch, TenantPath, TenantShown } from "./shapes.ts"
import { etagOf } from "./show.ts"
import { externalIdsOf, publishEverywhere, quotasOf, showTenant, slugOf } from "./tenant-parts.ts"

const Shown = { description: "The tenant", schema: TenantShown }

/** The tenant of a path. The platform and the tiers are scopes but no tenants. */
export const tenantOf =
  (deps: ManageDeps) =>
  async ({ params }: { params: { tenantId: string } }, principal: Principal) => {
    const scope = await scopeNamed(params.tenantId, principal, deps.findExternal)
    if (!isTenant(scope)) throw tenantNotFound(params.tenantId)
    return { scope, environment: null }
  }

const createRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/tenants",
    operationId: "createTenant",
    tag: "Tenants",
    summary: "Create a tenant",
    action: "tenant.create",
    body: TenantBody,
    replies: { 201: Shown },
    run: async ({ body, ...call }) => {
      const kept = await replayed(deps, PLATFORM, call.idempotency)
      if (kept) return kept
      const { tenantId: given, tier, externalIds = {}, ...fields } = body
      const tenantId = parseTenantId(given ?? slugOf(body.name))
      if (!tenantId)
        throw new Refusal(
          "TENANT_ID_INVALID",
          `"${given ?? body.name}" is not, or does not make, a slug: 1 to 63 of a-z, 0-9 and dashes between them.`,
        )
      if (isDrillId(tenantId))
        throw new Refusal("TENANT_EXISTS", `"${tenantId}" is kept for restores for trial.`)
      const ofTier = tierNamed(tier ?? "Free")
      const { document, vouched } = await deploymentsOfNew(deps, fields.deployments ?? {}, ofTier)
      const reply = (tenant: Parameters<typeof showTenant>[0]) => ({
        status: 201,
        headers: { etag: etagOf(tenant.version), location: `/api/v1/tenants/${tenant.tenantId}` },
        body: showTenant(tenant),
      })
      const made = await createTenant(
        deps.db,
        {
          tenantId,
          name: fields.name,
          displayName: fields.displayName ?? null,
          adminEmail: fields.adminEmail ?? null,
          tier: ofTier,
          quotas: quotasOf(fields.quotas ?? {}),
          features: fields.features ?? {},
          deployments: document as unknown as Json,
          vouched,
          externalIds: externalIdsOf(externalIds),
        },
        deps.settings.environments,
        audited(call, "tenant.create", tenantId),
        remembered(call.idempotency, reply),
      )
      switch (made.kind) {
        case "created": {
          const { status, body: shown, headers } = reply(made.tenant)
          return json(status, shown, headers)
        }
        case "exists":
          throw new Refusal("TENANT_EXISTS", `There is, or was, a tenant "${tenantId}".`)
        case "external_id_taken":
          throw new Refusal("EXTERNAL_ID_TAKEN", "One of the external ids belongs to another tenant.")
        case "conflict":
          return (await replayed(deps, PLATFORM, call.idempotency)) ?? conflict()
      }
    },
  })

const listRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/tenants",
    operationId: "listTenants",
    tag: "Tenants",
    summary: "The tenants, by id",
    action: "tenant.list",
    query: z.strictObject({
      tier: z.string().optional(),
      status: z.enum(["active", "suspended", "deleted"]).optional(),
      ...Paging,
    }),
    replies: { 200: { description: "A page of tenants", schema: page(TenantShown) } },
    run: async ({ query }) => {
      const { limit, cursor, tier, status } = query
      const after =
        cursor === undefined ? undefined : (String(decodeCursor("tenants", cursor, 1)[0]) as TenantId)
      const rows = await listTenants(deps.system, {
        limit: limit + 1,
        ...(after ? { after } : {}),
        ...(tier === undefined ? {} : { tier: tierNamed(tier) }),
        ...(status ? { status } : {}),
      })
      const shown = rows.slice(0, limit)
      const last = rows.length > limit ? shown.at(-1) : undefined
      return json(200, {
        items: shown.map(showTenant),
        nextCursor: last ? encodeCursor("tenants", [last.tenantId]) : null,
      })
    },
  })

const getRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/tenants/{tenantId}",
    operationId: "getTenant",
    tag: "Tenants",
    summary: "A tenant, by its id or an external id `system:id`",
    action: "tenant.read",
    params: TenantPath,
    replies: { 200: Shown, 304: { description: "It is still the version that If-None-Match names" } },
    where: tenantOf(deps),
    run: async ({ scope, ifNoneMatch, params }) => {
      const tenant = await findTenant(deps.db, scope as TenantId)
      if (!tenant) throw tenantNotFound(params.tenantId)
      const etag = etagOf(tenant.version)
      if (noneMatches(ifNoneMatch, etag)) return { status: 304, headers: { etag }, body: null }
      return json(200, showTenant(tenant), { etag })
    },
  })

type Updated = Awaited<ReturnType<typeof updateTenant>>

/** Answers what became of a tenant, and lets readers know. */
export const updatedReply = async (
  deps: ManageDeps,
  tenantId: TenantId,
  idempotency: Parameters<typeof replayed>[2],
  updated: Updated,
) => {
  switch (updated.kind) {
    case "updated":
      publishEverywhere(deps, tenantId)
      return json(200, showTenant(updated.tenant), { etag: etagOf(updated.tenant.version) })
    case "missing":
      throw tenantNotFound(tenantId)
    case "stale":
      throw new Refusal("VERSION_STALE", `The tenant is at version ${updated.version}.`)
    case "external_id_taken":
      throw new Refusal("EXTERNAL_ID_TAKEN", "One of the external ids belongs to another tenant.")
    case "conflict":
      return (await replayed(deps, tenantId, idempotency)) ?? conflict()
  }
}

export const ok = (tenant: Parameters<typeof showTenant>[0]) => ({
  status: 200,
  headers: { etag: etagOf(tenant.version) },
  body: showTenant(tenant),
})

/** What a tenant bought is not its own to alter, nor the names by which others find it: one it claims is another's. */
const BOUGHT = ["tier", "quotas", "features", "externalIds"] as const

const patchRoute = (deps: ManageDeps): Route =>
  route({
    method: "patch",
    path: "/api/v1/tenants/{tenantId}",
    operationId: "updateTenant",
    tag: "Tenants",
    summary: "Update a tenant; tier, quotas, features and external ids are the platform's to set",
    action: "tenant.update",
    params: TenantPath,
    body: TenantPatch,
    replies: { 200: Shown, 412: Stale },
    where: tenantOf(deps),
    run: async ({ body, scope, ifMatch, ...call }) => {
      const tenantId = scope as TenantId
      if (BOUGHT.some((field) => body[field] !== undefined))
        permit(call.principal, "tenant.tier", { scope, environment: null })
      const kept = await replayed(deps, tenantId, call.idempotency)
      if (kept) return kept
      const { tier, externalIds, quotas, deployments, ...fields } = body
      const set =
        deployments === undefined
          ? null
          : await deploymentsToKeep(
              deps,
              call.principal,
              tenantId,
              deployments,
              tier === undefined ? undefined : tierNamed(tier),
            )
      const version = ifMatchNamed(ifMatch)
      if (set && typeof version === "number" && version !== set.version)
        throw new Refusal("VERSION_STALE", `The tenant is at version ${set.version}.`)
      const patch = {
        ...fields,
        ...(set === null ? {} : { deployments: set.document }),
        ...(tier === undefined ? {} : { tier: tierNamed(tier) }),
        ...(quotas === undefined ? {} : { quotas: quotasOf(quotas) }),
        ...(externalIds ? { externalIds: externalIdsOf(externalIds) } : {}),
      }
      const updated = await updateTenant(
        deps.db,
        tenantId,
        {
          patch: patch as never,
          ...(typeof version === "number" ? { expectedVersion: version } : {}),
          // What was made of one version may not be written over another.
          ...(set === null ? {} : { expectedVersion: set.version, kept: set.kept }),
          environments: deps.settings.environments,
        },
        audited(call, "tenant.update", tenantId, { fields: Object.keys(body) }),
        remembered(call.idempotency, ok),
      )
      return await updatedReply(deps, tenantId, call.idempotency, updated)
    },
  })

const statusRoute = (deps: ManageDeps, name: "suspend" | "resume"): Route =>
  route({
    method: "post",
    path: `/api/v1/tenants/{tenantId}/${name}`,
    operationId: `${name}Tenant`,
    tag: "Tenants",
    summary:
      name === "suspend" ? "Refuse the tenant's own tokens from now on" : "Let a suspended tenant go on",
    action: "tenant.suspend",
    params: TenantPath,
    replies: { 200: Shown },
    where: tenantOf(deps),
    run: async ({ scope, ...call }) => {
      const tenantId = scope as TenantId
      const kept = await replayed(deps, tenantId, call.idempotency)
      if (kept) return kept
      const updated = await setTenantStatus(
        deps.db,
        tenantId,
        name === "suspend" ? "suspended" : "active",
        deps.settings.environments,
        audited(call, `tenant.${name}`, tenantId),
        remembered(call.idempotency, ok),
      )
      return await updatedReply(deps, tenantId, call.idempotency, updated)
    },
  })

export const tenantRoutes = (deps: ManageDeps): Route[] => [
  createRoute(deps),
  listRoute(deps),
  getRoute(deps),
  patchRoute(deps),
  statusRoute(deps, "suspend"),
  statusRoute(deps, "resume"),
]
