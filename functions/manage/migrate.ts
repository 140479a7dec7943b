import { z } from "@hono/zod-openapi"
import { permit, type Route, route } from "../http/route.ts"
import { TAG } from "./backup-parts.ts"
import type { ManageDeps } from "./deps.ts"
import { HandOverTarget, handOverJob } from "./hand-over.ts"
import { JobStarted, startJob } from "./job-parts.ts"
import { environmentNamed, keyNamed, scopeNamed } from "./parse.ts"
import { TenantPath } from "./shapes.ts"

const KEYS_MAX = 1_000

const ToEnvironment = z.strictObject({
  from: z.string(),
  to: z.string(),
  keys: z.array(z.string()).min(1).max(KEYS_MAX).optional().openapi({ description: "All, when left out" }),
  overwrite: z
    .boolean()
    .optional()
    .openapi({ description: "Also where the target has something of its own, which is kept otherwise" }),
  dryRun: z.boolean().optional().openapi({ description: "Only tell what it would do" }),
})
const ToDeployment = z.strictObject({ target: HandOverTarget })
const MigrateBody = z
  .union([ToEnvironment, ToDeployment], {
    error: 'Expected {"from", "to"} (environments) or {"target": {"receivingKey"}} (another deployment).',
  })
  .openapi("Migration")

/** `POST …/migrate`: what one environment has to another, or the tenant to another deployment. */
export const migrateRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/tenants/{tenantId}/migrate",
    operationId: "migrateTenant",
    tag: TAG,
    summary:
      "Bring what one environment has to another, by a change; or hand the tenant to another deployment",
    action: "change.submit",
    params: TenantPath,
    body: MigrateBody,
    replies: JobStarted,
    where: async ({ params, body }, principal) => ({
      scope: await scopeNamed(params.tenantId, principal, deps.findExternal),
      environment: "to" in body ? environmentNamed(body.to, deps.settings.environments) : null,
    }),
    run: async ({ body, scope, environment, ...call }) => {
      if ("target" in body) return await handOverJob(deps, { ...call, scope }, body.target)
      const { keys, overwrite, dryRun } = body
      const from = environmentNamed(body.from, deps.settings.environments)
      permit(call.principal, "config.read", { scope, environment: from })
      const params = {
        from,
        to: environment!,
        ...(keys && { keys: keys.map(keyNamed) }),
        ...(overwrite && { overwrite }),
        ...(dryRun && { dryRun }),
      }
      return await startJob(deps, call, { scope: scope!, kind: "tenant.migrate", params })
    },
  })
