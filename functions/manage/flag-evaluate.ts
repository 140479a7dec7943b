import { z } from "@hono/zod-openapi"
import type { Principal } from "../../core/access.ts"
import type { Context, Evaluation } from "../../core/flag/definition.ts"
import { explainFlag } from "../../core/flag/explain.ts"
import { type Definition, Flags } from "../../core/flag/flags.ts"
import { CONTEXT_BYTES_MAX, contextTooLarge, subjectOf } from "../../core/flag/ofrep.ts"
import type { ConfigKey } from "../../core/ids.ts"
import { byteLength, type Json, type JsonObject } from "../../core/json.ts"
import { json, type Route, route } from "../http/route.ts"
import { misshapen } from "../http/validate.ts"
import { definitionsIn, withNeeded } from "../platform/flag-needs.ts"
import { type Layered, readLayers } from "../platform/layers.ts"
import type { ManageDeps } from "./deps.ts"
import { originOf } from "./explain.ts"
import { FLAGS_PATH, FlagPath, flagsAt, OfEnvironment } from "./flag-parts.ts"
import { isPlatformAdmin, keyNamed } from "./parse.ts"
import { AnyJson } from "./shapes.ts"
import type { Target } from "./show.ts"

/** Here unknown flags are on for those who build them. */
const WORKSHOP = "Development"

const Query = z.strictObject(OfEnvironment)
const EvaluateBody = z.strictObject({
  context: z
    .record(z.string(), AnyJson)
    .default({})
    .openapi({ description: "Who and what it is evaluated for; `targetingKey` is the entity" }),
  defaultValue: AnyJson.optional().openapi({
    description:
      "What it is where the flag says nothing; left out, a boolean flag is `false`, another `null`",
  }),
})

const EvaluationMembers = {
  key: z.string(),
  value: AnyJson,
  variant: z.string().nullable(),
  reason: z.string(),
  errorCode: z.string().optional(),
  errorMessage: z.string().optional(),
  metadata: z.record(z.string(), AnyJson).optional(),
  revision: z.string(),
  arm: z.enum(["stable", "candidate"]),
}
const EvaluationShown = z.object(EvaluationMembers).openapi("FlagEvaluation")

const ExplanationShown = z
  .object({
    ...EvaluationMembers,
    decidedBy: z
      .string()
      .nullable()
      .openapi({ description: "What decided: a JSON pointer into the definition" }),
    bucket: z.record(z.string(), AnyJson).nullable().openapi({
      description: "Where a share decided: what was hashed, its bucket of how many, and all shares",
    }),
    steps: z.array(z.record(z.string(), AnyJson)),
    layer: z.string().nullable(),
    version: z.int().nullable(),
    changeId: z.string().nullable(),
    approvers: z.array(z.record(z.string(), AnyJson)),
  })
  .openapi("FlagExplanation")

/** Throws CONTEXT_TOO_LARGE, BODY_INVALID. */
const contextNamed = (context: Record<string, unknown>): Context => {
  if (byteLength(JSON.stringify(context)) > CONTEXT_BYTES_MAX) throw contextTooLarge()
  const { targetingKey } = context
  if (targetingKey !== undefined && typeof targetingKey !== "string")
    throw misshapen("body", [{ path: "/context/targetingKey", message: "Expected a text." }])
  return context as Context
}

const isBoolean = (definition: Definition | undefined): boolean =>
  definition === undefined ||
  "enabled" in definition ||
  Object.values(definition.variants).every((value) => typeof value === "boolean")

interface Asked {
  target: Target
  key: ConfigKey
  context: Context
  defaultValue: Json | undefined
  principal: Principal
}

/** What it is where the flag says nothing. */
const otherwise = (defaultValue: Json | undefined, definition: Definition | undefined): Json => {
  if (defaultValue !== undefined) return defaultValue
  return isBoolean(definition) ? false : null
}

/** An unknown flag is off, but for a platform admin where flags are made. */
const inWorkshop = (evaluation: Evaluation, { target, principal }: Asked): Evaluation =>
  evaluation.errorCode === "FLAG_NOT_FOUND" && target.environment === WORKSHOP && isPlatformAdmin(principal)
    ? {
        ...evaluation,
        reason: "DEFAULT",
        value: true,
        errorMessage: `There is no such flag: on, as a platform admin asks in ${WORKSHOP}.`,
      }
    : evaluation

