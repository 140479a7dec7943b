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
import type { Route } from "../http/route.ts"
import { readerSigner, readerVerifier } from "../http/tokens.ts"
import type { ManagePlatform } from "../platform/compose-manage.ts"
import { actionRoutes } from "./actions.ts"
import { approvalRoutes } from "./approvals.ts"
import { auditRoutes } from "./audit.ts"
import { backupScheduleRoutes } from "./backup-schedule.ts"
import { backupRoutes } from "./backups.ts"
import { allBackupsRoute } from "./backups-all.ts"
import { changeRoutes } from "./changes.ts"
import { channelRoutes } from "./channels.ts"
import { cloneRoute } from "./clone.ts"
import { configRoutes } from "./configs.ts"
import { deliveryRoutes } from "./deliveries.ts"
import type { ManageDeps } from "./deps.ts"
import { docsRoutes } from "./docs.ts"
import { downloadRoutes } from "./downloads.ts"
import { environmentRoutes } from "./environments.ts"
import { erasureRoutes } from "./erasure.ts"
import { personRoutes } from "./erasure-person.ts"
import { explainRoute } from "./explain.ts"
import { flagRoutes } from "./flags.ts"
import { deploymentRoute } from "./hand-over.ts"
import { importRoutes } from "./imports.ts"
import { jobRoutes } from "./jobs.ts"
import { limitRoutes } from "./limits.ts"
import { metricsRoute } from "./metrics.ts"
import { migrateRoute } from "./migrate.ts"
import { openapiText } from "./openapi.ts"
import { resolveScope } from "./parse.ts"
import { policyRoutes } from "./policy.ts"
import { promoteRoute } from "./promote.ts"
import { reloadRoute } from "./reload.ts"
import { reviewRoute } from "./report-reviews.ts"
import { reportRoutes } from "./reports.ts"
import { restoreRoutes } from "./restore.ts"
import { secretRoute } from "./secret.ts"
import { rotateKeysRoute } from "./secret-keys.ts"
import { signalRoutes } from "./signals.ts"
import { tenantRoutes } from "./tenants.ts"
import { tokenRoutes } from "./tokens.ts"
import { versionRoutes } from "./versions.ts"

export interface Manage {
  app: App
  /** Every route there is, with the action each takes. */
  routes: readonly Route[]
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

const routesOf = (deps: ManageDeps): Route[] => [
  ...tenantRoutes(deps),
  ...erasureRoutes(deps),
  ...tokenRoutes(deps),
  ...configRoutes(deps),
  ...versionRoutes(deps),
  explainRoute(deps),
  ...flagRoutes(deps),
  secretRoute(deps),
  rotateKeysRoute(deps),
  promoteRoute(deps),
  ...changeRoutes(deps),
  ...actionRoutes(deps),
  ...approvalRoutes(deps),
  ...signalRoutes(deps),
  ...policyRoutes(deps),
  ...environmentRoutes(deps),
  ...auditRoutes(deps),
  ...reportRoutes(deps),
  reviewRoute(deps),
  ...personRoutes(deps),
  ...channelRoutes(deps),
  ...deliveryRoutes(deps),
  reloadRoute(deps),
  ...limitRoutes(deps),
  ...backupScheduleRoutes(deps),
  metricsRoute(deps),
  ...backupRoutes(deps),
  allBackupsRoute(deps),
  cloneRoute(deps),
  ...restoreRoutes(deps),
  migrateRoute(deps),
  ...jobRoutes(deps),
  ...downloadRoutes(deps),
  ...importRoutes(deps),
  deploymentRoute(deps),
]

/** Everything that alters anything, and the reference, behind one door. */
export const createManage = (platform: ManagePlatform): Manage => {
  const deps = depsOf(platform)
  let reference: string | undefined
  const openapi = (): string => {
    reference ??= openapiText(app)
    return reference
  }
  const ping = async () => {
    await findTenant(platform.db, PLATFORM as TenantId)
  }
  const routes = [...routesOf(deps), ...docsRoutes(openapi, ping)]
  const app: App = createApp(
    {
      door: doorOf(platform),
      log: platform.log,
      newId: () => platform.ids.uuid(),
      requestKey: requestKeyOf(platform.settings.readerKeys),
      resolveScope: (text) => resolveScope(text, deps.findExternal),
      attempts: platform.attempts,
      admit: platform.managementGuard?.admit,
      edgeSecret: platform.settings.edgeSecret,
      corsOrigins: platform.settings.corsOrigins,
      publicRoutes: PUBLIC_ROUTES,
      exists: async (scope) => (await findTenant(platform.db, scope as TenantId)) !== null,
    },
    routes,
  )
  return { app, routes, handler: functionUrlHandler(app) }
}
