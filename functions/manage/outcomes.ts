import { type RouteConfig, z } from "@hono/zod-openapi"
import { PROBLEM } from "../http/describe.ts"

const Count = z.int().min(0).max(1_000_000)

const Report = z
  .strictObject({
    revision: z.string().openapi({ description: "As it came with the configuration, in Hotswap-Revision" }),
    arm: z.enum(["stable", "candidate"]),
    instance: z
      .string()
      .min(1)
      .max(200)
      .openapi({ description: "Names the client for as long as its seq only rises" }),
    seq: z.int().min(0),
    ok: Count,
    errors: Count,
    latency: z
      .array(z.array(z.number()).length(2))
      .max(64)
      .optional()
      .openapi({ description: "Pairs [upToMs, count]: requests that took longer than the pair before says" }),
    guard: z
      .enum(["unparsable", "invalid"])
      .optional()
      .openapi({ description: "The configuration itself could not be read, or was not valid" }),
  })
  .openapi("Outcome")

const Judged = z
  .object({ changeId: z.string(), step: z.int(), kind: z.string(), words: z.string() })
  .nullable()

const Taken = z.object({
  accepted: z.int(),
  ignored: z.array(
    z.object({ index: z.int(), reason: z.enum(["step_over", "seen", "no_rollout", "too_many_instances"]) }),
  ),
  verdict: Judged.openapi({ description: "Of the tenant's own rollout" }),
  wave: Judged.openapi({ description: "Of the rollout of the platform or tier whose wave has reached it" }),
})

/** Answered by the function that hears what clients saw, without zod; here it is only described. */
export const OUTCOMES: RouteConfig = {
  method: "post",
  path: "/api/v1/outcomes",
  operationId: "reportOutcomes",
  tags: ["Serving"],
  summary: "Say how clients fare; a rollout that fails them is rolled back before this is answered",
  description:
    "Action `outcome.report`: reader, with its own signed token only. Send at most once a second for each instance.",
  security: [{ bearer: [] }],
  "x-action": "outcome.report",
  request: {
    headers: z.object({
      "X-Tenant-ID": z.string().optional().openapi({ description: "Which one, with a token for several" }),
    }),
    body: {
      content: {
        "application/json": { schema: z.strictObject({ reports: z.array(Report).min(1).max(500) }) },
      },
    },
  },
  responses: {
    202: {
      description: "What was taken, what was not and why, and what the gate makes of the rollout now",
      content: { "application/json": { schema: Taken } },
    },
    default: PROBLEM,
  },
}
