import { z } from "@hono/zod-openapi"
import { POLICY_KEY } from "../../core/change/policy.ts"
import type { LayerPolicy } from "../../core/change/scope-state.ts"
import type { Json, JsonObject } from "../../core/json.ts"
import type { Rule } from "../../core/rule/rule.ts"
import { parseRules } from "../../core/rule/rule-document.ts"
import { readPolicies } from "../../db/queries/policies.ts"
import { json, type Route, route } from "../http/route.ts"
import { brokenNow, rulesOf } from "../platform/broken-rules.ts"
import type { Decided } from "../platform/mutate.ts"
import { policiesAfter } from "../platform/policies.ts"
import { ChangeShown } from "./change-shapes.ts"
import type { ManageDeps } from "./deps.ts"
import { targetOfPath } from "./parse.ts"
import { checkThere, expected, ownOf } from "./policy.ts"
import { Rule as RuleShown } from "./policy-shapes.ts"
import { Affected, AnyJson, Comment, EnvironmentPath, Stale } from "./shapes.ts"
import { etagOf, showAffected, type Target } from "./show.ts"
import { accepted, submit } from "./submit.ts"

export const RULES_PATH = "/api/v1/tenants/{tenantId}/environments/{environment}/rules"

export const RulesBody = z
  .strictObject({
    rules: AnyJson.openapi({ type: "array", items: { $ref: "#/components/schemas/Rule" } } as never),
    comment: Comment.optional(),
  })
  .openapi("NewRules")

const BrokenShown = z.object({
  scope: z.string(),
  id: z.string(),
  description: z.string(),
  keys: z.array(z.string()).openapi({ description: "The configs that it is about" }),
  failure: z.string().optional().openapi({ description: "Where it could not be evaluated: why" }),
  arms: z.array(z.enum(["stable", "candidate"])),
})

const RulesShown = z
  .object({
    tenantId: z.string(),
    environment: z.string(),
    rules: z.array(RuleShown.extend({ scope: z.string() })).openapi({
      description: "Those in force, of every layer, farthest first",
    }),
    own: z.array(RuleShown).openapi({ description: "Of this scope: what a PUT replaces" }),
    version: z
      .int()
      .openapi({ description: "Of this scope's policy, which they are a part of; 0: none. The ETag" }),
    broken: z.array(BrokenShown).optional().openapi({
      description: "Those that do not hold now: something inherited has moved, or it was rolled back",
    }),
    changeId: z.string().optional(),
    affected: Affected.optional(),
  })
  .openapi("EnvironmentRules")

const Shown = { description: "The rules in force, and those that do not hold now", schema: RulesShown }
const Waiting = { description: "The change that was filed: it waits for approval", schema: ChangeShown }

const plain = (value: unknown): Json => value as Json

const shown = (target: Target, layers: readonly LayerPolicy[]): JsonObject => {
  const own = ownOf(target, layers)
  return {
    tenantId: target.scope,
    environment: target.environment,
    rules: plain(rulesOf(layers).map(({ scope, rule }) => ({ scope, ...rule }))),
    own: plain(own?.document.rules ?? []),
    version: own?.version ?? 0,
  }
}

const getRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: RULES_PATH,
    operationId: "getRules",
    tag: "Policies",
    summary: "What has to hold between the configs of an environment, and what of that does not hold now",
    action: "policy.read",
    params: EnvironmentPath,
    replies: { 200: Shown },
    where: targetOfPath(deps),
    run: async ({ scope, environment }) => {
      const target = { scope: scope!, environment: environment! }
      const layers = await readPolicies(deps.db, target.scope, target.environment)
      const broken = (await brokenNow(deps, target, rulesOf(layers))).map(
        ({ scope, rule, keys, failure, arms }) => ({
          scope,
          id: rule.id,
          description: rule.description,
          keys,
          ...(failure === undefined ? {} : { failure }),
          arms,
        }),
      )
      return json(
        200,
        { ...shown(target, layers), broken: plain(broken) },
        { etag: etagOf(ownOf(target, layers)?.version ?? 0) },
      )
    },
  })

/** Throws RULE_INVALID. */
export const rulesNamed = ({ rules }: z.output<typeof RulesBody>): readonly Rule[] =>
  parseRules(rules as Json)

/** What replaces the scope's own rules by these. */
export const rulesEdit = (rules: readonly Rule[]) => ({
  key: POLICY_KEY,
  value: plain({ rules }),
  part: "rules" as const,
})

const reply = (deps: ManageDeps, target: Target) => (decided: Decided) => {
  if (decided.change?.status.state !== "live") return accepted(deps, decided)
  const layers = policiesAfter(decided)
  const { changeId } = decided.change.content
  return {
    status: 200,
    headers: { etag: etagOf(ownOf(target, layers)?.version ?? 0) },
    body: { ...shown(target, layers), changeId, affected: showAffected(decided.result) },
    stamps: [],
  }
}

const putRoute = (deps: ManageDeps): Route =>
  route({
    method: "put",
    path: RULES_PATH,
    operationId: "setRules",
    tag: "Policies",
    summary: "Say which rules this scope adds to those of the layers it stands on, in full",
    action: "policy.submit",
    params: EnvironmentPath,
    body: RulesBody,
    replies: { 200: Shown, 202: Waiting, 412: Stale },
    where: targetOfPath(deps),
    run: async ({ body, scope, environment, ifMatch, ...asker }) => {
      const target = { scope: scope!, environment: environment! }
      const { mustBe, ...version } = expected(ifMatch)
      const wanted = { edits: [{ ...rulesEdit(rulesNamed(body)), ...version }], comment: body.comment }
      return await submit(deps, asker, target, wanted, reply(deps, target), checkThere(target, { mustBe }))
    },
  })

export const ruleRoutes = (deps: ManageDeps): Route[] => [getRoute(deps), putRoute(deps)]
