import { z } from "@hono/zod-openapi"
import type { Action, Role } from "../../core/access.ts"
import { type Actor, type Change, isOpen } from "../../core/change/change.ts"
import type { Command } from "../../core/change/command.ts"
import type { ChangeId } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import { json, permit, type Route, type RouteReply, route } from "../http/route.ts"
import { type Decided, mutate } from "../platform/mutate.ts"
import { policyAfter } from "../platform/policies.ts"
import { ChangeShown } from "./change-shapes.ts"
import { withConflict } from "./conflict.ts"
import type { ManageDeps } from "./deps.ts"
import { actorOf, changeNamed } from "./parse.ts"
import { changeOf, policyFor } from "./read-changes.ts"
import { ChangePath, Comment, Remark } from "./shapes.ts"
import { showAffected, showChange } from "./show.ts"
import { type Asker, askedBy, shownChange } from "./submit.ts"

interface Act<Body extends z.ZodType> {
  /** The last part of the path, and what the reference calls it. */
  name: string
  operationId: string
  summary: string
  action: Action
  body: Body
  command: (changeId: ChangeId, actor: Actor, body: z.output<Body>, roles: readonly Role[]) => Command
}

/** `text` is what it was called at first. */
const Said = z.union(
  [z.strictObject({ comment: Comment.min(1) }), z.strictObject({ text: Comment.min(1) })],
  { error: 'Expected {"comment": "…"}, of 1 to 2000 characters.' },
)
const Remind = z.strictObject({})

const shownAfter = (deps: ManageDeps, before: Change, decided: Decided): JsonObject =>
  // What an ended change did cannot be told from what is stable now.
  isOpen(before)
    ? shownChange(deps, decided)
    : {
        ...showChange(decided.change ?? before, policyAfter(deps, decided)),
        affected: showAffected(decided.result),
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
  const outcome = await withConflict(deps, changeId, () =>
    mutate(deps, {
      scope,
      environment,
      ...askedBy(asker),
      command,
      keys: [],
      changeId,
      reply: (decided) => ({
        status: 200,
        headers: {},
        body: shownAfter(deps, change, decided),
        stamps: [],
      }),
    }),
  )
  if (outcome.kind === "nothing") return json(200, showChange(change, await policyFor(deps, change.content)))
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
      const { principal } = asker
      const command = spec.command(changeId, actorOf(principal), body, principal.roles)
      return await act(deps, asker, changeId, spec.action, command)
    },
  })

const remarked = (
  type: "cancel" | "rollback" | "review",
  spec: Omit<Act<typeof Remark>, "body" | "command">,
): Act<typeof Remark> => ({
  ...spec,
  body: Remark,
  command: (changeId, actor, { comment }, roles) => ({
    type,
    changeId,
    actor,
    comment,
    ...(type === "rollback" ? { mayGrant: roles.includes("platform_admin") } : {}),
  }),
})

const bare = (type: "pause" | "resume", summary: string): Act<typeof Remark> => ({
  name: type,
  operationId: `${type}Change`,
  summary,
  action: "change.control",
  body: Remark,
  command: (changeId, actor, { comment }) => ({ type, changeId, actor, comment }),
})

const breakGlass: Act<typeof Remark> = {
  name: "break-glass",
  operationId: "breakGlass",
  summary: "Put a change live without the approvals it owes, if the policy lets you; it owes a review then",
  action: "change.break_glass",
  body: Remark,
  command: (changeId, actor, { comment }, roles) => ({
    type: "break_glass",
    changeId,
    actor,
    roles,
    comment,
  }),
}

const remind: Act<typeof Remind> = {
  name: "remind",
  operationId: "remindApprovers",
  summary: "Have those told again whose approval is due",
  action: "change.comment",
  body: Remind,
  command: (changeId, actor) => ({ type: "remind", changeId, actor }),
}

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
    breakGlass,
    remarked("review", {
      name: "review",
      operationId: "reviewChange",
      summary: "Review a change that broke glass",
      action: "change.review",
    }),
    bare("pause", "Hold a rollout at its step"),
    bare("resume", "Let a paused rollout go on"),
  ].map((spec) => actRoute(deps, spec)),
  actRoute(deps, remind),
  actRoute(deps, {
    name: "advance",
    operationId: "advanceChange",
    summary: "Take a rollout to its next step now; name the step you saw",
    action: "change.control",
    body: z.strictObject({ step: z.int().min(0).optional(), comment: Comment.optional() }),
    command: (changeId, actor, { step, comment }) => ({
      type: "advance",
      changeId,
      step,
      comment,
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
    body: Said,
    command: (changeId, actor, said) => ({
      type: "comment",
      changeId,
      actor,
      text: "comment" in said ? said.comment : said.text,
    }),
  }),
]
