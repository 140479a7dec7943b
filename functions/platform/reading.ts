import type { Role } from "../../core/access.ts"
import type { Actor, Change } from "../../core/change/change.ts"
import type { Environment } from "../../core/environment.ts"
import type { ChangeId, ChunkId, ReleaseId, ScopeId, TenantId, Tier, TokenId } from "../../core/ids.ts"
import type { LayerPointers } from "../../core/release/arms.ts"
import type { ChunkTexts, Manifest } from "../../core/release/release.ts"

/** Pointers with the releases they name, as they were at one moment. */
export interface LayersRead {
  /** Rises when the database is restored from the past. */
  epoch: number
  layers: LayerPointers
  /** Of every release that `layers` names. */
  manifests: ReadonlyMap<ReleaseId, Manifest>
  /** Of those releases that were not said to be known and are in one piece; others are asked for. */
  chunks: ChunkTexts
}

/** All that a tenant's views in one environment rest on. */
export interface PointerRead extends LayersRead {
  tenant: { status: "active" | "suspended"; tier: Tier }
  revoked: readonly TokenId[]
  /** When any of the three pointers moved last, ISO 8601; `null` if none ever did. */
  movedAt: string | null
}

/** What building a pointer document needs of the database; each is one round trip. */
export interface PointerReading {
  readPointer(
    tenantId: TenantId,
    environment: Environment,
    knownReleases: readonly ReleaseId[],
  ): Promise<PointerRead | null>
  readChunks(scope: ScopeId, chunks: readonly ChunkId[]): Promise<ChunkTexts>
}

/** The platform and the tiers, which are scopes without being tenants. */
export interface ScopeReading {
  /** The layers of a scope that is no tenant: the platform's, and the tier's if it is one. */
  readLayers(scope: ScopeId, environment: Environment): Promise<LayersRead | null>
}

/** What is kept of a token. */
export interface TokenRead {
  tokenId: TokenId
  subject: string
  roles: readonly Role[]
  /** For a token of the platform's; a tenant's own has `null`. */
  tenants: readonly TenantId[] | "*" | null
  environment: Environment | null
  issuer: Actor
  /** SHA-256 of the whole token, hex; `null` for a reader token, which is signed instead. */
  secretHash: string | null
  expiresAt: string
  revokedAt: string | null
}

/** All that the read function asks of the database, as the role that may only read. */
export interface Reading extends PointerReading, ScopeReading {
  /** As it was at `at`: arms, weights and tier too. */
  readPointerAsOf(tenantId: TenantId, environment: Environment, at: string): Promise<PointerRead | null>
  findToken(scope: ScopeId, tokenId: TokenId): Promise<TokenRead | null>
  /** The tenant that is called so elsewhere, `system:id`. */
  findExternalId(externalId: string): Promise<TenantId | null>
  findChange(scope: ScopeId, changeId: ChangeId): Promise<Change | null>
  ping(): Promise<void>
}
