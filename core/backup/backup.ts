import type { Instant } from "../change/change.ts"
import type { ScopeId } from "../ids.ts"

export const ORIGINS = ["requested", "scheduled", "imported", "hand_over"] as const
/** Why an archive is here. */
export type BackupOrigin = (typeof ORIGINS)[number]

/** One of the places an archive is kept at, and when all of it was last found there. */
export interface LocationStatus {
  name: string
  ok: boolean
  checkedAt: Instant
  /** Why not. */
  problem?: string
}

/** Was it found damaged or missing everywhere, when it was looked at last? */
export const isBroken = (locations: readonly LocationStatus[]): boolean =>
  locations.length > 0 && locations.every(({ ok }) => !ok)

/**
 * The scope in whose folder of the blob store an archive is. What came from another deployment stays apart: its `acme-corp` need
 * not be the one that is here.
 */
export const homeOf = ({
  tenantId,
  source,
  origin,
}: {
  tenantId: ScopeId
  source: ScopeId
  origin: BackupOrigin
}): ScopeId => (origin === "imported" ? tenantId : source)
