import {
  SAMPLE_MAX,
  SETTLE_MS,
  type Tally,
  type TenantEvidence,
  type WaveEvidence,
} from "../../core/gate/waves.ts"
import type { TenantId, Tier } from "../../core/ids.ts"

interface Kept {
  tier: Tier
  /** Until the rollout began, and until now or its wave. */
  before: Tally
  usual: Tally
  usualAtMs: number
  earlier: Tally
  after: Tally
  recent: Tally
  recentSinceMs: number
  isReached: boolean
  isVeteran: boolean
  isHeard: boolean
  isOut: boolean
  /** Errors that came with no success at all so far, in this step. */
  failing: boolean
}

const none = (): Tally => ({ requests: 0, errors: 0 })
const add = (to: Tally, { requests, errors }: Tally): void => {
  to.requests += requests
  to.errors += errors
}
const sum = (tallies: readonly Tally[]): Tally => {
  const all = none()
  for (const tally of tallies) add(all, tally)
  return all
}
const HALF_LIFE_MS = 600_000

/** What is usual, once more was reported: older reports count for less. */
const remembered = ({ usual, usualAtMs }: Kept, { requests, errors }: Tally, atMs: number): Tally => {
  const share = usualAtMs === 0 ? 1 : 0.5 ** ((atMs - usualAtMs) / HALF_LIFE_MS)
  return {
    requests: Math.round(usual.requests * share) + requests,
    errors: Math.round(usual.errors * share) + errors,
  }
}

const byRequests = (one: Kept, other: Kept): number => requestsOf(other) - requestsOf(one)
const requestsOf = ({ after, recent }: Kept): number => after.requests + recent.requests

/** The evidence of a rollout by waves, gathered in memory as the database gathers it in tables. */
export class PlatformLedger {
  readonly #tenants = new Map<string, Kept>()
  #sinceMs: number | null = null
  #lastMs = { reached: null as number | null, control: null as number | null }

  constructor(pasts: readonly { name: string; tier: Tier; before: Tally }[]) {
    for (const { name, tier, before } of pasts)
      this.#tenants.set(name, {
        tier,
        before,
        usual: { ...before },
        usualAtMs: 0,
        earlier: none(),
        after: none(),
        recent: none(),
        recentSinceMs: 0,
        isReached: false,
        isVeteran: false,
        isHeard: false,
        isOut: false,
        failing: false,
      })
  }

  add(name: string, isReached: boolean, tally: Tally, atMs: number): void {
    const kept = this.#tenants.get(name)!
    kept.isReached = isReached
    if (!isReached) kept.usual = remembered(kept, tally, atMs)
    kept.usualAtMs = atMs
    if (atMs - kept.recentSinceMs >= SETTLE_MS || !kept.isHeard) {
      add(kept.after, kept.recent)
      kept.recent = none()
      kept.recentSinceMs = atMs
    }
    kept.failing = tally.errors === tally.requests && (kept.failing || !kept.isHeard)
    kept.isHeard = true
    add(kept.recent, tally)
    this.#sinceMs ??= atMs
    this.#lastMs[isReached ? "reached" : "control"] = atMs
  }

  nextStep(): void {
    for (const kept of this.#tenants.values()) {
      for (const tally of [kept.after, kept.recent]) add(kept.earlier, tally)
      Object.assign(kept, {
        isVeteran: kept.isReached,
        after: none(),
        recent: none(),
        isHeard: false,
        failing: false,
      })
    }
    this.#sinceMs = null
    this.#lastMs = { reached: null, control: null }
  }

  takeOut(name: string): void {
    this.#tenants.get(name)!.isOut = true
  }

  /** In this step: of a tenant that reads the candidate. */
  tallies(name: string): { before: Tally; after: Tally; settled: Tally } {
    const { usual: before, after, recent } = this.#tenants.get(name)!
    return { before, after: sum([after, recent]), settled: after }
  }

  evidence(name?: string): WaveEvidence {
    const all = [...this.#tenants].filter(([, { isOut }]) => !isOut)
    const heard = all.filter(([, { isHeard }]) => isHeard)
    const reached = heard.filter(([, { isReached }]) => isReached)
    const control = heard.filter(([, { isReached }]) => !isReached).map(([, kept]) => kept)
    const unheard = all.filter(([, { isHeard }]) => !isHeard).map(([, { before }]) => before)
    const instant = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())
    const own = name === undefined ? undefined : this.#tenants.get(name)
    return {
      since: instant(this.#sinceMs),
      reached: {
        tenants: reached.length,
        requests: reached.reduce((requests, [, kept]) => requests + requestsOf(kept), 0),
        lastAt: instant(this.#lastMs.reached),
        sample: reached
          .sort(([, one], [, other]) => byRequests(one, other))
          .slice(0, SAMPLE_MAX)
          .map(([tenant, kept]) => tenantEvidence(tenant, kept)),
      },
      control: {
        tenants: control.length,
        requests: control.reduce((requests, kept) => requests + requestsOf(kept), 0),
        lastAt: instant(this.#lastMs.control),
        sample: control
          .sort(byRequests)
          .slice(0, SAMPLE_MAX)
          .map(({ tier, before, after, recent }) => ({ tier, before, after: sum([after, recent]) })),
      },
      unheard: { tenants: unheard.length, before: sum(unheard) },
      tenant: name === undefined || own === undefined ? null : tenantEvidence(name, own),
    }
  }
}

const tenantEvidence = (
  name: string,
  { tier, usual: before, earlier, isVeteran, after, recent, failing, isHeard }: Kept,
): TenantEvidence => ({
  tenantId: name as TenantId,
  tier,
  before,
  earlier,
  veteran: isVeteran,
  after,
  recent,
  unusable: 0,
  // One instance speaks for a tenant here.
  instances: isHeard ? 1 : 0,
  failing: failing && after.errors + recent.errors >= 5 ? 1 : 0,
  lastAt: null,
})
