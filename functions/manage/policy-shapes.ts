import { z } from "@hono/zod-openapi"
import { POLICY_BOUNDS, POLICY_ROLES } from "../../core/change/policy-document.ts"
import { GATE_BOUNDS } from "../../core/gate/thresholds.ts"
import { RULES_MAX } from "../../core/rule/rule.ts"
import { StrategyBody } from "./change-shapes.ts"
import { Affected, AnyJson } from "./shapes.ts"

const whole = ({ min, max }: { min: number; max: number }, description: string) =>
  z.int().min(min).max(max).openapi({ description })
const list = <Item extends z.ZodType>(item: Item, { max }: { max: number }, description: string) =>
  z.array(item).max(max).openapi({ description })

const Role = z.enum(POLICY_ROLES)
const Freeze = z.union([
  z.object({
    name: z.string(),
    timeZone: z.string().openapi({ description: "Of the IANA, such as Europe/Berlin" }),
    from: z.string().openapi({ description: "Local time, YYYY-MM-DDTHH:MM; from it on" }),
    until: z.string().openapi({ description: "Local time, YYYY-MM-DDTHH:MM; before it" }),
  }),
  z.object({
    name: z.string(),
    timeZone: z.string(),
    days: z.array(z.enum(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"])),
    from: z.string().openapi({ description: "HH:MM, of each of the days" }),
    until: z.string().openapi({
      description: "HH:MM, of the next day where it is not later; 24:00 ends a day",
    }),
  }),
])

const Gate = z.object(
  Object.fromEntries(
    Object.entries(GATE_BOUNDS).map(([name, { min, max, kind }]) => {
      const number = kind === "whole" ? z.int() : z.number()
      return [name, number.min(min).max(max)]
    }),
  ),
)

/** What a policy says, with its units. Whoever writes one leaves out what is to be inherited. */
const members = {
  stages: list(
    z.object({ role: Role, required: whole(POLICY_BOUNDS.required, "So many different people") }),
    POLICY_BOUNDS.stages,
    "Approvals a change owes, in order",
  ),
  strategy: StrategyBody,
  allowedStrategies: z
    .array(z.enum(["direct", "canary", "blue_green", "rolling"]))
    .openapi({ description: "Those that a change may name" }),
  promoteFromAny: z.boolean().openapi({ description: "May a promotion skip environments?" }),
  expiresAfterMs: whole(POLICY_BOUNDS.expiresAfterMs, "Milliseconds in which a change has to start"),
  remindEveryMs: whole(
    POLICY_BOUNDS.remindEveryMs,
    "Milliseconds between reminders of approvals that are due; null: none",
  ).nullable(),
  rollbackWindowMs: whole(
    POLICY_BOUNDS.rollbackWindowMs,
    "Milliseconds in which one may return to what was stable without approval",
  ),
  reviewWithinMs: whole(POLICY_BOUNDS.reviewWithinMs, "Milliseconds in which broken glass is to be reviewed"),
  breakGlass: z.array(Role).openapi({ description: "Who may break glass; empty: nobody at all" }),
  freezes: list(Freeze, POLICY_BOUNDS.freezes, "When nothing starts and no rollout grows"),
  gate: Gate.openapi({ description: "What the gate asks, merged member by member: see docs/gate.md" }),
  snsTopics: list(z.string(), POLICY_BOUNDS.snsTopics, "ARNs of the SNS topics whose alarms are believed"),
}

const Condition = AnyJson.openapi({
  description:
    "JSON Logic over the effective configuration; `var` names a config, or a part of its value: pool/max",
})
/** What holds between configs. Judged by the rules for rules themselves (RULE_INVALID), so here it is only described. */
export const Rule = z
  .object({
    id: z.string(),
    description: z.string().openapi({ description: "For whoever breaks it: what is asked, and why" }),
    when: Condition.optional(),
    require: Condition.optional(),
    forbid: Condition.optional(),
  })
  .openapi("Rule")

const Policy = z.object(members).openapi("Policy")
const document = z
  .object({
    ...members,
    gate: Gate.partial(),
    rules: z.array(Rule).max(RULES_MAX).openapi({
      description: "What this scope asks of the configuration; left out of a PUT, they stay: see …/rules",
    }),
  })
  .partial()

const { properties } = z.toJSONSchema(document, { io: "input" })
/**
 * A policy as it is written. Its members are judged by the rules themselves (POLICY_INVALID), so here they are only
 * described; `locked` and `comment` stand beside them.
 */
export const PolicyBody = z.record(z.string(), AnyJson).openapi("NewPolicy", {
  type: "object",
  properties: {
    ...(properties as object),
    locked: {
      type: "boolean",
      description: "Of the platform and tiers: what is said here holds, whatever nearer layers say",
    },
    comment: { type: "string", maxLength: 2_000 },
  },
  additionalProperties: false,
} as never)

export const PolicyShown = z
  .object({
    tenantId: z.string(),
    environment: z.string(),
    policy: Policy.openapi({ description: "The one in force, complete" }),
    own: document.nullable().openapi({ description: "What this scope says itself; null: nothing" }),
    version: z.int().openapi({ description: "Of what this scope says itself; 0: nothing. The ETag" }),
    layers: z
      .array(
        z.object({
          scope: z.string(),
          version: z.int(),
          locked: z.boolean(),
          document,
        }),
      )
      .openapi({
        description:
          "Those that say anything, farthest first, as far as it concerns this scope; the nearest wins but for locked ones",
      }),
    changeId: z.string().optional().openapi({ description: "The change that made it so, to who made it" }),
    affected: Affected.optional(),
  })
  .openapi("EnvironmentPolicy")
