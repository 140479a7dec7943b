import type { Principal, Role } from "../../core/access.ts"
import { Refusal } from "../../core/errors.ts"
import { isTenant, parseTokenId, type TenantId } from "../../core/ids.ts"
import type { Job } from "../../core/job/job.ts"
import type { Database } from "../../db/client.ts"
import { findToken } from "../../db/queries/tokens.ts"
import { keptToken } from "../http/auth.ts"

/**
 * Who asked for the job, as they are now: a token that was revoked meanwhile does nothing any more, and one whose roles are
 * others has those. That it has expired since takes nothing back: it was good when it was asked. What an issuer signed cannot
 * be asked for again and has the roles that it had. Throws Refusal FORBIDDEN.
 */
export const ownerNow = async (
  { db }: { db: Database },
  { scope, createdBy }: Pick<Job, "scope" | "createdBy">,
): Promise<Principal> => {
  const { subject, tokenId, ancestors } = createdBy
  if (tokenId === "system") throw new Refusal("FORBIDDEN", "Nobody asked for this.")
  const roles = createdBy.roles as readonly Role[]
  const isAdmin = roles.includes("platform_admin")
  const kept = parseTokenId(tokenId)
  if (kept === null) {
    const tenants = isAdmin ? ("*" as const) : isTenant(scope) ? [scope as TenantId] : []
    return { subject, tokenId, ancestors, roles, tenants, environment: null }
  }
  const found = await findToken(db, kept.scope, kept.tokenId)
  const token = found && keptToken(found.token, kept.scope)
  if (!token || token.revokedAt !== null)
    throw new Refusal("FORBIDDEN", "The token that asked for this is not there any more.")
  const { tenants, environment } = token
  return { subject, tokenId, ancestors, roles: token.roles, tenants, environment }
}
