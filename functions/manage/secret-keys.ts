import { z } from "@hono/zod-openapi"
import { Refusal } from "../../core/errors.ts"
import { json, type Route, route } from "../http/route.ts"
import { type Rotated, rotateKeys } from "../platform/keys/rotate.ts"
import { mustBeThere, once, scopeOfPath } from "./channel-parts.ts"
import type { ManageDeps } from "./deps.ts"
import { audited, conflict, remembered } from "./remember.ts"
import { TenantPath } from "./shapes.ts"

const RotatedShown = z
  .object({
    tenantId: z.string(),
    keys: z.array(
      z.object({
        realm: z.string().openapi({ description: "An environment, or ~channels" }),
        generation: z.int().openapi({ description: "What is sealed from now on is sealed by it" }),
      }),
    ),
  })
  .openapi("RotatedKeys")

/** New keys for what a scope keeps secret. */
export const rotateKeysRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/tenants/{tenantId}/keys/rotate",
    operationId: "rotateKeys",
    isLong: true,
    tag: "Tenants",
    summary: "New keys for a tenant's secrets; what was sealed before is sealed anew, by and by",
    action: "secret.rotate",
    params: TenantPath,
    body: z.strictObject({}),
    replies: { 200: { description: "The keys that seal from now on", schema: RotatedShown } },
    where: scopeOfPath(deps),
    run: async ({ scope, ...call }) =>
      await once(deps, scope!, call.idempotency, async () => {
        await mustBeThere(deps, scope!)
        const { keyRing } = deps
        if (!keyRing) throw new Refusal("SECRET_UNSUPPORTED", "There are no keys to rotate.")
        const body = (keys: Rotated) => ({ tenantId: scope!, keys: keys.map((key) => ({ ...key })) })
        const rotated = await rotateKeys(
          { db: deps.db, keyRing },
          scope!,
          (keys) => audited(call, "secret.rotate", scope!, { keys: keys.map((key) => ({ ...key })) }),
          (keys) => remembered(call.idempotency, () => ({ status: 200, headers: {}, body: body(keys) })),
        )
        deps.vault?.forget(scope!)
        return rotated ? json(200, body(rotated)) : conflict()
      }),
  })
