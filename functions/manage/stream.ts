import { type RouteConfig, z } from "@hono/zod-openapi"
import { PROBLEM } from "../http/describe.ts"

const EVENTS = `retry: 1723

event: tenant_config
id: 1.4.2.17
data: {"revision":"1.4.2.17"}

event: feature_flag
id: 1.4.2.17
data: {"revision":"1.4.2.17"}

`

/** Answered by the Worker itself, and by no function behind it; here it is only described. */
export const STREAM: RouteConfig = {
  method: "get",
  path: "/api/v1/stream",
  operationId: "streamRevisions",
  tags: ["Serving"],
  summary: "Hear at once of every newer revision, as Server-Sent Events; at the edge only",
  description:
    "Action `view.read`: reader, with its own signed token only. The first event says where things are; after `Last-Event-ID` there is one only when something has moved.",
  security: [{ bearer: [] }],
  "x-action": "view.read",
  request: {
    headers: z.object({
      "Last-Event-ID": z.string().optional().openapi({ description: "The `id` heard last: a revision" }),
      "X-Tenant-ID": z.string().optional().openapi({ description: "Which one, with a token for several" }),
    }),
    query: z.object({
      environment: z.string().optional().openapi({ description: "The token's, which it is if left out" }),
      with: z
        .enum(["changes"])
        .optional()
        .openapi({ description: "Events then tell what changed, too, where that is short" }),
    }),
  },
  responses: {
    200: {
      description:
        "Events `tenant_config` and `global_config`, besides `feature_flag` where flags changed, whose `id` and data are the revision, and a comment every 15 seconds; ends within the hour",
      content: { "text/event-stream": { schema: z.string().openapi({ example: EVENTS }) } },
    },
    default: PROBLEM,
  },
}
