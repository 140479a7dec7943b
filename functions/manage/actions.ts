import { z } from "@hono/zod-openapi"
import type { Action } from "../../core/access.ts"
import { type Actor, type Change, isOpen } from "../../core/change/change.ts"
import type { Command } from "../../core/change/command.ts"
import { defaultPolicy } from "../../core/change/policy.ts"
import type { ChangeId } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import { json, permit, type Route, type RouteReply, route } from "../http/route.ts"
import { type Decided, mutate } from "../platform/mutate.ts"
import type { ManageDeps } from "./deps.ts"
import { actorOf, changeNamed } from "./parse.ts"
import { changeOf } from "./read-changes.ts"
import { ChangePath, ChangeShown, Comment } from "./shapes.ts"
import { showAffected, showChange } from "./show.ts"
import { type Asker, askedBy, shownChange } from "./submit.ts"

interface Act<Body extends z.ZodType> {
  /** The last part of the path, and what the reference calls it. */
  name: string
  operationId: string
  summary: string
  action: Action
  body: Body
  command: (changeId: ChangeId, actor: Actor, body: z.output<Body>) => Command
}

const Remark = z.strictObject({ comment: Comment.optional() })

const shownAfter = (deps: ManageDeps, before: Change, decided: Decided): JsonObject => {
  const { scope, environment } = before.content
  const target = { scope, environment }
  // What an ended change did cannot be told from what is stable now.
  if (isOpen(before)) return shownChange(deps, target, decided)
  const policy = defaultPolicy(scope, environment, deps.settings.environments)
  return { ...showChange(decided.change ?? before, policy), affected: showAffected(decided.result) }
}

/** Carries out what somebody wants of a change, and answers with the change as it is then. */
export const act = async (
  deps: ManageDeps,
  asker: Asker,
  changeId: ChangeId,
  action: Action,
  command: Command,
): Promise<RouteReply> => {
  const change = await changeOf(deps, changeId)
  const { scope, environment } = change.content
  permit(asker.principal, action, { scope, environment })
  const outcome = await mutate(deps, {
    scope,
    environment,
    ...askedBy(asker),
    command,
    keys: [],
    changeId,
    reply: (decided) => ({ status: 200, headers: {}, body: shownAfter(deps, change, decided), stamps: [] }),
  })
  if (outcome.kind === "nothing")
    return json(200, showChange(change, defaultPolicy(scope, environment, deps.settings.environments)))
  return json(outcome.reply.status, outcome.reply.body, { ...outcome.reply.headers })
}

const actRoute = <Body extends z.ZodType>(deps: ManageDeps, spec: Act<Body>): Route =>
  route({
    method: "post",
    path: `/api/v1/changes/{changeId}/${spec.name}`,
    operationId: spec.operationId,
    tag: "Changes",
    summary: spec.summary,
    action: spec.action,
    params: ChangePath,
    body: spec.body,
    replies: { 200: { description: "The change as it is now", schema: ChangeShown } },
    where: ({ params }) => ({ scope: changeNamed(params.changeId).scope, environment: null }),
    run: async ({ params, body, ...asker }) => {
      const { changeId } = changeNamed(params.changeId)
      const command = spec.command(changeId, actorOf(asker.principal), body)
      return await act(deps, asker, changeId, spec.action, command)
    },
  })

const remarked = (
  type: "cancel" | "rollback" | "break_glass" | "review",
  spec: Omit<Act<typeof Remark>, "body" | "command">,
): Act<typeof Remark> => ({
  ...spec,
  body: Remark,
  command: (changeId, actor, { comment }) => ({ type, changeId, actor, comment }),
})

const bare = (type: "pause" | "resume", summary: string): Act<typeof Remark> => ({
  name: type,
  operationId: `${type}Change`,
  summary,
  action: "change.control",
  body: Remark,
  command: (changeId, actor) => ({ type, changeId, actor }),
})

/** What people do to a change besides approving it. */
export const actionRoutes = (deps: ManageDeps): Route[] => [
  ...[
    remarked("cancel", {
      name: "cancel",
      operationId: "cancelChange",
      summary: "Withdraw a change that has not started",
      action: "change.cancel",
    }),
    remarked("rollback", {
      name: "rollback",
      operationId: "rollBackChange",
      summary: "Put back what was stable before a change that is live",
      action: "change.control",
    }),
    remarked("break_glass", {
      name: "break-glass",
      operationId: "breakGlass",
      summary: "Put a change live without the approvals it owes; it owes a review then",
      action: "change.break_glass",
    }),
    remarked("review", {
      name: "review",
      operationId: "reviewChange",
      summary: "Review a change that broke glass",
      action: "change.review",
    }),
    bare("pause", "Hold a rollout at its step"),
    bare("resume", "Let a paused rollout go on"),
  ].map((spec) => actRoute(deps, spec)),
  actRoute(deps, {
    name: "advance",
    operationId: "advanceChange",
    summary: "Take a rollout to its next step now; name the step you saw",
    action: "change.control",
    body: z.strictObject({ step: z.int().min(0).optional(), comment: Comment.optional() }),
    command: (changeId, actor, { step }) => ({
      type: "advance",
      changeId,
      step,
      by: { kind: "person", actor },
    }),
  }),
  actRoute(deps, {
    name: "abort",
    operationId: "abortChange",
    summary: "End a rollout: everyone back on stable",
    action: "change.control",
    body: Remark,
    command: (changeId, actor, { comment }) => ({
      type: "abort",
      changeId,
      by: { kind: "person", actor },
      comment,
    }),
  }),
  actRoute(deps, {
    name: "comments",
    operationId: "commentOnChange",
    summary: "Say something about a change",
    action: "change.comment",
    body: z.strictObject({ text: Comment.min(1) }),
    command: (changeId, actor, { text }) => ({ type: "comment", changeId, actor, text }),
  }),
]
