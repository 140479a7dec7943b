import { isTenant, type ScopeId, type TenantId, type TokenId } from "../../core/ids.ts"
import { listTokens, revokeToken, type TokenRow } from "../../db/queries/tokens.ts"
import { listTenants } from "../../db/system.ts"
import type { Call } from "../http/route.ts"
import type { ManageDeps } from "./deps.ts"
import { audited } from "./remember.ts"
import { publishEverywhere } from "./tenant-parts.ts"

type Asker = Pick<Call<unknown, unknown, unknown>, "principal" | "instance">

const PAGE = 500

const allTokens = async (deps: ManageDeps, scope: ScopeId): Promise<TokenRow[]> => {
  const all: TokenRow[] = []
  for (;;) {
    const after = all.at(-1)?.tokenId
    const rows = await listTokens(deps.db, scope, { limit: PAGE, ...(after ? { after } : {}) })
    all.push(...rows)
    if (rows.length < PAGE) return all
  }
}

/** Looked through at the same time: one after another, many tenants take longer than whoever asks may wait. */
const TOGETHER = 8

async function* allTenants({ system }: ManageDeps): AsyncGenerator<readonly TenantId[], undefined> {
  for (let after: TenantId | undefined; ; ) {
    const page = await listTenants(system, { limit: PAGE, ...(after ? { after } : {}) })
    for (let at = 0; at < page.length; at += TOGETHER)
      yield page.slice(at, at + TOGETHER).map(({ tenantId }) => tenantId)
    if (page.length < PAGE) return
    after = page.at(-1)!.tenantId
  }
}

/** What a scope keeps that was issued with these, and with that, and so on. */
const issuedIn = async (
  deps: ManageDeps,
  scope: ScopeId,
  issuers: readonly TokenId[],
): Promise<readonly TokenRow[]> => {
  const issuedWith = Map.groupBy(await allTokens(deps, scope), ({ issuer }) => issuer.tokenId as string)
  const issued = issuers.flatMap((tokenId) => issuedWith.get(tokenId) ?? [])
  // Grows while it is gone through: each is followed by what was issued with it.
  for (const { tokenId } of issued) issued.push(...(issuedWith.get(tokenId) ?? []))
  return issued
}

/** Until nothing is left: what is about to be revoked may itself be issuing. Returns all that was issued with these. */
const revokeAll = async (
  deps: ManageDeps,
  scope: ScopeId,
  issuers: readonly TokenId[],
  first: TokenId,
  call: Asker,
): Promise<readonly TokenRow[]> => {
  for (;;) {
    const issued = await issuedIn(deps, scope, issuers)
    const left = issued.filter(({ revokedAt }) => revokedAt === null)
    if (left.length === 0) return issued
    for (const { tokenId } of left) {
      const audit = audited(call, "token.revoke", tokenId, { with: first })
      await revokeToken(deps.db, scope, tokenId, call.principal.subject, deps.settings.environments, audit)
    }
    publishEverywhere(deps, scope)
  }
}

/**
 * Revokes whatever was issued with the token, and with that, and so on; each has its own entry in the audit. The token
 * itself is revoked before, so that nothing is added meanwhile. What is broken off is gone on with when it is asked again.
 */
export const revokeIssued = async (
  deps: ManageDeps,
  scope: ScopeId,
  tokenId: TokenId,
  call: Asker,
): Promise<void> => {
  const issued = await revokeAll(deps, scope, [tokenId], tokenId, call)
  if (isTenant(scope)) return
  // A token of the platform's issues in every tenant.
  const issuers = [tokenId, ...issued.map((token) => token.tokenId)]
  for await (const tenants of allTenants(deps))
    await Promise.all(tenants.map((tenantId) => revokeAll(deps, tenantId, issuers, tokenId, call)))
}
