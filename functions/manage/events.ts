import { type RouteConfig, z } from "@hono/zod-openapi"
import { PROBLEM } from "../http/describe.ts"

const Name = z.string().regex(/^[\x21-\x7e]{1,100}$/)
const userId = z
  .string()
  .regex(/^[^\p{Cc}\s][^\p{Cc}]*$/u)
  .max(200)
  .optional()
const amountCents = z.int().min(0).max(1_000_000_000_000)
const path = z
  .string()
  .regex(/^\/[\x21-\x7e]*$/)
  .max(200)
  .openapi({ description: "Best as the template of the path; numbers and UUIDs in it are told as {id}" })
const method = z.string().regex(/^[A-Z]{1,20}$/)
const status = z.int().min(0).max(999)
const Count = z.int().min(0).max(1_000_000)

const timed = {
  count: Count,
  durationMs: z.number().min(0).max(86_400_000_000_000).optional(),
  latency: z.array(z.array(z.number()).min(2).max(2)).max(64).optional(),
}
const list = <Item extends z.ZodType>(item: Item) => z.array(item).max(200).optional()

const DATA = {
  user_login: z.strictObject({ userId: userId.unwrap(), method: Name.optional() }),
  order_created: z.strictObject({ orderId: Name, amountCents, userId }),
  payment_processed: z.strictObject({ amountCents, method: Name, orderId: Name.optional(), userId }),
  api_request: z.strictObject({
    ...{ path, method, status, userId },
    durationMs: z.number().min(0).max(86_400_000),
  }),
  error: z.strictObject({ type: Name, source: Name.optional(), userId }),
  security_alert: z.strictObject({
    kind: Name,
    severity: z.enum(["low", "medium", "high", "critical"]).optional(),
    count: Count.optional(),
    userId,
  }),
  metrics: z.strictObject({
    requests: list(z.strictObject({ path, method, status, ...timed })),
    commands: list(z.strictObject({ command: Name, status: Name, ...timed })),
    eligibilityChecks: list(z.strictObject({ type: Name, result: Name, count: Count })),
  }),
}

const of = <Type extends keyof typeof DATA>(type: Type) =>
  z.strictObject({
    tenantId: z.string(),
    type: z.literal(type),
    data: DATA[type],
    at: z.iso
      .datetime({ offset: true })
      .optional()
      .openapi({ description: "When it happened; without, when it is told" }),
    id: z
      .string()
      .regex(/^(?!hotswap\/)[\x21-\x7e]{1,200}$/)
      .optional()
      .openapi({ description: "Told again under this id, it is kept once" }),
  })

const Event = z
  .discriminatedUnion("type", [
    of("user_login"),
    of("order_created"),
    of("payment_processed"),
    of("api_request"),
    of("error"),
    of("security_alert"),
    of("metrics"),
  ])
  .openapi("TenantEvent")

const Taken = z.object({
  accepted: z.int().openapi({ description: "Events that were not known" }),
  known: z.int().openapi({ description: "Events that had been told before" }),
})

/** Answered by the function that hears what clients saw, without zod; here it is only described. */
export const EVENTS: RouteConfig = {
  method: "post",
  path: "/api/v1/events",
  operationId: "recordEvents",
  tags: ["Usage"],
  summary: "Tell what happened at tenants; answered when it is kept",
  description:
    "Action `event.record`: reader, engineer, tenant_admin, platform_admin. All of a batch is kept or none; a refusal names the event.",
  security: [{ bearer: [] }],
  "x-action": "event.record",
  request: {
    headers: z.object({ "X-Tenant-ID": z.string().optional() }),
    body: {
      content: {
        "application/json": { schema: z.strictObject({ events: z.array(Event).min(1).max(500) }) },
      },
    },
  },
  responses: {
    202: {
      description: "Kept, and soon in the statistics",
      content: { "application/json": { schema: Taken } },
    },
    default: PROBLEM,
  },
}