const shown = (
  asked: Asked,
  evaluation: Evaluation,
  definition: Definition | undefined,
  { arm, revision }: Layered,
): JsonObject => {
  const { value, variant, reason, errorCode, errorMessage, metadata } = inWorkshop(evaluation, asked)
  return {
    key: asked.key,
    value: value === undefined ? otherwise(asked.defaultValue, definition) : value,
    variant: variant ?? null,
    reason,
    ...(errorCode === undefined ? {} : { errorCode }),
    ...(errorMessage === undefined ? {} : { errorMessage }),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    revision,
    arm,
  }
}

/** The flags that decide, as whoever the context is about reads them. */
const flagsFor = async (deps: ManageDeps, { target, key, context }: Asked) => {
  const layered = await readLayers(deps, target, subjectOf(context))
  return { layered, definitions: definitionsIn(await withNeeded(layered, [key])) }
}

const nowSeconds = ({ clock }: ManageDeps): number => Math.floor(clock.nowMs() / 1_000)

const evaluate = async (deps: ManageDeps, asked: Asked): Promise<JsonObject> => {
  const { layered, definitions } = await flagsFor(deps, asked)
  const evaluation = new Flags(definitions).evaluate(asked.key, asked.context, nowSeconds(deps))
  return shown(asked, evaluation, definitions.get(asked.key), layered)
}

const NO_ORIGIN = {
  layer: null,
  scope: null,
  rule: null,
  version: null,
  changeId: null,
  approvers: [],
  layers: [],
}

const explain = async (deps: ManageDeps, asked: Asked): Promise<JsonObject> => {
  const { key, context } = asked
  const { layered, definitions } = await flagsFor(deps, asked)
  const { evaluation, rule, bucket, steps } = explainFlag(definitions, key, context, nowSeconds(deps))
  const origin = definitions.has(key)
    ? await originOf(deps, layered, await layered.entriesOf([key]), key)
    : null
  return {
    ...shown(asked, evaluation, definitions.get(key), layered),
    decidedBy: rule,
    bucket: bucket as unknown as Json,
    steps: steps as unknown as Json,
    ...(origin ?? NO_ORIGIN),
  }
}

const asking = (
  deps: ManageDeps,
  action: "view.read" | "config.read",
  answer: (deps: ManageDeps, asked: Asked) => Promise<JsonObject>,
) => ({
  method: "post" as const,
  tag: "Flags",
  action,
  params: FlagPath,
  query: Query,
  body: EvaluateBody,
  where: flagsAt(deps),
  run: async ({
    params,
    body,
    scope,
    environment,
    principal,
  }: {
    params: z.output<typeof FlagPath>
    body: z.output<typeof EvaluateBody>
    scope: Target["scope"] | null
    environment: Target["environment"] | null
    principal: Principal
  }) => {
    const asked: Asked = {
      target: { scope: scope!, environment: environment! },
      key: keyNamed(params.key),
      context: contextNamed(body.context),
      defaultValue: body.defaultValue as Json | undefined,
      principal,
    }
    return json(200, await answer(deps, asked))
  },
})

/** What a flag comes to for somebody. A flag that there is not is off, and says so. */
export const evaluateFlagRoute = (deps: ManageDeps): Route =>
  route({
    ...asking(deps, "view.read", evaluate),
    path: `${FLAGS_PATH}/{key}/evaluate`,
    operationId: "evaluateFlag",
    summary: "What a flag comes to for a context; an unknown flag is off",
    replies: { 200: { description: "Its value, and why", schema: EvaluationShown } },
  })

/** The same, and how it came to that. */
export const explainFlagRoute = (deps: ManageDeps): Route =>
  route({
    ...asking(deps, "config.read", explain),
    path: `${FLAGS_PATH}/{key}/explain`,
    operationId: "explainFlag",
    summary: "Which rule, bucket, layer, version, change and approvers gave a flag its value for a context",
    replies: { 200: { description: "Its value, and all it rests on", schema: ExplanationShown } },
  })
