import type { Instant } from "../change/change.ts"
import type { TenantId, Tier } from "../ids.ts"

/** Requests and how many of them failed. */
export interface Tally {
  requests: number
  errors: number
}

/**
 * For so long what a tenant reported last is kept apart from what it is judged by: what befalls everyone, everyone has
 * time to report. A report moves what is kept apart to the rest when the first of it is older than this.
 */
export const SETTLE_MS = 5_000

/** Of the tenants reached, and of those not reached, so many are shown one by one: those with the most requests in the step. */
export const SAMPLE_MAX = 100

/** A tenant that no wave has reached: it tells what befell everyone meanwhile. */
export interface ControlEvidence {
  tier: Tier
  /** Before the rollout: what was usual for it, older reports counting for less. */
  before: Tally
  /** In this step, on stable. */
  after: Tally
}

/** What one tenant's readers reported around a change of the platform or a tier. */
export interface TenantEvidence {
  tenantId: TenantId
  tier: Tier
  /** Before its wave reached it: what was usual for it, older reports counting for less. */
  before: Tally
  /** In earlier steps of this rollout, on either side. */
  earlier: Tally
  /** A wave had reached it in one of those. */
  veteran: boolean
  /** In this step, on the candidate, but for what is {@link recent}. */
  after: Tally
  /** What it reported last, at most {@link SETTLE_MS} of it. */
  recent: Tally
  /** Instances that reported, in this step, a configuration that could not be read or was not valid. */
  unusable: number
  /** Instances that have reported in this step, and those that had five errors or more and not one success. */
  instances: number
  failing: number
  lastAt: Instant | null
}

/**
 * All that is known of one step of a change that reaches tenants by waves: each tenant against its own past, and beside
 * them those that no wave has reached yet. Who was taken out because the candidate failed it appears nowhere.
 */
export interface WaveEvidence {
  /** When the first report of the step came, of whoever it was. */
  since: Instant | null
  /** Those that have reported the candidate in this step; `requests` are all of theirs, recent ones too. */
  reached: { tenants: number; requests: number; lastAt: Instant | null; sample: readonly TenantEvidence[] }
  /** Those that have reported stable in this step. */
  control: { tenants: number; requests: number; lastAt: Instant | null; sample: readonly ControlEvidence[] }
  /** Those that used to report, and have not in this step. */
  unheard: { tenants: number; before: Tally }
  /** The tenant that a report is about, where one is and it is reached. */
  tenant: TenantEvidence | null
}

/** Nobody has reported. */
export const NO_WAVE_EVIDENCE: WaveEvidence = {
  since: null,
  reached: { tenants: 0, requests: 0, lastAt: null, sample: [] },
  control: { tenants: 0, requests: 0, lastAt: null, sample: [] },
  unheard: { tenants: 0, before: { requests: 0, errors: 0 } },
  tenant: null,
}
