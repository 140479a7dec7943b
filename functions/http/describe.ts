import { type RouteConfig, z } from "@hono/zod-openapi"
import { type Action, PERMISSIONS } from "../../core/access.ts"
import type { Described, RouteSpec } from "./route.ts"

const ProblemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
    instance: z.string(),
    errors: z
      .array(
        z.object({
          path: z.string(),
          message: z.string(),
          rule: z.string().optional(),
          scope: z.string().optional(),
          keys: z.array(z.string()).optional(),
        }),
      )
      .optional(),
  })
  .openapi("Problem")

export const PROBLEM = {
  description: "One problem, with a stable code",
  content: { "application/problem+json": { schema: ProblemSchema } },
}

const described = ({ description, schema, contentType = "application/json", alsoAs = [] }: Described) => {
  const others = Object.fromEntries(alsoAs.map((type) => [type, { schema: z.string() }]))
  return { description, ...(schema ? { content: { [contentType]: { schema }, ...others } } : {}) }
}

const whoMay = (action: keyof typeof PERMISSIONS): string => {
  const roles = PERMISSIONS[action].filter((role) => role !== "platform_admin")
  return `Action \`${action}\`: ${[...roles, "platform_admin"].join(", ")}.`
}

const header = (description: string) => z.string().optional().openapi({ description })

/** The headers of the contract that a call heeds: which ones follows from what it may be answered with. */
const headersOf = (method: string, action: Action, replies: Readonly<Record<number, Described>>) => {
  const writes = method !== "get" && !action.endsWith(".read")
  return z.object({
    ...(writes ? { "Idempotency-Key": header("A repeat under the same key gets the first answer") } : {}),
    ...(412 in replies ? { "If-Match": header("The ETag that was read: 412 if it is another by now") } : {}),
    ...(304 in replies ? { "If-None-Match": header("The ETag that is known: 304 if it still holds") } : {}),
    "X-Tenant-ID": header("The tenant meant, checked against token and path; an external id may name it"),
  })
}

/** A route as OpenAPI has it. The action it takes stands in `x-action`. */
export const describe = <Params extends z.ZodType, Query extends z.ZodType, Body extends z.ZodType>(
  spec: RouteSpec<Params, Query, Body>,
): RouteConfig => {
  const replies = Object.entries(spec.replies).map(([status, reply]) => [status, described(reply)])
  const request = {
    ...(spec.action ? { headers: headersOf(spec.method, spec.action, spec.replies) } : {}),
    ...(spec.params ? { params: spec.params as unknown as z.ZodObject } : {}),
    ...(spec.query ? { query: spec.query as unknown as z.ZodObject } : {}),
    ...(spec.body ? { body: { content: { "application/json": { schema: spec.body } } } } : {}),
  }
  return {
    method: spec.method,
    path: spec.path,
    operationId: spec.operationId,
    tags: [spec.tag],
    summary: spec.summary,
    ...(spec.action ? { description: whoMay(spec.action) } : {}),
    security: spec.action ? [{ bearer: [] }] : [],
    "x-action": spec.action ?? "public",
    request,
    responses: { ...Object.fromEntries(replies), default: PROBLEM },
  }
}
