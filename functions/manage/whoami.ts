import { z } from "@hono/zod-openapi"
import { type Action, may, PERMISSIONS } from "../../core/access.ts"
import { json, type Route, route } from "../http/route.ts"
import type { ManageDeps } from "./deps.ts"

const WhoShown = z
  .object({
    subject: z.string(),
    tokenId: z.string(),
    roles: z.array(z.string()),
    tenants: z.union([z.literal("*"), z.array(z.string())]),
    environment: z.string().nullable().openapi({ description: "The one that the token is bound to" }),
    environments: z
      .array(z.string())
      .openapi({ description: "All there are here, in the order of promotion" }),
    actions: z.array(z.string()).openapi({
      description:
        "What its roles allow; of that, a token bound to an environment may do what is about that one",
    }),
  })
  .openapi("Who")

/** What a client that was handed a token needs to know of it before it asks for anything. */
export const whoamiRoute = ({ settings }: Pick<ManageDeps, "settings">): Route =>
  route({
    method: "get",
    path: "/api/v1/whoami",
    operationId: "whoAmI",
    tag: "Tokens",
    summary: "Who the token says that the caller is, and what that allows",
    action: "self.read",
    replies: { 200: { description: "The token, without the token itself", schema: WhoShown } },
    run: async ({ principal }) => {
      const { subject, tokenId, roles, tenants, environment } = principal
      const where = { scope: null, environment }
      return json(200, {
        subject,
        tokenId,
        roles,
        tenants,
        environment,
        environments: settings.environments,
        actions: (Object.keys(PERMISSIONS) as Action[]).filter((action) => may(principal, action, where)),
      })
    },
  })
