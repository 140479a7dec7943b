import type { TenantId } from "../../core/ids.ts"
import { featuresInForce, limitsInForce } from "../../core/limits/in-force.ts"
import { appendAudit } from "../../db/queries/audit.ts"
import { remember } from "../../db/queries/replies.ts"
import { withTenant } from "../../db/tenant.ts"
import { type Call, json, type Route, type RouteReply, route } from "../http/route.ts"
import type { Counted } from "../platform/limits.ts"
import { once } from "./channel-parts.ts"
import type { ManageDeps } from "./deps.ts"
import {
  counted,
  fieldsOf,
  grantsOf,
  limitInForce,
  mustBeCallers,
  noteStanding,
  rateLimited,
  showStanding,
  tenantWithin,
} from "./limit-parts.ts"
import {
  ActionPath,
  AmountBody,
  FeaturesShown,
  InEnvironment,
  LimitsShown,
  StandingShown,
} from "./limit-shapes.ts"
import { audited, remembered } from "./remember.ts"
import { TenantPath } from "./shapes.ts"

const LIMIT = "/api/v1/tenants/{tenantId}/limits/{action}"
const TAG = "Limits"
const Standing = { description: "How the window stands", schema: StandingShown }
const Reached = {
  description: "It does not fit in: RATE_LIMITED, with the same members beside, and Retry-After",
}
const Unavailable = { description: "Nothing can be counted: LIMITS_UNAVAILABLE" }

const countedBy = ({
  params,
  scope,
  environment,
}: Pick<Call<{ action: string }, unknown, unknown>, "params" | "scope" | "environment">): Counted => ({
  tenantId: scope as TenantId,
  environment: environment!,
  action: params.action,
})

const consumeRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: `${LIMIT}/consume`,
    operationId: "consumeLimit",
    tag: TAG,
    summary: "Take so many of what a tenant may do within a time, all of them or none",
    action: "limit.consume",
    params: ActionPath,
    query: InEnvironment,
    body: AmountBody,
    replies: { 200: Standing, 429: Reached, 503: Unavailable },
    where: tenantWithin(deps),
    run: async (call) => {
      const what = countedBy(call)
      mustBeCallers(what.action)
      const found = await limitInForce(deps, call.principal, what)
      const standing = await counted(deps.limits.take(what, found.limit, call.body.amount, call.idempotency))
      noteStanding(deps.usage, what, standing)
      if (!standing.allowed) throw rateLimited(what, found, standing)
      return json(200, showStanding(what, found, standing), fieldsOf(what, found, standing))
    },
  })

/** Would so many fit in? */
const look = async (
  deps: ManageDeps,
  call: Pick<Call<{ action: string }, unknown, unknown>, "params" | "scope" | "environment" | "principal">,
  amount: number,
) => {
  const what = countedBy(call)
  const found = await limitInForce(deps, call.principal, what)
  const standing = await counted(deps.limits.look(what, found.limit, amount))
  noteStanding(deps.usage, what, standing)
  return json(200, showStanding(what, found, standing), fieldsOf(what, found, standing))
}

const checkRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: `${LIMIT}/check`,
    operationId: "checkLimit",
    tag: TAG,
    summary: "Would so many fit in? Counts nothing, and answers 200 either way",
    action: "limit.read",
    params: ActionPath,
    query: InEnvironment,
    body: AmountBody,
    replies: { 200: Standing, 503: Unavailable },
    where: tenantWithin(deps),
    run: async (call) => await look(deps, call, call.body.amount),
  })

const getRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: LIMIT,
    operationId: "getLimit",
    tag: TAG,
    summary: "How much of a limit is used, and who says it",
    action: "limit.read",
    params: ActionPath,
    query: InEnvironment,
    replies: { 200: Standing, 503: Unavailable },
    where: tenantWithin(deps),
    run: async (call) => await look(deps, call, 1),
  })

const reset = async (
  deps: ManageDeps,
  call: Pick<Call<unknown, unknown, unknown>, "principal" | "instance" | "idempotency">,
  what: Counted,
): Promise<RouteReply> => {
  const { tenantId, environment, action } = what
  const found = await limitInForce(deps, call.principal, what)
  const entry = audited(call, "limit.reset", action, { environment })
  const body = await withTenant(deps.db, tenantId, async (tx) => {
    await appendAudit(tx, [entry])
    // Before the entry is committed: what cannot be reset was not, and nobody says it was.
    await counted(deps.limits.reset(what))
    const shown = showStanding(what, found, await counted(deps.limits.look(what, found.limit, 1)))
    const reply = () => ({ status: 200, headers: {}, body: { ...shown } })
    await remember(tx, remembered(call.idempotency, reply), undefined)
    return shown
  })
  return json(200, body)
}

const resetRoute = (deps: ManageDeps): Route =>
  route({
    method: "delete",
    path: LIMIT,
    operationId: "resetLimit",
    tag: TAG,
    summary: "Forget what was taken of a limit",
    action: "limit.reset",
    params: ActionPath,
    query: InEnvironment,
    replies: { 200: Standing, 503: Unavailable },
    where: tenantWithin(deps),
    run: async (call) => {
      const what = countedBy(call)
      return await once(deps, what.tenantId, call.idempotency, () => reset(deps, call, what))
    },
  })

const listRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/tenants/{tenantId}/limits",
    operationId: "listLimits",
    tag: TAG,
    summary: "Every limit that is in force for a tenant, and who says it",
    action: "limit.read",
    params: TenantPath,
    query: InEnvironment,
    replies: { 200: { description: "The limits, by action", schema: LimitsShown } },
    where: tenantWithin(deps),
    run: async ({ scope, environment, principal }) => {
      const tenantId = scope as TenantId
      const grants = await grantsOf(deps, principal, tenantId, environment!)
      const limits = [...limitsInForce(grants)]
        .sort(([one], [other]) => (one < other ? -1 : 1))
        .map(([action, { limit, source, locked }]) => ({
          action,
          limit: limit.max,
          windowMs: limit.windowMs,
          source,
          locked,
        }))
      return json(200, { tenantId, environment, tier: grants.tier, limits })
    },
  })

const featuresRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/tenants/{tenantId}/features",
    operationId: "listFeatures",
    tag: TAG,
    summary: "The features a tenant has, and who says so",
    action: "feature.read",
    params: TenantPath,
    query: InEnvironment,
    replies: { 200: { description: "The features, by name", schema: FeaturesShown } },
    where: tenantWithin(deps),
    run: async ({ scope, environment, principal }) => {
      const tenantId = scope as TenantId
      const grants = await grantsOf(deps, principal, tenantId, environment!)
      const features = Object.fromEntries(featuresInForce(grants))
      return json(200, { tenantId, environment, tier: grants.tier, features })
    },
  })

export const limitRoutes = (deps: ManageDeps): Route[] => [
  listRoute(deps),
  getRoute(deps),
  checkRoute(deps),
  consumeRoute(deps),
  resetRoute(deps),
  featuresRoute(deps),
]
