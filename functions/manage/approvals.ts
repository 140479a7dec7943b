import { z } from "@hono/zod-openapi"
import type { Principal } from "../../core/access.ts"
import type { Change } from "../../core/change/change.ts"
import { defaultPolicy } from "../../core/change/policy.ts"
import { holds, objection, owedStage, standingOf } from "../../core/change/stages.ts"
import type { Environment } from "../../core/environment.ts"
import { json, type Route, route } from "../http/route.ts"
import { act } from "./actions.ts"
import type { ManageDeps } from "./deps.ts"
import { actorOf, changeNamed, scopeNamed } from "./parse.ts"
import { listShownChanges } from "./read-changes.ts"
import { ChangeListed, ChangePath, ChangeShown, Comment, Paging, page } from "./shapes.ts"

/** Would this principal's approval count towards the stage that is due? */
const awaits = (change: Change, principal: Principal, environments: readonly Environment[]): boolean => {
  const { scope, environment, author } = change.content
  if (principal.environment && principal.environment !== environment) return false
  const standing = standingOf(change, defaultPolicy(scope, environment, environments))
  const due = owedStage(standing)
  if (!due || !holds(principal.roles, due.role, scope)) return false
  const earlier = standing.flatMap(({ approvals }) => approvals.map(({ actor }) => actor))
  return objection(author, earlier, actorOf(principal)) === null
}

const listRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/approvals",
    operationId: "listApprovals",
    tag: "Approvals",
    summary: "The changes that wait for the caller's approval",
    action: "change.approve",
    query: z.strictObject({
      tenantId: z.string(),
      status: z.literal("pending").default("pending"),
      ...Paging,
    }),
    replies: {
      200: {
        description: "A page of changes; it may be short of the limit and still have a next",
        schema: page(ChangeListed),
      },
    },
    where: async ({ query }, principal) => ({
      scope: await scopeNamed(query.tenantId, principal, deps.findExternal),
      environment: principal.environment,
    }),
    run: async ({ query, scope, environment, principal }) => {
      const wanted = (change: Change) => awaits(change, principal, deps.settings.environments)
      const states = ["awaiting_approval"]
      return json(200, await listShownChanges(deps, scope!, { ...query, environment, states }, wanted))
    },
  })

const verdictRoute = (deps: ManageDeps, type: "approve" | "reject"): Route =>
  route({
    method: "post",
    path: `/api/v1/approvals/{changeId}/${type}`,
    operationId: `${type}Change`,
    tag: "Approvals",
    summary: type === "approve" ? "Approve a change for the stage that is due" : "Reject a change",
    action: "change.approve",
    params: ChangePath,
    body:
      type === "approve"
        ? z.strictObject({ comment: Comment.optional(), contentHash: z.string().max(64).optional() })
        : z.strictObject({ comment: Comment.optional() }),
    replies: { 200: { description: "The change as it is now", schema: ChangeShown } },
    where: ({ params }) => ({ scope: changeNamed(params.changeId).scope, environment: null }),
    run: async ({ params, body, ...asker }) => {
      const { changeId } = changeNamed(params.changeId)
      const { roles } = asker.principal
      const told = { changeId, actor: actorOf(asker.principal), ...body }
      const command = type === "approve" ? { type, roles, ...told } : { type, ...told }
      return await act(deps, asker, changeId, "change.approve", command as never)
    },
  })

export const approvalRoutes = (deps: ManageDeps): Route[] => [
  listRoute(deps),
  verdictRoute(deps, "approve"),
  verdictRoute(deps, "reject"),
]
