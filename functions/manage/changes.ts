import { z } from "@hono/zod-openapi"
import { CHANGE_STATES } from "../../core/change/change.ts"
import { json, type Route, route } from "../http/route.ts"
import { misshapen } from "../http/validate.ts"
import type { Decided } from "../platform/mutate.ts"
import { ChangeBody, ChangeListed, ChangeShown } from "./change-shapes.ts"
import type { ManageDeps } from "./deps.ts"
import { changeNamed, environmentNamed, scopeNamed } from "./parse.ts"
import { previewRoute } from "./preview.ts"
import { listShownChanges, readChange } from "./read-changes.ts"
import { ChangePath, Paging, page } from "./shapes.ts"
import { accepted, submit } from "./submit.ts"
import { checkReplaced, targetOfBody, wantedOf } from "./wanted.ts"

const submitRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/changes",
    operationId: "submitChange",
    tag: "Changes",
    summary: "Submit a change of many keys, or a promotion of them",
    action: "change.submit",
    body: ChangeBody,
    replies: { 202: { description: "The change, live already where nothing is owed", schema: ChangeShown } },
    where: targetOfBody(deps),
    run: async ({ body, scope, environment, ...asker }) => {
      const target = { scope: scope!, environment: environment! }
      const wanted = await wantedOf(deps, asker.principal, target, body)
      const reply = (decided: Decided) => accepted(deps, decided)
      return await submit(deps, asker, target, wanted, reply, checkReplaced(wanted))
    },
  })

const listRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/changes",
    operationId: "listChanges",
    tag: "Changes",
    summary: "The changes of a scope, newest first, without their edits",
    action: "change.read",
    query: z.strictObject({
      tenantId: z.string(),
      environment: z.string().optional(),
      state: z
        .string()
        .optional()
        .openapi({ description: `Some of ${CHANGE_STATES.join(", ")}, by commas` }),
      ...Paging,
    }),
    replies: { 200: { description: "A page of changes", schema: page(ChangeListed) } },
    where: async ({ query }, principal) => ({
      scope: await scopeNamed(query.tenantId, principal, deps.findExternal),
      environment:
        query.environment === undefined
          ? principal.environment
          : environmentNamed(query.environment, deps.settings.environments),
    }),
    run: async ({ query, scope, environment }) => {
      const states = query.state?.split(",") ?? []
      const unknown = states.find((state) => !(CHANGE_STATES as readonly string[]).includes(state))
      if (unknown !== undefined)
        throw misshapen("query", [
          { path: "state", message: `"${unknown.slice(0, 100)}" is none of ${CHANGE_STATES.join(", ")}.` },
        ])
      return json(200, await listShownChanges(deps, scope!, { ...query, environment, states }))
    },
  })

const getRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/changes/{changeId}",
    operationId: "getChange",
    tag: "Changes",
    summary: "A change: its stages, how far it has come, and what it does to each key",
    action: "change.read",
    params: ChangePath,
    replies: { 200: { description: "The change", schema: ChangeShown } },
    where: ({ params }) => ({ scope: changeNamed(params.changeId).scope, environment: null }),
    run: async ({ params, principal }) =>
      json(200, await readChange(deps, changeNamed(params.changeId).changeId, principal)),
  })

export const changeRoutes = (deps: ManageDeps): Route[] => [
  submitRoute(deps),
  previewRoute(deps),
  listRoute(deps),
  getRoute(deps),
]
