import { z } from "@hono/zod-openapi"
import { CHANGE_STATES } from "../../core/change/change.ts"
import { Affected, AnyJson, Comment, Instant, text } from "./shapes.ts"

const GateVerdict = z.object({
  kind: z.enum(["healthy", "unwatched", "waiting", "hold", "unhealthy"]),
  words: z.string(),
  numbers: z.record(z.string(), z.number()),
})
/** What the gate says now of the step a rollout is at, and what it said as each step ended or was held back. */
const Gate = z.object({
  current: GateVerdict.nullable(),
  steps: z.array(GateVerdict.extend({ step: z.int(), at: z.string(), overriddenBy: z.string().optional() })),
})

const Hold = z
  .int()
  .nullable()
  .openapi({ description: "Milliseconds at least, if the gate agrees; null: until a person goes on" })
const Step = z.strictObject({ weightBp: z.int(), holdMs: Hold })
const WAVE = 'Expected {"tier"}, {"tenants"} or {"weightBp"}, with a holdMs or without.'
/** How many of them make sense is said by the rules, in better words; no more than these are looked at. */
const LISTED_MAX = 1_000
const Wave = z.union(
  [
    z.strictObject({ tier: z.string(), holdMs: Hold.optional() }),
    z.strictObject({ tenants: z.array(z.string()).max(1_000), holdMs: Hold.optional() }),
    z.strictObject({ weightBp: z.int(), holdMs: Hold.optional() }),
  ],
  { error: WAVE },
)
export const StrategyBody = z
  .discriminatedUnion(
    "type",
    [
      z.strictObject({ type: z.literal("direct") }),
      z.strictObject({ type: z.literal("canary"), steps: z.array(Step).max(LISTED_MAX) }),
      z.strictObject({
        type: z.literal("blue_green"),
        bakeMs: z
          .int()
          .optional()
          .openapi({ description: "Milliseconds in which the old slot is kept after the switch" }),
      }),
      z.strictObject({ type: z.literal("rolling"), waves: z.array(Wave).max(LISTED_MAX) }),
    ],
    {
      error:
        'Expected {"type":"direct"}, {"type":"canary","steps":[{"weightBp","holdMs"}, …]}, {"type":"blue_green"} or {"type":"rolling","waves":[{"tier"}, {"tenants"}, {"weightBp"}, …]}.',
    },
  )
  .openapi("Strategy")
export const PlanStep = z.object({
  weightBp: z.int(),
  holdMs: Hold,
  tiers: z.array(z.string()).optional(),
  tenants: z.array(z.string()).optional(),
})
const EditBody = z.strictObject({
  key: z.string(),
  value: AnyJson.optional(),
  schema: AnyJson.optional(),
  description: text(2_000).nullable().optional(),
  owner: text(200).nullable().optional(),
  locked: z.boolean().optional(),
  secret: z.boolean().optional().openapi({ description: "Left out, a secret stays one" }),
  delete: z.literal(true).optional(),
  restores: z.int().min(1).max(2_147_483_647).optional(),
  ifMatch: z.int().min(0).optional(),
})
const changeBodyFields = {
  tenantId: z.string(),
  environment: z.string(),
  edits: z.array(EditBody).min(1).max(10_000).optional(),
  promote: z
    .strictObject({ from: z.string(), keys: z.array(z.string()).min(1).max(10_000).optional() })
    .optional(),
  strategy: StrategyBody.optional(),
  approvalRequired: z.boolean().optional(),
  comment: Comment.optional(),
  startAt: Instant.optional(),
  replaces: z.string().optional(),
}
const either = ({ edits, promote }: { edits?: unknown; promote?: unknown }): boolean =>
  (edits === undefined) !== (promote === undefined)
const EITHER = "Give either edits or promote."
export const ChangeBody = z.strictObject(changeBodyFields).refine(either, EITHER).openapi("NewChange")
export const PreviewBody = z
  .strictObject({
    ...changeBodyFields,
    contexts: z
      .array(z.strictObject({ targetingKey: z.string().min(1).max(500) }))
      .max(1_000)
      .optional()
      .openapi({ description: "Of a tenant: subjects, to be told which of them would see something else" }),
  })
  .refine(either, EITHER)
  .openapi("ChangePreview")
