import { z } from "@hono/zod-openapi"
import { Refusal } from "../../core/errors.ts"
import type { TenantId } from "../../core/ids.ts"
import { findDeployments } from "../../db/queries/deployments.ts"
import { type TenantRow, updateTenant } from "../../db/queries/tenants.ts"
import { json, type Route, route, tenantNotFound } from "../http/route.ts"
import { blocksOf } from "../platform/addresses.ts"
import { createClients } from "../platform/deployments/clients.ts"
import { lookAt } from "../platform/deployments/look.ts"
import { deploymentsHealth, deploymentsToKeep, showDeployments } from "./deployment-parts.ts"
import { DeploymentsBody, DeploymentsShown } from "./deployment-shapes.ts"
import type { ManageDeps } from "./deps.ts"
import { ifMatchNamed, noneMatches } from "./parse.ts"
import { audited, conflict, remembered, replayed } from "./remember.ts"
import { Stale, TenantPath } from "./shapes.ts"
import { etagOf } from "./show.ts"
import { tenantOf } from "./tenants.ts"

const TAG = "Deployments"
const PATH = "/api/v1/tenants/{tenantId}/deployments"
const Shown = { description: "The tenant's backends, secrets as markers", schema: DeploymentsShown }

const getRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: PATH,
    operationId: "getDeployments",
    tag: TAG,
    summary: "A tenant's own backends for metrics, logs and traces",
    action: "backend.read",
    params: TenantPath,
    replies: { 200: Shown, 304: { description: "It is still the version that If-None-Match names" } },
    where: tenantOf(deps),
    run: async ({ scope, ifNoneMatch }) => {
      const row = await findDeployments(deps.db, scope as TenantId)
      if (!row) throw tenantNotFound(scope!)
      const etag = etagOf(row.version)
      if (noneMatches(ifNoneMatch, etag)) return { status: 304, headers: { etag }, body: null }
      return json(200, showDeployments(row.tenantId, row.tier, row.deployments as never, row.vouched), {
        etag,
      })
    },
  })

/** How often it is tried again where the tenant was altered between reading and writing. */
const TRIES = 2

const putRoute = (deps: ManageDeps): Route =>
  route({
    method: "put",
    path: PATH,
    operationId: "putDeployments",
    tag: TAG,
    summary:
      "Set all of them: what is left out is gone, a secret sent as its marker stays. In force with the next request that is routed",
    action: "backend.manage",
    params: TenantPath,
    body: DeploymentsBody,
    replies: { 200: Shown, 412: Stale },
    where: tenantOf(deps),
    run: async ({ body, scope, ifMatch, ...call }) => {
      const tenantId = scope as TenantId
      const repeated = await replayed(deps, tenantId, call.idempotency)
      if (repeated) return repeated
      const expected = ifMatchNamed(ifMatch)
      for (let attempt = 0; attempt < TRIES; attempt++) {
        const { document, kept, version } = await deploymentsToKeep(deps, call.principal, tenantId, body)
        if (typeof expected === "number" && expected !== version)
          throw new Refusal("VERSION_STALE", `The tenant is at version ${version}.`)
        const reply = (tenant: TenantRow) => ({
          status: 200,
          headers: { etag: etagOf(tenant.version) },
          body: showDeployments(tenantId, tenant.tier, tenant.deployments, kept.vouched),
        })
        const updated = await updateTenant(
          deps.db,
          tenantId,
          {
            patch: { deployments: document as never },
            expectedVersion: version,
            environments: deps.settings.environments,
            kept,
          },
          audited(call, "deployments.set", tenantId, { backends: Object.keys(document) }),
          remembered(call.idempotency, reply),
        )
        if (updated.kind === "missing") throw tenantNotFound(tenantId)
        if (updated.kind === "updated") {
          const { status, headers, body: shown } = reply(updated.tenant)
          return json(status, shown, headers)
        }
        const answered = await replayed(deps, tenantId, call.idempotency)
        if (answered) return answered
      }
      return conflict()
    },
  })

/** Whoever asks again so soon is told what was seen. */
const FRESH_MS = 2_000

/** Over connections for this once: who is asked to look does so seldom. */
const look = async (deps: ManageDeps, tenantId: TenantId) => {
  const clients = createClients({ ...deps, allowed: blocksOf(deps.settings.outboundAllow) })
  try {
    return await lookAt({ ...deps, clients, chance: Math.random }, tenantId, { isDecisive: true })
  } finally {
    clients.close()
  }
}

const checkRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: `${PATH}/check`,
    operationId: "checkDeployments",
    isLong: true,
    tag: TAG,
    summary: "Look at every target now, and say how it is; what is seen holds, whatever the thresholds",
    action: "backend.check",
    params: TenantPath,
    body: z.strictObject({}),
    replies: { 200: { description: "How they are", schema: deploymentsHealth.schema } },
    where: tenantOf(deps),
    run: async ({ scope }) => {
      const tenantId = scope as TenantId
      const row = await findDeployments(deps.db, tenantId)
      if (!row) throw tenantNotFound(tenantId)
      const nowMs = deps.clock.nowMs()
      const isFresh = row.checkedAt !== null && nowMs - Date.parse(row.checkedAt) < FRESH_MS
      if (!isFresh) await look(deps, tenantId)
      return json(200, await deploymentsHealth.read(deps, tenantId))
    },
  })

export const deploymentRoutes = (deps: ManageDeps): Route[] => [
  getRoute(deps),
  putRoute(deps),
  checkRoute(deps),
]
