import { z } from "@hono/zod-openapi"
import { Refusal } from "../../core/errors.ts"
import type { TenantId } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import { differenceOf, digestOf, ownOf } from "../../core/provisioning/plan.ts"
import {
  advanced,
  applied,
  isUnderWay,
  type Provisioning,
  type ProvisioningEvent,
} from "../../core/provisioning/state.ts"
import { findProvisioning, type Kept, writeProvisioning } from "../../db/queries/provisionings.ts"
import { type Call, json, type Route, type RouteReply, route } from "../http/route.ts"
import { once } from "./channel-parts.ts"
import { mustBeReachable } from "./deployment-parts.ts"
import type { ManageDeps } from "./deps.ts"
import { formerOf, isOutdated, moveOf, planNow, showProvisioning } from "./provisioning-parts.ts"
import { ApplyBody, CancelBody, PlanBody, PlanShown, ProvisioningShown } from "./provisioning-shapes.ts"
import { audited, conflict, remembered } from "./remember.ts"
import { TenantPath } from "./shapes.ts"
import { etagOf } from "./show.ts"
import { tenantOf } from "./tenants.ts"

const TAG = "Deployments"
const PATH = "/api/v1/tenants/{tenantId}/provisioning"
const Shown = { description: "How far it is", schema: ProvisioningShown }

const getRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: PATH,
    operationId: "getProvisioning",
    tag: TAG,
    summary: "What is made for a tenant in the operator's cluster, and how far that is",
    action: "provisioning.read",
    params: TenantPath,
    replies: { 200: Shown },
    where: tenantOf(deps),
    run: async ({ scope }) => {
      const tenantId = scope as TenantId
      const kept = await findProvisioning(deps.db, tenantId)
      if (!kept) throw nothingApplied(tenantId)
      const shown = showProvisioning(tenantId, kept, await isOutdated(deps, tenantId, kept.document))
      return json(200, shown, { etag: etagOf(kept.revision) })
    },
  })

const nothingApplied = (tenantId: TenantId): Refusal =>
  new Refusal("PROVISIONING_NOT_FOUND", `Nothing was ever applied for "${tenantId}".`)

const planRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: `${PATH}/plan`,
    operationId: "planProvisioning",
    tag: TAG,
    summary: "What a tenant's tier asks for, and what differs from what was applied last; alters nothing",
    action: "provisioning.manage",
    params: TenantPath,
    body: PlanBody,
    replies: { 200: { description: "The plan", schema: PlanShown } },
    where: tenantOf(deps),
    run: async ({ scope, body }) => {
      const tenantId = scope as TenantId
      const { plan } = await planNow(deps, tenantId, body.backends)
      const before = (await findProvisioning(deps.db, tenantId))?.document
      const wanted = new Set(ownOf(plan))
      const remains = (before?.made ?? []).filter((name) => !wanted.has(name))
      const difference = { ...differenceOf(before?.plan ?? null, plan), remains }
      return json(200, { tenantId, digest: digestOf(plan), plan: plan as unknown as JsonObject, difference })
    },
  })

type Made = (before: Kept<Provisioning> | null) => Promise<{ document: Provisioning; detail: JsonObject }>

/** How often it is tried again where somebody wrote between reading and writing. */
const TRIES = 5

/** Writes what `make` makes of it, and answers with that. */
const written = async (
  deps: ManageDeps,
  tenantId: TenantId,
  action: string,
  call: Pick<Call<unknown, unknown, unknown>, "principal" | "instance" | "idempotency">,
  make: Made,
): Promise<RouteReply> =>
  await once(deps, tenantId, call.idempotency, async () => {
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const before = await findProvisioning(deps.db, tenantId)
      const { document, detail } = await make(before)
      const outdated = await isOutdated(deps, tenantId, document)
      const reply = (kept: Kept<Provisioning>) => ({
        status: 200,
        headers: { etag: etagOf(kept.revision) },
        body: showProvisioning(tenantId, kept, outdated),
      })
      const kept = await writeProvisioning(deps.db, tenantId, {
        before,
        document,
        dueAt: isUnderWay(document) ? deps.clock.now().toISOString() : null,
        audit: audited(call, action, tenantId, {
          ...detail,
          number: document.number,
          digest: document.digest,
        }),
        reply: remembered(call.idempotency, reply),
      })
      if (kept) {
        const { status, headers, body } = reply(kept)
        return json(status, body, headers)
      }
    }
    return conflict()
  })

const applyRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: `${PATH}/apply`,
    operationId: "applyProvisioning",
    tag: TAG,
    summary: "Have it made: the documents are for whoever may apply them, and nothing is led there yet",
    action: "provisioning.manage",
    params: TenantPath,
    body: ApplyBody,
    replies: { 200: Shown },
    where: tenantOf(deps),
    run: async ({ scope, body, ...call }) => {
      const tenantId = scope as TenantId
      const { backends, digest, move = false, sinceDays } = body
      return await written(deps, tenantId, "provisioning.apply", call, async (before) => {
        const { plan, row } = await planNow(deps, tenantId, backends)
        if (digest !== undefined && digest !== digestOf(plan))
          throw new Refusal("PLAN_ALTERED", "The tier or the template was altered since that plan was made.")
        const names = [...new Set([...backends, ...(before?.document.leads ?? [])])]
        const former = formerOf(row, names)
        const nowMs = deps.clock.nowMs()
        const moving = move ? moveOf(plan, former.deployments, sinceDays, nowMs) : null
        await mustBeReachable(deps, plan.deployments, plan.backends, plan.backends)
        const document = applied(before?.document ?? null, plan, { move: moving, former, nowMs })
        return { document, detail: { backends, move } }
      })
    },
  })

const onward = (
  deps: ManageDeps,
  name: "confirm" | "retry" | "retire",
  event: ProvisioningEvent,
  summary: string,
): Route =>
  route({
    method: "post",
    path: `${PATH}/${name}`,
    operationId: `${name}Provisioning`,
    tag: TAG,
    summary,
    action: "provisioning.manage",
    params: TenantPath,
    body: z.strictObject({}),
    replies: { 200: Shown },
    where: tenantOf(deps),
    run: async ({ scope, ...call }) => await told(deps, scope as TenantId, name, call, event),
  })

const told = (
  deps: ManageDeps,
  tenantId: TenantId,
  name: string,
  call: Parameters<typeof written>[3],
  event: ProvisioningEvent,
  detail: JsonObject = {},
): Promise<RouteReply> =>
  written(deps, tenantId, `provisioning.${name}`, call, async (before) => {
    if (!before) throw nothingApplied(tenantId)
    return { document: advanced(before.document, event, deps.clock.nowMs()), detail }
  })

const cancelRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: `${PATH}/cancel`,
    operationId: "cancelProvisioning",
    tag: TAG,
    summary:
      "Give it up: the tenant's requests go where they went. What was made stays until it is taken away",
    action: "provisioning.manage",
    params: TenantPath,
    body: CancelBody,
    replies: { 200: Shown },
    where: tenantOf(deps),
    run: async ({ scope, body, ...call }) => {
      const { leaveBehind = false } = body
      const event = { type: "cancel", leaveBehind } as const
      return await told(deps, scope as TenantId, "cancel", call, event, { leaveBehind })
    },
  })

export const provisioningRoutes = (deps: ManageDeps): Route[] => [
  getRoute(deps),
  planRoute(deps),
  applyRoute(deps),
  onward(
    deps,
    "confirm",
    { type: "confirm" },
    "Say that the documents are applied: what they made is tried, and the tenant's requests led there",
  ),
  onward(deps, "retry", { type: "retry" }, "Try again what failed"),
  cancelRoute(deps),
  onward(
    deps,
    "retire",
    { type: "retired" },
    "Say that what earlier plans made, and nothing needs any more, is taken away",
  ),
]
