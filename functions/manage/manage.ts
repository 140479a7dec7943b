import { PUBLIC_ROUTES } from "../../core/access.ts"
import { PLATFORM, parseTokenId, type TenantId } from "../../core/ids.ts"
import { findTenant } from "../../db/queries/tenants.ts"
import { findToken } from "../../db/queries/tokens.ts"
import { resolveExternalId } from "../../db/system.ts"
import { type App, createApp, functionUrlHandler } from "../http/app.ts"
import { type Door, keptToken } from "../http/auth.ts"
import type { FunctionUrlHandler } from "../http/events.ts"
import { requestKeyOf } from "../http/idempotency.ts"
import { jwtVerifierOf } from "../http/jwt-door.ts"
import { lazily } from "../http/lazily.ts"
import type { Route } from "../http/route.ts"
import { withServerSpan } from "../http/server-span.ts"
import { readerSigner, readerVerifier } from "../http/tokens.ts"
import type { ManagePlatform } from "../platform/compose-manage.ts"
import type { ManageDeps } from "./deps.ts"
import { resolveScope } from "./parse.ts"
import { manageRoutes } from "./route-table.ts"

export interface Manage {
  app: App
  /** Every route there is, with the action each takes: all of them are loaded. */
  routes(): Promise<readonly Route[]>
  handler: FunctionUrlHandler
}

/** The signature outlives the revocation: here, where no pointer document tells, the row is asked. */
const unlessRevoked =
  ({ db }: ManagePlatform, verify: Door["verifyReader"]): Door["verifyReader"] =>
  async (token, now) => {
    const claims = await verify(token, now)
    const id = claims && parseTokenId(claims.tokenId)
    const kept = id && (await findToken(db, id.scope, id.tokenId))
    return kept && kept.token.revokedAt === null ? claims : null
  }

const doorOf = (platform: ManagePlatform): Door => ({
  startupTokenHash: platform.settings.adminTokenHash,
  verifyReader: unlessRevoked(platform, readerVerifier(platform.settings.readerKeys)),
  verifyJwt: jwtVerifierOf(platform),
  tenantStatus: async (tenantId) => {
    const status = (await findTenant(platform.db, tenantId))?.status
    return status === "active" || status === "suspended" ? status : null
  },
  now: () => platform.clock.now(),
  used: (scope, tokenId) => platform.tokenUses.note(scope, tokenId),
  findToken: async (scope, tokenId) => {
    const found = await findToken(platform.db, scope, tokenId)
    return found && { ...keptToken(found.token, scope), suspended: found.tenantStatus === "suspended" }
  },
})

const depsOf = (platform: ManagePlatform): ManageDeps => {
  let signer: ReturnType<typeof readerSigner> | undefined
  return {
    ...platform,
    findExternal: (externalId) => resolveExternalId(platform.system, externalId),
    signReader: async (claims) => {
      signer ??= readerSigner(platform.settings.readerKeys)
      return (await signer)(claims)
    },
  }
}

/** Everything that alters anything, and the reference, behind one door. */
export const createManage = (platform: ManagePlatform): Manage => {
  const deps = depsOf(platform)
  const routes = manageRoutes({
    ...deps,
    reference: lazily(async () => {
      const { openapiText } = await import("./openapi.ts")
      return openapiText(await loaded())
    }),
    ping: async () => {
      await findTenant(platform.db, PLATFORM as TenantId)
    },
  })
  const loaded = () => Promise.all(routes.map((route) => route.load()))
  const app: App = createApp(
    {
      door: doorOf(platform),
      log: platform.log,
      newId: () => platform.ids.uuid(),
      requestKey: requestKeyOf(platform.settings.readerKeys),
      resolveScope: (text) => resolveScope(text, deps.findExternal),
      attempts: platform.attempts,
      admit: platform.managementGuard?.admit,
      usage: platform.usage,
      edgeSecret: platform.settings.edgeSecret,
      corsOrigins: platform.settings.corsOrigins,
      publicRoutes: PUBLIC_ROUTES,
      exists: async (scope) => (await findTenant(platform.db, scope as TenantId)) !== null,
    },
    routes,
  )
  return { app, routes: loaded, handler: withServerSpan(platform, functionUrlHandler(app)) }
}
