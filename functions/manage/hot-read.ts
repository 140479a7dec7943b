import { type RouteConfig, z } from "@hono/zod-openapi"
import { PROBLEM } from "../http/describe.ts"
import { AnyJson } from "./shapes.ts"

const Headers = z.object({
  ETag: z.string().openapi({ description: "Names the view, weakly" }),
  "Hotswap-Revision": z.string(),
  "Hotswap-Arm": z.enum(["stable", "candidate"]),
  "Hotswap-Poll": z.string().optional().openapi({
    description: "How often to look, in seconds, such as `10;stream=30`; not on what is kept nowhere",
  }),
})

/** The hot read is answered by the read function and at the edge, without zod; here it is only described. */
export const HOT_READ: RouteConfig = {
  method: "get",
  path: "/api/v1/configs/tenant/{tenantId}",
  operationId: "readTenantConfigs",
  tags: ["Serving"],
  summary: "A tenant's merged configuration in one environment, as a reader gets it",
  description:
    "Action `view.read`: reader, viewer, engineer, manager, compliance, tenant_admin, platform_admin.",
  security: [{ bearer: [] }],
  "x-action": "view.read",
  request: {
    params: z.object({ tenantId: z.string() }),
    query: z.object({
      environment: z.string(),
      key: z.string().optional().openapi({ description: "Only this key" }),
      targetingKey: z
        .string()
        .optional()
        .openapi({ description: "Who reads: decides the arm; without it, stable" }),
      arms: z.literal("both").optional().openapi({ description: "Stable, and how the candidate differs" }),
      asOf: z.iso.datetime().optional().openapi({ description: "As it was at that time" }),
      detail: z.literal("full").optional().openapi({ description: "With the provenance of each key" }),
      preview: z.string().optional().openapi({
        description: "A change's id: its candidate, for whoever may decide about it; takes no reader token",
      }),
    }),
  },
  responses: {
    200: {
      description: "The view",
      headers: Headers,
      content: {
        "application/json": {
          schema: z.object({
            tenantId: z.string(),
            environment: z.string(),
            revision: z.string(),
            view: z.string(),
            arm: z.enum(["stable", "candidate"]),
            configs: z.record(z.string(), AnyJson),
          }),
        },
      },
    },
    304: { description: "It is still the view that If-None-Match names" },
    default: PROBLEM,
  },
}
