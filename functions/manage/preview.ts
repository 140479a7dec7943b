import { z } from "@hono/zod-openapi"
import { may } from "../../core/access.ts"
import type { Change } from "../../core/change/change.ts"
import { keysOf } from "../../core/change/edits.ts"
import type { StageStanding } from "../../core/change/stages.ts"
import { standingOf } from "../../core/change/stages.ts"
import { Refusal } from "../../core/errors.ts"
import { isTenant } from "../../core/ids.ts"
import type { Json, JsonObject } from "../../core/json.ts"
import { rulesMissing } from "../../core/rule/missing.ts"
import { readPolicies } from "../../db/queries/policies.ts"
import { json, type Route, route } from "../http/route.ts"
import { rulesOf } from "../platform/broken-rules.ts"
import { neededChecker } from "../platform/flag-needs.ts"
import { rehearse } from "../platform/mutate.ts"
import { policyAfter } from "../platform/policies.ts"
import { audienceOf } from "./audience.ts"
import { PlanStep, PreviewBody } from "./change-shapes.ts"
import type { ManageDeps } from "./deps.ts"
import { type Asker, askedBy, shownChange, submission } from "./submit.ts"
import { checkReplaced, targetOfBody, wantedOf } from "./wanted.ts"

const Reached = z.object({
  step: z.int().nullable().openapi({ description: "null: once it is live" }),
  weightBp: z.int(),
  reached: z.int().openapi({ description: "Of those looked at, so many would read the candidate" }),
  seeing: z.int().openapi({ description: "Of those, so many would see something else" }),
  examples: z.array(z.string()).openapi({ description: "The first 20 of those" }),
  exact: z.boolean().openapi({
    description: "false: who is drawn follows from the id that the change gets; as many, but maybe others",
  }),
})

export const Problem = z.object({
  code: z.string(),
  detail: z.string(),
  errors: z.array(z.record(z.string(), z.unknown())),
})

export const Breaking = z
  .object({
    tenants: z.int(),
    examples: z.array(
      z.object({
        tenantId: z.string(),
        rules: z.array(
          z.object({
            scope: z.string(),
            id: z.string(),
            description: z.string(),
            keys: z.array(z.string()),
          }),
        ),
      }),
    ),
  })
  .openapi({
    description: "Tenants whose rules hold now and would not then: the first 20 of those looked at",
  })

const PreviewShown = z
  .object({
    valid: z.boolean(),
    problem: Problem.nullable(),
    change: z.record(z.string(), z.unknown()).nullable(),
    stages: z.array(
      z.object({
        role: z.string(),
        required: z.int(),
        mayApprove: z.array(z.string()).openapi({ description: "Roles" }),
      }),
    ),
    plan: z.array(PlanStep),
    audience: z
      .object({
        of: z.enum(["subjects", "tenants"]),
        lookedAt: z.int(),
        truncated: z.boolean(),
        alters: z.boolean().openapi({ description: "Would anybody at all see something else?" }),
        breaking: Breaking.optional(),
        steps: z.array(Reached),
      })
      .nullable(),
    rulesMissing: z
      .array(
        z.object({
          scope: z.string(),
          id: z.string(),
          description: z.string(),
          keys: z.array(z.string()),
          there: z
            .enum(["none", "other"])
            .openapi({ description: "`other`: one of that id that says another" }),
        }),
      )
      .optional()
      .openapi({
        description:
          "Of a promotion: rules about what is promoted that are in force where it comes from, and not where it goes. They are not promoted with it",
      }),
  })
  .openapi("Preview")

const invalid = ({ code, message, errors }: Pick<Refusal, "code" | "message" | "errors">) =>
  json(200, {
    valid: false,
    problem: { code, detail: message, errors },
    change: null,
    stages: [],
    plan: [],
    audience: null,
  })

const showStage = ({ content }: Change, { role, required }: StageStanding): JsonObject => ({
  role,
  required,
  // The platform and the tiers have no roles of their own.
  mayApprove: isTenant(content.scope) ? [role] : ["platform_admin"],
})

/** What a promotion leaves behind, as far as whoever asks may read it. */
const showMissing = async (
  { db }: ManageDeps,
  { principal }: Asker,
  { content }: Change,
): Promise<JsonObject> => {
  const { scope, environment, promotedFrom, edits } = content
  if (!promotedFrom) return {}
  const source = { scope, environment: promotedFrom.environment }
  if (!may(principal, "policy.read", source)) return {}
  const [there, here] = await Promise.all([
    readPolicies(db, scope, source.environment),
    readPolicies(db, scope, environment),
  ])
  const missing = rulesMissing(rulesOf(there), rulesOf(here), keysOf(edits))
  return {
    rulesMissing: missing.map(({ scope, rule: { id, description }, keys, there }) => ({
      scope: scope as string,
      id,
      description,
      keys: [...keys],
      there,
    })),
  }
}

/** What a change would do, to whom and when, and whom it would need. */
export const previewRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/changes/preview",
    operationId: "previewChange",
    tag: "Changes",
    summary: "What a change would do and who would see it; writes nothing",
    action: "change.submit",
    body: PreviewBody,
    replies: { 200: { description: "The verdict, and the change as it would be", schema: PreviewShown } },
    where: targetOfBody(deps),
    run: async ({ body, scope, environment, ...asker }) => {
      const target = { scope: scope!, environment: environment! }
      const { contexts = [], ...submitted } = body
      const wanted = await wantedOf(deps, asker.principal, target, submitted)
      const { state, decision } = await rehearse(deps, {
        ...target,
        ...askedBy(asker),
        command: submission(deps, asker, target.scope, wanted),
        keys: wanted.edits.map(({ key }) => key),
        ...(wanted.replaces ? { changeId: wanted.replaces } : {}),
        reply: () => {
          throw new Error("a preview answers nothing")
        },
      })
      try {
        checkReplaced(wanted)(state)
        await neededChecker(deps, target, wanted.edits)(state)
      } catch (error) {
        if (error instanceof Refusal) return invalid(error)
        throw error
      }
      if (decision.kind === "refused") {
        const { code, detail, errors = [] } = decision
        return invalid({ code, message: detail, errors })
      }
      if (decision.kind !== "commit" || !decision.change) throw new Error(`undecided: ${decision.kind}`)
      const decided = { state, ...decision }
      const { changeId: _unsaved, ...change } = shownChange(deps, decided)
      const standing = standingOf(decision.change, policyAfter(deps, decided))
      return json(200, {
        valid: true,
        problem: null,
        change,
        stages: standing.map((stage) => showStage(decision.change!, stage)),
        plan: decision.change.content.plan as unknown as Json,
        audience: await audienceOf(
          deps,
          decision.change,
          contexts.map(({ targetingKey }) => targetingKey),
        ),
        ...(await showMissing(deps, asker, decision.change)),
      })
    },
  })