export const PromoteBody = z
  .strictObject({
    targetEnvironment: z.string(),
    approvalRequired: z.boolean().optional(),
    strategy: StrategyBody.optional(),
    comment: Comment.optional(),
  })
  .openapi("Promotion")
const changeFields = {
  changeId: z.string(),
  tenantId: z.string(),
  environment: z.string(),
  state: z.enum(CHANGE_STATES),
  stages: z.array(
    z.object({
      role: z.string(),
      required: z.int(),
      approvals: z.array(z.object({ subject: z.string(), at: z.string(), comment: z.string().nullable() })),
    }),
  ),
  strategy: StrategyBody,
  plan: z.array(PlanStep),
  step: z.int().nullable(),
  weightBp: z.int(),
  paused: z.boolean(),
  gate: Gate,
  audience: z
    .object({
      weightBp: z.int(),
      tiers: z.array(z.string()),
      tenants: z.array(z.string()),
      excluded: z.array(z.string()),
    })
    .nullable()
    .openapi({ description: "Whom the rollout has reached by now; null: it does not roll out" }),
  frozen: z
    .object({ name: z.string(), until: z.string() })
    .nullable()
    .openapi({ description: "The freeze that keeps it from starting or growing" }),
  signal: z
    .object({ at: z.string(), source: z.string(), summary: z.string() })
    .nullable()
    .openapi({ description: "What an alarm said that held it back or took it back" }),
  tripped: z
    .array(z.object({ tenantId: z.string(), at: z.string(), words: z.string() }))
    .openapi({ description: "Tenants that the candidate failed and that are back on stable" }),
  remindedAt: z.string().nullable(),
  enteredAt: z.string().nullable().openapi({ description: "When the rollout came to its step" }),
  waitingFor: z.string().nullable().openapi({ description: "The rollout that is in its way" }),
  review: z
    .object({
      due: z.string(),
      by: z.string().optional(),
      at: z.string().optional(),
      comment: z.string().optional(),
    })
    .nullable()
    .openapi({ description: "Owed, or given, because glass was broken" }),
  contentHash: z.string(),
  author: z.string(),
  createdAt: z.string(),
  startAt: z.string().nullable(),
  expiresAt: z.string(),
  comment: z.string().nullable(),
  comments: z.array(z.object({ subject: z.string(), at: z.string(), text: z.string() })),
  reason: z.string().nullable(),
  ended: z
    .object({ at: z.string(), by: z.string().nullable(), detail: z.string().nullable() })
    .nullable()
    .openapi({
      description: "When it came to its state, if that is its last or it is live, and who saw to it",
    }),
  promotedFrom: z
    .object({
      environment: z.string(),
      release: z.string(),
      versions: z.record(z.string(), z.int()).optional(),
    })
    .nullable(),
  replaces: z.string().nullable(),
}
export const ChangeShown = z
  .object({
    ...changeFields,
    edits: z.array(z.record(z.string(), z.unknown())),
    base: z
      .record(z.string(), z.int())
      .openapi({ description: "Version of each edited key when it was made" }),
    versions: z.record(z.string(), z.int()).nullable().openapi({ description: "Given when it started" }),
    affected: Affected.optional().openapi({ description: "Other changes that the same request moved" }),
    configs: z
      .array(z.object({ key: z.string(), from: z.string(), to: z.string() }))
      .optional()
      .openapi({ description: "Of a promotion of one config" }),
    diff: z.array(z.record(z.string(), z.unknown())).optional(),
    conflict: z
      .object({
        keys: z.array(z.object({ key: z.string(), base: AnyJson, now: AnyJson, yours: AnyJson })),
        draft: z.record(z.string(), z.unknown()),
      })
      .nullable()
      .optional()
      .openapi({
        description:
          "Of a change that was overtaken (base_moved): each key as it was, is and would have been, and a draft: the body of a POST /api/v1/changes that makes the same edits on what is there now; of a policy, with the body of a PUT …/policy in `policy`",
      }),
  })
  .openapi("Change")
export const ChangeListed = z
  .object({ ...changeFields, keys: z.array(z.string()), editCount: z.int() })
  .openapi("ListedChange")
