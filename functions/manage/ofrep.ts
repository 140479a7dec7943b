import { type RouteConfig, z } from "@hono/zod-openapi"
import { PROBLEM } from "../http/describe.ts"
import { AnyJson } from "./shapes.ts"

const Metadata = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]))

const Evaluated = z
  .object({
    key: z.string(),
    value: AnyJson.optional().openapi({ description: "Left out, the caller's own default stands" }),
    reason: z.enum(["STATIC", "TARGETING_MATCH", "SPLIT", "DEFAULT", "DISABLED", "PREREQUISITE_FAILED"]),
    variant: z.string().optional(),
    metadata: Metadata.optional(),
  })
  .openapi("EvaluatedFlag")

const NotEvaluated = z
  .object({
    key: z.string(),
    errorCode: z.string().openapi({ description: "OpenFeature's" }),
    errorDetails: z.string().optional(),
    metadata: Metadata.optional(),
  })
  .openapi("FlagNotEvaluated")

/** What is wrong is told as the protocol has it, and as every other problem is. */
const Refused = z
  .object({ errorCode: z.string(), errorDetails: z.string().optional(), key: z.string().optional() })
  .openapi("EvaluationRefused")

const refused = (description: string) => ({
  description,
  content: { "application/json": { schema: Refused } },
})

const EventStream = z.object({
  type: z.literal("sse"),
  url: z.string().openapi({ description: "Good for a minute; holds a ticket, so keep it out of logs" }),
  inactivityDelaySec: z.int(),
})

const headers = {
  "Hotswap-At-Least": z.string().optional().openapi({ description: "A revision that is known to be" }),
  "X-Tenant-ID": z.string().optional().openapi({ description: "Which one, with a token for several" }),
}
const query = {
  environment: z.string().optional().openapi({ description: "The token's; needed where that has none" }),
}

const body = {
  content: {
    "application/json": {
      schema: z.object({
        context: z
          .looseObject({
            targetingKey: AnyJson.optional().openapi({
              description: "The entity, a text: anything else names nobody",
            }),
          })
          .openapi({ description: "Who and what the flags are evaluated for; at most 256 KiB" }),
      }),
    },
  },
}

const COMMON = {
  method: "post" as const,
  tags: ["Serving"],
  description:
    "Action `view.read`: reader, viewer, engineer, manager, compliance, tenant_admin, platform_admin. By the OpenFeature Remote Evaluation Protocol 0.3.",
  security: [{ bearer: [] }],
  "x-action": "view.read",
}

const BULK: RouteConfig = {
  ...COMMON,
  path: "/ofrep/v1/evaluate/flags",
  operationId: "ofrepEvaluateFlags",
  summary: "All flags of a tenant, evaluated for one context",
  request: {
    headers: z.object({
      ...headers,
      "If-None-Match": z.string().optional().openapi({ description: "The ETag that is known" }),
    }),
    query: z.object({
      ...query,
      flagConfigEtag: z.string().optional().openapi({ description: "What the stream told" }),
      flagConfigLastModified: z.string().optional().openapi({ description: "Not needed, and not read" }),
      eventStreams: z.literal("none").optional().openapi({ description: "For who will open no stream" }),
    }),
    body,
  },
  responses: {
    200: {
      description: "Each flag, or why it could not be evaluated",
      headers: z.object({
        ETag: z.string().openapi({ description: "Names the flags, the arm and the context" }),
        "Hotswap-Revision": z.string(),
        "Hotswap-Arm": z.enum(["stable", "candidate"]),
      }),
      content: {
        "application/json": {
          schema: z.object({
            flags: z.array(z.union([Evaluated, NotEvaluated])),
            metadata: Metadata,
            eventStreams: z
              .array(EventStream)
              .optional()
              .openapi({ description: "For reader tokens, through the edge" }),
          }),
        },
      },
    },
    304: { description: "Nothing has changed since the answer that If-None-Match names" },
    400: refused("The body is no context"),
    404: refused("There is no such tenant"),
    default: PROBLEM,
  },
}

const SINGLE: RouteConfig = {
  ...COMMON,
  path: "/ofrep/v1/evaluate/flags/{key}",
  operationId: "ofrepEvaluateFlag",
  summary: "One flag of a tenant, evaluated for a context",
  request: {
    headers: z.object(headers),
    params: z.object({ key: z.string() }),
    query: z.object(query),
    body,
  },
  responses: {
    200: { description: "The flag", content: { "application/json": { schema: Evaluated } } },
    400: refused("The body is no context, or the flag cannot be evaluated"),
    404: refused("There is no such flag, or no such tenant"),
    default: PROBLEM,
  },
}

const EVENTS = `retry: 1723

event: message
id: 1.4.2.17
data: {"type":"refetchEvaluation","etag":"1.4.2.17"}

`

const EVENT_STREAM: RouteConfig = {
  method: "get",
  path: "/ofrep/v1/stream",
  operationId: "ofrepStream",
  tags: ["Serving"],
  summary: "Hear at once when flags have changed, as Server-Sent Events; at the edge only",
  description:
    "Action `view.read`: whoever holds a ticket, which an evaluation of all flags hands out in `eventStreams` to reader tokens.",
  security: [{ ticket: [] }],
  "x-action": "view.read",
  request: {
    headers: z.object({ "Last-Event-ID": z.string().optional() }),
    query: z.object({ ticket: z.string() }),
  },
  responses: {
    200: {
      description: "Events that say to ask again, and a comment every 15 seconds; ends within the hour",
      content: { "text/event-stream": { schema: z.string().openapi({ example: EVENTS }) } },
    },
    default: PROBLEM,
  },
}

/** Answered by the Worker and by the read function, without zod; here it is only described. */
export const OFREP: readonly RouteConfig[] = [BULK, SINGLE, EVENT_STREAM]
