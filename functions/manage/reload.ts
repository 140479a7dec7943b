import { z } from "@hono/zod-openapi"
import type { Principal } from "../../core/access.ts"
import type { Environment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import { isTenant, PLATFORM, type ScopeId } from "../../core/ids.ts"
import { RELOAD_TYPES, type ReloadType } from "../../core/release/reload.ts"
import { recordAudit } from "../../db/queries/audit.ts"
import { keepReply } from "../../db/queries/replies.ts"
import { json, type Route, route } from "../http/route.ts"
import { mustBeThere, once } from "./channel-parts.ts"
import type { ManageDeps } from "./deps.ts"
import { environmentNamed, scopeNamed } from "./parse.ts"
import { audited } from "./remember.ts"

const ReloadBody = z
  .strictObject({
    tenantId: z
      .string()
      .optional()
      .openapi({ description: "Whose readers; everybody's if left out, which is the platform's to ask" }),
    environment: z.string().optional().openapi({ description: "Every one the token is for, if left out" }),
    type: z.enum(RELOAD_TYPES).openapi({ description: "The event that readers are to get" }),
  })
  .openapi("Reload")

const Reloaded = z
  .object({
    tenantId: z.string().nullable().openapi({ description: "null: everybody" }),
    environments: z.array(z.string()),
    type: z.enum(RELOAD_TYPES),
  })
  .openapi("Reloaded")

/** Whoever asks for all of them has to be one to whom all of them are. */
const scopeOf = async (deps: ManageDeps, tenantId: string | undefined, principal: Principal) => {
  if (tenantId !== undefined) return await scopeNamed(tenantId, principal, deps.findExternal)
  if (principal.roles.includes("platform_admin")) return PLATFORM
  throw new Refusal(
    "TENANT_UNNAMED",
    "Name the tenant: only platform admins have everybody's readers look again.",
  )
}

const reloadAll = async (
  deps: ManageDeps,
  scope: ScopeId,
  environments: readonly Environment[],
  type: ReloadType,
): Promise<void> => {
  const heard = await Promise.all(
    environments.map((environment) => deps.publisher.reload(scope, environment, type)),
  )
  if (heard.includes(false))
    throw new Refusal(
      "PUSH_UNAVAILABLE",
      "Readers could not be told; they look for themselves in their own time.",
    )
}

/** Has everybody who listens look again, as PostgreSQL has it, although nothing moved. */
export const reloadRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/reload",
    operationId: "reload",
    tag: "Serving",
    summary: "Have readers look again, of one tenant or of all, although nothing moved",
    action: "view.reload",
    body: ReloadBody,
    replies: { 200: { description: "Who listens has been told", schema: Reloaded } },
    where: async ({ body }, principal) => ({
      scope: await scopeOf(deps, body.tenantId, principal),
      environment:
        body.environment === undefined
          ? principal.environment
          : environmentNamed(body.environment, deps.settings.environments),
    }),
    run: async ({ body: { type }, scope: named, environment, ...call }) => {
      const scope = named!
      return await once(deps, scope, call.idempotency, async () => {
        if (isTenant(scope)) await mustBeThere(deps, scope)
        const environments = environment ? [environment] : deps.settings.environments
        const detail = { type, environments: [...environments] }
        await recordAudit(deps.db, scope, audited(call, "view.reload", scope, detail))
        await reloadAll(deps, scope, environments, type)
        const body = { tenantId: scope === PLATFORM ? null : scope, ...detail }
        if (call.idempotency)
          await keepReply(deps.db, scope, {
            ...call.idempotency,
            reply: () => ({ status: 200, headers: {}, body }),
          })
        return json(200, body)
      })
    },
  })
