import { z } from "@hono/zod-openapi"
import { POLICY_KEY } from "../../core/change/policy.ts"
import { isTenant } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import { keysOfRule } from "../../core/rule/evaluate.ts"
import type { Rule } from "../../core/rule/rule.ts"
import { json, type Route, route } from "../http/route.ts"
import { brokenNow } from "../platform/broken-rules.ts"
import { rehearse } from "../platform/mutate.ts"
import { heirsBreaking } from "./audience.ts"
import type { ManageDeps } from "./deps.ts"
import { targetOfPath } from "./parse.ts"
import { Breaking, Problem } from "./preview.ts"
import { RULES_PATH, RulesBody, rulesEdit, rulesNamed } from "./rules.ts"
import { EnvironmentPath } from "./shapes.ts"
import type { Target } from "./show.ts"
import { type Asker, askedBy, submission } from "./submit.ts"

const Checked = z
  .object({
    tenantId: z.string(),
    environment: z.string(),
    valid: z.boolean().openapi({ description: "Would they be taken, or are they those in force?" }),
    problem: Problem.nullable().openapi({ description: "What a PUT of them would be refused with" }),
    rules: z
      .array(
        z.object({
          id: z.string(),
          description: z.string(),
          keys: z.array(z.string()).openapi({ description: "The configs that it is about" }),
          holds: z.boolean(),
          arms: z
            .array(z.enum(["stable", "candidate"]))
            .openapi({ description: "Those on which it does not hold" }),
          failure: z.string().optional().openapi({ description: "Where it could not be evaluated: why" }),
        }),
      )
      .openapi({ description: "Each of them, and whether it holds for what is there now" }),
    breaking: Breaking.extend({ lookedAt: z.int(), truncated: z.boolean() })
      .optional()
      .openapi({ description: "Of the platform and the tiers: tenants for whose readers one does not hold" }),
  })
  .openapi("CheckedRules")

const problemWith = async (
  deps: ManageDeps,
  asker: Asker,
  target: Target,
  rules: readonly Rule[],
): Promise<JsonObject | null> => {
  const { decision } = await rehearse(deps, {
    ...target,
    ...askedBy(asker),
    command: submission(deps, asker, target.scope, { edits: [rulesEdit(rules)] }),
    keys: [POLICY_KEY],
    reply: () => {
      throw new Error("a check answers nothing")
    },
  })
  // What is in force already is nothing to refuse anybody for.
  if (decision.kind !== "refused" || decision.code === "CHANGE_EMPTY") return null
  const { code, detail, errors = [] } = decision
  return { code, detail, errors: [...errors] as unknown as JsonObject[] }
}

const standingOf = async (
  deps: ManageDeps,
  target: Target,
  rules: readonly Rule[],
): Promise<JsonObject[]> => {
  const scoped = rules.map((rule) => ({ scope: target.scope, rule }))
  const broken = new Map((await brokenNow(deps, target, scoped)).map((one) => [one.rule, one]))
  return rules.map((rule) => {
    const { arms = [], failure } = broken.get(rule) ?? {}
    return {
      id: rule.id,
      description: rule.description,
      keys: keysOfRule(rule),
      holds: arms.length === 0,
      arms,
      ...(failure === undefined ? {} : { failure }),
    }
  })
}

/** What would come of a `PUT …/rules`, and which of them hold. */
export const checkRulesRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: `${RULES_PATH}/check`,
    operationId: "checkRules",
    tag: "Policies",
    summary: "Which of these rules hold for what is there now, and would they be taken; alters nothing",
    action: "policy.submit",
    params: EnvironmentPath,
    body: RulesBody,
    replies: { 200: { description: "The verdict, and each rule", schema: Checked } },
    where: targetOfPath(deps),
    run: async ({ body, scope, environment, ...asker }) => {
      const target = { scope: scope!, environment: environment! }
      const rules = rulesNamed(body)
      const problem = await problemWith(deps, asker, target, rules)
      const scoped = rules.map((rule) => ({ scope: target.scope, rule }))
      return json(200, {
        tenantId: target.scope,
        environment: target.environment,
        valid: problem === null,
        problem,
        rules: await standingOf(deps, target, rules),
        ...(isTenant(target.scope) || rules.length === 0
          ? {}
          : { breaking: await heirsBreaking(deps, target, scoped) }),
      })
    },
  })
