import type { ChangeId, Layer, ReleaseId, TenantId } from "../ids.ts"
import { getsCandidate } from "./bucket.ts"
import type { Pointer } from "./release.ts"

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
 * What a platform's or tier's pointer means to this tenant: their changes bucket tenants, so a tenant
 * is wholly in or wholly out.
 */
export const releaseFor = ({ stable, candidate }: Pointer, tenantId: TenantId): ReleaseId =>
  candidate !== null && getsCandidate(candidate.changeId, tenantId, candidate.weightBp)
    ? candidate.release
    : stable

/** The releases behind a tenant's views, at most two: its own changes bucket subjects. */
export const viewsOf = ({ platform, tier, tenant }: LayerPointers, tenantId: TenantId): TenantViews => {
  const around = { platform: releaseFor(platform, tenantId), tier: releaseFor(tier, tenantId) }
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
