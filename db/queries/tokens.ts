import { and, asc, eq, getTableColumns, gt, isNull, sql } from "drizzle-orm"
import type { Role } from "../../core/access.ts"
import type { AuditBody } from "../../core/audit/entry.ts"
import type { Actor } from "../../core/change/change.ts"
import type { Environment } from "../../core/environment.ts"
import { parseTokenId, type ScopeId, type TenantId, type TokenId } from "../../core/ids.ts"
import type { Database } from "../client.ts"
import { tenants } from "../schema/tenants.ts"
import { tokens } from "../schema/tokens.ts"
import { type TenantTx, withTenant } from "../tenant.ts"
import { appendAudit } from "./audit.ts"
import { markAll } from "./pointers.ts"
import { conflictsOf, type Remember, remember } from "./replies.ts"

export { findToken } from "./find-token.ts"

/** A token as it is kept: never the token itself. */
export interface TokenRow {
  tokenId: TokenId
  scope: ScopeId
  kind: "api" | "reader"
  subject: string
  roles: Role[]
  /** Which tenants a token of the platform reaches; `null` for a tenant's own. */
  tenants: TenantId[] | "*" | null
  environment: Environment | null
  /** SHA-256 of an API token's secret, hex; `null` for reader tokens. */
  secretHash: string | null
  issuer: Actor
  createdAt: string
  expiresAt: string
  revokedAt: string | null
  revokedBy: string | null
}

export type NewToken = Omit<TokenRow, "scope" | "createdAt" | "revokedAt" | "revokedBy">

/** `missing`: no such tenant or token. `conflict`: the idempotency key was taken. Nothing was written in either. */
type Nothing = { kind: "missing" } | { kind: "conflict" }
/** `revoked`: the token it was to be issued with is, and nothing was written. */
export type TokenInserted = { kind: "inserted"; token: TokenRow } | { kind: "revoked" } | Nothing
export type TokenRevoked = { kind: "revoked"; token: TokenRow } | Nothing

const { tenantId: scopeColumn, ...otherColumns } = getTableColumns(tokens)
const columns = { ...otherColumns, scope: scopeColumn }

export const insertToken = (
  database: Database,
  scope: ScopeId,
  token: NewToken,
  audit: AuditBody,
  reply?: Remember<TokenRow>,
): Promise<TokenInserted> =>
  conflictsOf(
    withTenant(database, scope, async (tx): Promise<TokenInserted> => {
      if (!(await isThere(tx))) return { kind: "missing" }
      if (await isRevoked(tx, token.issuer.tokenId)) return { kind: "revoked" }
      const [row] = await tx.db
        .insert(tokens)
        .values({ ...token, tenantId: scope })
        .returning(columns)
      await appendAudit(tx, [audit])
      await remember(tx, reply, row as TokenRow)
      return { kind: "inserted", token: row as TokenRow }
    }),
  )

/** Locked against being deleted meanwhile. */
const isThere = async (tx: TenantTx): Promise<boolean> => {
  const own = and(eq(tenants.tenantId, tx.scope), sql`${tenants.status} <> 'deleted'`)
  return (
    (await tx.db.select({ id: tenants.tenantId }).from(tenants).where(own).for("no key update")).length > 0
  )
}

/**
 * Locked against being revoked meanwhile: whoever then revokes what was issued with it finds this one too. Of the
 * platform's tokens as well, which issue in every tenant; what is no token's id is revoked nowhere.
 */
const isRevoked = async (tx: TenantTx, tokenId: Actor["tokenId"]): Promise<boolean> => {
  const scope = parseTokenId(tokenId)?.scope
  if (scope === undefined) return false
  return await tx.as(scope, async ({ db }) => {
    const own = and(eq(tokens.tenantId, scope), eq(tokens.tokenId, tokenId as TokenId))
    const [issuer] = await db.select({ at: tokens.revokedAt }).from(tokens).where(own).for("share")
    return issuer !== undefined && issuer.at !== null
  })
}

/** Oldest first; `after` is the last one of the page before. With an environment, only those bound to it. */
export const listTokens = (
  database: Database,
  scope: ScopeId,
  { limit, after, environment }: { limit: number; after?: TokenId; environment?: Environment },
): Promise<TokenRow[]> =>
  withTenant(database, scope, async (tx) => {
    const from = after === undefined ? undefined : gt(tokens.tokenId, after)
    const bound = environment === undefined ? undefined : eq(tokens.environment, environment)
    const own = and(eq(tokens.tenantId, scope), from, bound)
    return (await tx.db
      .select(columns)
      .from(tokens)
      .where(own)
      .orderBy(asc(tokens.tokenId))
      .limit(limit)) as TokenRow[]
  })

/** Revokes once: again is harmless and leaves no second audit entry. `environments` are told to look again. */
export const revokeToken = (
  database: Database,
  scope: ScopeId,
  tokenId: TokenId,
  by: string,
  environments: readonly Environment[],
  audit: AuditBody,
  reply?: Remember<TokenRow>,
): Promise<TokenRevoked> =>
  conflictsOf(
    withTenant(database, scope, async (tx): Promise<TokenRevoked> => {
      const own = and(eq(tokens.tenantId, scope), eq(tokens.tokenId, tokenId))
      const [revoked] = await tx.db
        .update(tokens)
        .set({ revokedAt: sql`clock_timestamp()`, revokedBy: by })
        .where(and(own, isNull(tokens.revokedAt)))
        .returning(columns)
      if (revoked) {
        await markAll(tx, environments)
        await appendAudit(tx, [audit])
      }
      const token = revoked ?? (await tx.db.select(columns).from(tokens).where(own))[0]
      if (!token) return { kind: "missing" }
      await remember(tx, reply, token as TokenRow)
      return { kind: "revoked", token: token as TokenRow }
    }),
  )
