import type { ChangeId, Layer, ReleaseId, TenantId, Tier } from "../ids.ts"
import { getsCandidate } from "./bucket.ts"
import type { Candidate, Pointer } from "./release.ts"

/** Which of a tenant's two views somebody reads. */
export type Arm = "stable" | "candidate"

/** The pointers of the three layers that a tenant reads through. */
export type LayerPointers = Readonly<Record<Layer, Pointer>>
/** Which release each layer contributes to a view. */
export type LayerReleases = Readonly<Record<Layer, ReleaseId>>

export interface TenantViews {
  stable: LayerReleases
  /** The tenant's own candidate over the same platform and tier; `null` while nothing rolls out. */
  candidate: { releases: LayerReleases; changeId: ChangeId; step: number; weightBp: number } | null
}

/**
 * Has a wave of the platform's or a tier's rollout reached this tenant? By its name, by its tier, or by the share,
 * which buckets tenants: one is wholly in or wholly out. One that the candidate failed is out whatever reaches it.
 */
export const isReached = (
  candidate: Pick<Candidate, "changeId" | "weightBp" | "audience">,
  tenantId: TenantId,
  tier: Tier | null,
): boolean => {
  const { changeId, weightBp, audience } = candidate
  if (audience?.excluded.includes(tenantId)) return false
  const isNamed =
    audience !== undefined &&
    ((tier !== null && audience.tiers.includes(tier)) || audience.tenants.includes(tenantId))
  return isNamed || getsCandidate(changeId, tenantId, weightBp)
}

/** What a platform's or tier's pointer means to a tenant that is of this tier when the pointer is as it is. */
export const releaseFor = (
  { stable, candidate }: Pointer,
  tenantId: TenantId,
  tier: Tier | null,
): ReleaseId => (candidate !== null && isReached(candidate, tenantId, tier) ? candidate.release : stable)

/** The releases behind a tenant's views, at most two: its own changes bucket subjects. `tier` is that of the same time. */
export const viewsOf = (
  { platform, tier: ofTier, tenant }: LayerPointers,
  tenantId: TenantId,
  tier: Tier | null,
): TenantViews => {
  const around = {
    platform: releaseFor(platform, tenantId, tier),
    tier: releaseFor(ofTier, tenantId, tier),
  }
  const stable = { ...around, tenant: tenant.stable }
  if (tenant.candidate === null) return { stable, candidate: null }
  const { release, changeId, step, weightBp } = tenant.candidate
  return { stable, candidate: { releases: { ...around, tenant: release }, changeId, step, weightBp } }
}

/** The arm that `unit` reads. No unit reads stable until everyone reads the candidate. */
export const armOf = (
  candidate: { changeId: ChangeId; weightBp: number } | null,
  unit: string | null,
): Arm =>
  candidate !== null && getsCandidate(candidate.changeId, unit, candidate.weightBp) ? "candidate" : "stable"
