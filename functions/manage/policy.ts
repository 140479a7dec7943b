import { z } from "@hono/zod-openapi"
import type { EditInput } from "../../core/change/command.ts"
import { forScope } from "../../core/change/effective-policy.ts"
import { POLICY_KEY } from "../../core/change/policy.ts"
import { parsePolicy } from "../../core/change/policy-document.ts"
import type { LayerPolicy, ScopeState } from "../../core/change/scope-state.ts"
import { Refusal } from "../../core/errors.ts"
import { isTenant } from "../../core/ids.ts"
import type { Json, JsonObject } from "../../core/json.ts"
import { readPolicies } from "../../db/queries/policies.ts"
import { json, type Route, route } from "../http/route.ts"
import { checked } from "../http/validate.ts"
import type { Decided } from "../platform/mutate.ts"
import { policiesAfter, policyIn } from "../platform/policies.ts"
import { ChangeShown } from "./change-shapes.ts"
import type { ManageDeps } from "./deps.ts"
import { ifMatchNamed, targetOfPath } from "./parse.ts"
import { PolicyBody, PolicyShown } from "./policy-shapes.ts"
import { Comment, EnvironmentPath, Stale } from "./shapes.ts"
import { etagOf, showAffected, type Target } from "./show.ts"
import { accepted, submit } from "./submit.ts"

const PATH = "/api/v1/tenants/{tenantId}/environments/{environment}/policy"
const Shown = { description: "The policy in force, and which layer says what of it", schema: PolicyShown }
const Waiting = { description: "The change that was filed: it waits for approval", schema: ChangeShown }

const plain = (value: unknown): Json => value as Json

export const ownOf = ({ scope }: Target, layers: readonly LayerPolicy[]): LayerPolicy | undefined =>
  layers.find((layer) => layer.scope === scope)

const shown = (deps: ManageDeps, target: Target, layers: readonly LayerPolicy[]): JsonObject => {
  const own = ownOf(target, layers)
  return {
    tenantId: target.scope,
    environment: target.environment,
    policy: plain(policyIn(deps, { ...target, policies: layers })),
    own: plain(own?.document ?? null),
    version: own?.version ?? 0,
    // What does not concern the scope may concern others: waves name tenants.
    layers: plain(layers.map((layer) => ({ ...layer, document: forScope(layer.document, target.scope) }))),
  }
}

const getRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: PATH,
    operationId: "getPolicy",
    tag: "Policies",
    summary: "What an environment asks of a change before and while it reaches readers",
    action: "policy.read",
    params: EnvironmentPath,
    replies: { 200: Shown },
    where: targetOfPath(deps),
    run: async ({ scope, environment }) => {
      const target = { scope: scope!, environment: environment! }
      const layers = await readPolicies(deps.db, target.scope, target.environment)
      return json(200, shown(deps, target, layers), { etag: etagOf(ownOf(target, layers)?.version ?? 0) })
    },
  })

/** As a config is answered: what is in force now, or 202 with the change that approvals are owed for. */
const reply = (deps: ManageDeps, target: Target) => (decided: Decided) => {
  if (decided.change?.status.state !== "live") return accepted(deps, decided)
  const layers = policiesAfter(decided)
  const { changeId } = decided.change.content
  return {
    status: 200,
    headers: { etag: etagOf(ownOf(target, layers)?.version ?? 0) },
    body: { ...shown(deps, target, layers), changeId, affected: showAffected(decided.result) },
    stamps: [],
  }
}

const Beside = z.object({ locked: z.boolean().optional(), comment: Comment.optional() })

/** What a policy is written with: its members, and beside them what is none of them. */
const editNamed = (target: Target, body: Readonly<Record<string, unknown>>) => {
  const { locked: _locked, comment: _comment, ...members } = body
  const { locked, comment } = checked(Beside, body, "body")
  if (locked && isTenant(target.scope))
    throw new Refusal("POLICY_INVALID", "Only the platform and the tiers lock their policies.", {
      errors: [{ path: "/locked", message: "is for scopes that others inherit from" }],
    })
  const value = plain(parsePolicy(members as JsonObject, target))
  return { edit: { key: POLICY_KEY, value, locked: locked ?? false }, comment }
}

/** The version that is expected; `*` asks that there is one, whichever. */
export const expected = (header: string | undefined): Pick<EditInput, "ifMatch"> & { mustBe: boolean } => {
  const version = ifMatchNamed(header)
  return typeof version === "number" ? { ifMatch: version, mustBe: false } : { mustBe: version === "any" }
}

export const checkThere =
  (target: Target, { mustBe }: { mustBe: boolean }) =>
  ({ policies }: ScopeState) => {
    if (mustBe && !ownOf(target, policies))
      throw new Refusal("VERSION_STALE", `${target.scope} has no policy of its own there.`)
  }

const putRoute = (deps: ManageDeps): Route =>
  route({
    method: "put",
    path: PATH,
    operationId: "setPolicy",
    tag: "Policies",
    summary:
      "Say what this scope says itself of the policy, in full; what is left out is inherited, but for its rules",
    action: "policy.submit",
    params: EnvironmentPath,
    body: PolicyBody,
    replies: { 200: Shown, 202: Waiting, 412: Stale },
    where: targetOfPath(deps),
    run: async ({ body, scope, environment, ifMatch, ...asker }) => {
      const target = { scope: scope!, environment: environment! }
      const { edit, comment } = editNamed(target, body)
      const { mustBe, ...version } = expected(ifMatch)
      const wanted = { edits: [{ ...edit, part: "members" as const, ...version }], comment }
      return await submit(deps, asker, target, wanted, reply(deps, target), checkThere(target, { mustBe }))
    },
  })

const deleteRoute = (deps: ManageDeps): Route =>
  route({
    method: "delete",
    path: PATH,
    operationId: "inheritPolicy",
    tag: "Policies",
    summary: "Say nothing of the policy in this scope any more but its rules: all of it is inherited",
    action: "policy.submit",
    params: EnvironmentPath,
    replies: { 200: Shown, 202: Waiting, 412: Stale },
    where: targetOfPath(deps),
    run: async ({ scope, environment, ifMatch, ...asker }) => {
      const target = { scope: scope!, environment: environment! }
      const { mustBe, ...version } = expected(ifMatch)
      const edit = { key: POLICY_KEY, delete: true, part: "members" } as const
      const wanted = { edits: [{ ...edit, ...version }] }
      const check = (state: ScopeState) => {
        checkThere(target, { mustBe })(state)
        if ((version.ifMatch ?? 0) === 0 && !ownOf(target, state.policies))
          throw new Refusal("CHANGE_EMPTY", `${target.scope} inherits all of it already.`)
      }
      return await submit(deps, asker, target, wanted, reply(deps, target), check)
    },
  })

export const policyRoutes = (deps: ManageDeps): Route[] => [getRoute(deps), putRoute(deps), deleteRoute(deps)]
