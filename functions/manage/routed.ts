import { type RouteConfig, z } from "@hono/zod-openapi"
import { BACKENDS } from "../../core/deployment/deployments.ts"
import { PROBLEM } from "../http/describe.ts"

const Params = z.object({
  backend: z.enum(BACKENDS),
  path: z
    .string()
    .openapi({ description: "The backend's own, slashes and all: `api/v1/query`", example: "api/v1/query" }),
})
const Headers = z.object({
  "X-Tenant-ID": z
    .string()
    .optional()
    .openapi({ description: "Whose backend, with a token for several; an external id may name it" }),
})
const answers = {
  default: PROBLEM,
  200: {
    description: "What the backend answered, with its status, as it comes",
    content: { "*/*": { schema: z.string() } },
  },
}

/** Answered by the function that routes, without zod; here they are only described. */
export const ROUTED: readonly RouteConfig[] = [
  {
    method: "get",
    path: "/api/v1/route/{backend}/{path}",
    operationId: "queryBackend",
    tags: ["Deployments"],
    summary: "Ask a tenant's own backend",
    description:
      "Action `backend.query`: viewer, engineer, manager, compliance, tenant_admin, platform_admin. The query goes on as it is. What is passed on is listed in docs/deployments.md.",
    security: [{ bearer: [] }],
    "x-action": "backend.query",
    request: { headers: Headers, params: Params },
    responses: answers,
  },
  {
    method: "post",
    path: "/api/v1/route/{backend}/{path}",
    operationId: "sendToBackend",
    tags: ["Deployments"],
    summary: "Give a tenant's own backend something to keep, or ask it by a form",
    description:
      "Action `backend.write`: reader, engineer, tenant_admin, platform_admin; `backend.query` for what only asks. A body of up to 6 MiB goes on as it is, also compressed.",
    security: [{ bearer: [] }],
    "x-action": "backend.write",
    request: { headers: Headers, params: Params, body: { content: { "*/*": { schema: z.string() } } } },
    responses: answers,
  },
]
