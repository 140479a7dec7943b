import type { ScopeId, TokenId } from "../../core/ids.ts"
import { toInstant } from "../instant.ts"
import type { Runner } from "../open.ts"
import { textQuery } from "../text-query.ts"
import type { TokenRow } from "./tokens.ts"

const find = textQuery<{ token: string; status: string }>(
  "select token, tenant_status as status from hotswap.find_token($1, $2)",
  ["scope", "tokenId"],
)

/** A token and its tenant's status, in one round trip. Revoked and expired ones too: look. */
export const findToken = async (
  runner: Runner,
  scope: ScopeId,
  tokenId: TokenId,
): Promise<{ token: TokenRow; tenantStatus: "active" | "suspended" } | null> => {
  const [row] = await runner.run(find, { scope, tokenId })
  if (!row) return null
  const token = JSON.parse(row.token) as TokenRow
  return { token: { ...token, ...timesOf(token) }, tenantStatus: row.status as "active" | "suspended" }
}

const timesOf = ({ createdAt, expiresAt, revokedAt }: TokenRow) => ({
  createdAt: toInstant(createdAt),
  expiresAt: toInstant(expiresAt),
  revokedAt: revokedAt === null ? null : toInstant(revokedAt),
})
