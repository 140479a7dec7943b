import { z } from "@hono/zod-openapi"
import type { Principal } from "../../core/access.ts"
import type { Change } from "../../core/change/change.ts"
import type { Policy } from "../../core/change/policy.ts"
import { holds, objection, owedStage, standingOf } from "../../core/change/stages.ts"
import { json, type Route, route } from "../http/route.ts"
import { act } from "./actions.ts"
import { ChangeListed, ChangeShown } from "./change-shapes.ts"
import type { ManageDeps } from "./deps.ts"
import { actorOf, changeNamed, scopeNamed } from "./parse.ts"
import { listShownChanges } from "./read-changes.ts"
import { ChangePath, Comment, Paging, page, Remark } from "./shapes.ts"

/** Would this principal's approval count towards the stage that is due? */
const awaits = (change: Change, policy: Policy, principal: Principal): boolean => {
  const { scope, environment, author } = change.content
  if (principal.environment && principal.environment !== environment) return false
  const standing = standingOf(change, policy)
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
      const wanted = (change: Change, policy: Policy) => awaits(change, policy, principal)
      const states = ["awaiting_approval"]
      return json(200, await listShownChanges(deps, scope!, { ...query, environment, states }, wanted))
    },
  })

const SUMMARIES = {
  approve: "Approve a change for the stage that is due",
  reject: "Reject a change",
  withdraw: "Take back your own approval of a change that has not started",
} as const

const Approve = z.strictObject({
  comment: Comment.optional(),
  contentHash: z
    .string()
    .max(64)
    .optional()
    .openapi({ description: "Of the change that you read: another one is CONTENT_HASH_STALE" }),
})

const verdictRoute = (deps: ManageDeps, type: "approve" | "reject" | "withdraw"): Route =>
  route({
    method: "post",
    path: `/api/v1/approvals/{changeId}/${type}`,
    operationId: type === "withdraw" ? "withdrawApproval" : `${type}Change`,
    tag: "Approvals",
    summary: SUMMARIES[type],
    action: "change.approve",
    params: ChangePath,
    body: type === "approve" ? Approve : Remark,
    replies: { 200: { description: "The change as it is now", schema: ChangeShown } },
    where: ({ params }) => ({ scope: changeNamed(params.changeId).scope, environment: null }),
    run: async ({ params, body, ...asker }) => {
      const { changeId } = changeNamed(params.changeId)
      const { roles } = asker.principal
      const told = { changeId, actor: actorOf(asker.principal), ...body }
      const command = type === "approve" ? { type, roles, ...told } : { type, ...told }
      return await act(deps, asker, changeId, "change.approve", command)
    },
  })

export const approvalRoutes = (deps: ManageDeps): Route[] => [
  listRoute(deps),
  verdictRoute(deps, "approve"),
  verdictRoute(deps, "reject"),
  verdictRoute(deps, "withdraw"),
]
