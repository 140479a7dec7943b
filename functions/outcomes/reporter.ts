import { may, type Principal, sees } from "../../core/access.ts"
import type { Environment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import { parseTenantId, type TenantId, type TokenId } from "../../core/ids.ts"
import { findToken } from "../../db/queries/find-token.ts"
import { authenticate, type Door, keptToken } from "../http/auth.ts"
import type { FunctionUrlEvent } from "../http/events.ts"
import { createFailures, type Failures } from "../http/failures.ts"
import { jwtVerifierOf } from "../http/jwt-door.ts"
import { readerVerifier } from "../http/tokens.ts"
import type { OutcomesPlatform } from "../platform/compose-outcomes.ts"

/** An application that reads a tenant's configuration in an environment, and says how it fares with it. */
export interface Reporter {
  principal: Principal
  tenantId: TenantId
  environment: Environment
  tokenId: TokenId
}

/** Who may report and who may tell of events, and what counts those who are turned away. */
export interface Doors {
  failures: Failures
  reporters: Door
  tellers: Door
}

export const doorsOf = (platform: OutcomesPlatform): Doors => {
  const { settings, clock, db, attempts } = platform
  const reporters: Door = {
    startupTokenHash: null,
    verifyReader: readerVerifier(settings.readerPublicKeys),
    now: () => clock.now(),
    findToken: async (scope, tokenId) => {
      const found = await findToken(db, scope, tokenId)
      return found && keptToken(found.token, scope)
    },
  }
  // That a tenant is suspended, and who of its own was revoked, is told by whoever keeps the events.
  const people = { startupTokenHash: settings.adminTokenHash, verifyJwt: jwtVerifierOf(platform) }
  const failures = createFailures({ attempts, edgeSecret: settings.edgeSecret })
  return { failures, reporters, tellers: { ...reporters, ...people } }
}

/** In the words of every other door, for a tenant that is not there and for one that the token may not see. */
export const tenantNotFound = (named: string): Refusal =>
  new Refusal("TENANT_NOT_FOUND", `There is no tenant "${named}".`)

const tenantOf = (principal: Principal, named: string | undefined): TenantId => {
  const { tenants } = principal
  if (named === undefined) {
    if (tenants !== "*" && tenants.length === 1) return tenants[0]!
    throw new Refusal("TENANT_UNNAMED", "The token is for several tenants, and X-Tenant-ID names none.")
  }
  const tenantId = parseTenantId(named)
  if (tenantId === null || !sees(principal, tenantId)) throw tenantNotFound(named.slice(0, 100))
  return tenantId
}

const principalOf = (failures: Failures, door: Door, event: FunctionUrlEvent): Promise<Principal> => {
  const { authorization } = event.headers
  return failures.watch(event, authorization, () => authenticate(door, authorization))
}

/** Whoever tells of events. Throws UNAUTHENTICATED, AUTHENTICATION_LIMITED. */
export const tellerOf = ({ failures, tellers }: Doors, event: FunctionUrlEvent): Promise<Principal> =>
  principalOf(failures, tellers, event)

/**
 * Only who reads as an application may report: signed for one environment, so nobody else's word moves a rollout.
 * Throws UNAUTHENTICATED, AUTHENTICATION_LIMITED, FORBIDDEN, TENANT_UNNAMED, TENANT_NOT_FOUND.
 */
export const reporterOf = async (
  { failures, reporters }: Doors,
  event: FunctionUrlEvent,
): Promise<Reporter> => {
  const { headers } = event
  const principal = await principalOf(failures, reporters, event)
  const { environment, tokenId, roles } = principal
  // Admins may do all else; but they see no configuration fail.
  const reads = roles.includes("reader") && tokenId !== "startup" && environment !== null
  if (!reads) throw new Refusal("FORBIDDEN", '"outcome.report" takes the role reader.')
  const tenantId = tenantOf(principal, headers["x-tenant-id"])
  if (!may(principal, "outcome.report", { scope: tenantId, environment })) throw tenantNotFound(tenantId)
  return { principal, tenantId, environment, tokenId }
}
