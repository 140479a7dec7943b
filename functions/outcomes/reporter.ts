import { may, type Principal, sees } from "../../core/access.ts"
import type { Environment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import { parseTenantId, type TenantId, type TokenId } from "../../core/ids.ts"
import { findToken } from "../../db/queries/find-token.ts"
import { authenticate, type Door, keptToken } from "../http/auth.ts"
import type { FunctionUrlEvent } from "../http/events.ts"
import { createFailures, type Failures } from "../http/failures.ts"
import { readerVerifier } from "../http/tokens.ts"
import type { OutcomesPlatform } from "../platform/compose-outcomes.ts"

/** An application that reads a tenant's configuration in an environment, and says how it fares with it. */
export interface Reporter {
  tenantId: TenantId
  environment: Environment
  tokenId: TokenId
}

/** A door that counts who is turned away. */
export type ReporterDoor = Door & { failures: Failures }

export const doorOf = ({ settings, clock, db, attempts }: OutcomesPlatform): ReporterDoor => ({
  failures: createFailures({ attempts, edgeSecret: settings.edgeSecret }),
  startupTokenHash: null,
  verifyReader: readerVerifier(settings.readerPublicKeys),
  now: () => clock.now(),
  findToken: async (scope, tokenId) => {
    const found = await findToken(db, scope, tokenId)
    return found && keptToken(found.token, scope)
  },
})

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

/**
 * Only who reads as an application may report: signed for one environment, so nobody else's word moves a rollout.
 * Throws UNAUTHENTICATED, AUTHENTICATION_LIMITED, FORBIDDEN, TENANT_UNNAMED, TENANT_NOT_FOUND.
 */
export const reporterOf = async (door: ReporterDoor, event: FunctionUrlEvent): Promise<Reporter> => {
  const { headers } = event
  const principal = await door.failures.watch(event, headers.authorization, () =>
    authenticate(door, headers.authorization),
  )
  const { environment, tokenId, roles } = principal
  // Admins may do all else; but they see no configuration fail.
  const reads = roles.includes("reader") && tokenId !== "startup" && environment !== null
  if (!reads) throw new Refusal("FORBIDDEN", '"outcome.report" takes the role reader.')
  const tenantId = tenantOf(principal, headers["x-tenant-id"])
  if (!may(principal, "outcome.report", { scope: tenantId, environment })) throw tenantNotFound(tenantId)
  return { tenantId, environment, tokenId }
}
