import type { Chance } from "./chance.ts"

type Tier = "Free" | "Pro" | "Enterprise"

/** A tenant of a platform: how much it asks, what usually fails it, and when a wave would reach it. */
export interface SimulatedTenant {
  name: string
  tier: Tier
  requestsPerS: number
  /** Share of requests that failed before the rollout, and that fail since then: what is usual drifts. */
  usual: number
  baseline: number
  /** New: nothing is known of it. */
  isNew: boolean
  /** Its clients: one of them may stumble. */
  clients: number
  /** The step whose wave reaches it, and how long its readers take to notice. */
  step: number
  noticesAfterS: number
  /** Reports come every so often, at a moment of its own. */
  phaseS: number
  /** How hard shared trouble hits it, times the usual. */
  exposure: number
  /** Fails so often from then on, whatever it reads. */
  sick: { fromS: number; rate: number } | null
  /** The candidate fails so many of its requests, so long after it reads it. */
  defect: { rate: number; afterS: number } | null
}

interface Spell {
  fromS: number
  toS: number
  factor: number
  /** Whom it hits; `null`: everyone. */
  tier: Tier | null
}

/** A rollout over a platform that never was. */
export interface PlatformRollout {
  kind: "shares" | "named" | "tiers"
  holdsS: readonly number[]
  tenants: readonly SimulatedTenant[]
  reportsEveryS: number
  day: { depth: number; phase: number; periodS: number }
  bursts: readonly Spell[]
  /** So many more requests fail. */
  outages: readonly Spell[]
  /** So many times as many requests fail as usually do. */
  strains: readonly Spell[]
  stumblesPerS: number
  isBad: boolean
}

const TIERS = ["Free", "Pro", "Enterprise"] as const
/** What a rollout of this kind is promised to notice: tenants with so many requests that fail so much more. */
export const NOTICED = { requestsPerS: 20, tenants: 3 }

const spells = (
  chance: Chance,
  {
    lastsS,
    most,
    longestS,
    low,
    high,
  }: { lastsS: number; most: number; longestS: number; low: number; high: number },
): Spell[] =>
  Array.from({ length: chance.whole(1, most) }, () => {
    const fromS = chance.between(0, lastsS)
    return { fromS, toS: fromS + chance.between(3, longestS), factor: chance.between(low, high), tier: null }
  })

/** The step that reaches each tenant: by a share, after a few that are named, or tier by tier. */
const wavesOf = (chance: Chance, kind: PlatformRollout["kind"]): ((tier: Tier, i: number) => number) => {
  if (kind === "tiers") return (tier) => TIERS.indexOf(tier)
  const shares = kind === "named" ? [0.2, 1] : [chance.between(0.05, 0.2), 0.5, 1]
  const named = kind === "named" ? chance.whole(2, 6) : 0
  return (_, i) => {
    const bucket = chance.next()
    return i < named ? 0 : shares.findIndex((share) => bucket < share) + (kind === "named" ? 1 : 0)
  }
}

const tenantsOf = (
  chance: Chance,
  kind: PlatformRollout["kind"],
  reportsEveryS: number,
): SimulatedTenant[] => {
  const stepOf = wavesOf(chance, kind)
  return Array.from({ length: Math.round(chance.spread(30, 300)) }, (_, i) => {
    const drawn = chance.next()
    const tier = drawn < 0.6 ? "Free" : drawn < 0.9 ? "Pro" : "Enterprise"
    const usual = chance.spread(0.001, 0.05)
    return {
      name: `tenant-${i}`,
      tier,
      requestsPerS: chance.spread(0.5, 500),
      usual,
      baseline: usual * chance.between(0.7, 1.5),
      isNew: chance.happens(0.05),
      clients: chance.whole(1, 8),
      step: stepOf(tier, i),
      noticesAfterS: chance.between(0, 8),
      phaseS: chance.whole(0, reportsEveryS - 1),
      exposure: chance.between(0.5, 1.5),
      sick: null,
      defect: null,
    }
  })
}

/** Tenants that fall ill by themselves, before or during the rollout. */
const sicken = (chance: Chance, tenants: readonly SimulatedTenant[], lastsS: number): void => {
  const drawn = chance.next()
  for (let sick = drawn < 0.4 ? 0 : drawn < 0.8 ? 1 : 2; sick > 0; sick--)
    tenants[chance.whole(0, tenants.length - 1)]!.sick = {
      fromS: chance.between(-100, lastsS),
      rate: chance.between(0.2, 1),
    }
}

/** A candidate that fails some of the tenants: at least as many of those with enough traffic as are promised to be noticed. */
const harm = (chance: Chance, tenants: readonly SimulatedTenant[], holdS: number): void => {
  const rate = chance.spread(0.1, 1)
  const share = chance.between(0.1, 1)
  const latestS = chance.happens(0.5) ? 0 : holdS / 2
  const large = tenants.filter(({ requestsPerS }) => requestsPerS >= NOTICED.requestsPerS)
  const certain = new Set(large.slice(0, NOTICED.tenants))
  for (const tenant of tenants)
    if (certain.has(tenant) || chance.happens(share))
      tenant.defect = { rate, afterS: chance.between(0, latestS) }
}

const lastsS = ({ holdsS }: Pick<PlatformRollout, "holdsS">): number =>
  holdsS.reduce((sum, one) => sum + one, 0)

/** Draws one. `isBad`: it fails three tenants or more by ten points or more, at 20 requests/s or more each. */
export const drawPlatform = (chance: Chance, isBad: boolean): PlatformRollout => {
  const kind = (["shares", "named", "tiers"] as const)[chance.whole(0, 2)]!
  const reportsEveryS = [1, 2, 5][chance.whole(0, 2)]!
  const holdS = chance.whole(60, 120)
  const holdsS = [holdS, holdS, holdS]
  const tenants = tenantsOf(chance, kind, reportsEveryS)
  const whole = lastsS({ holdsS })
  sicken(chance, tenants, whole)
  if (isBad) harm(chance, tenants, holdS)
  const common = { lastsS: whole, most: 2 }
  const outages = chance.happens(0.3) ? spells(chance, { ...common, longestS: 60, low: 0.05, high: 0.6 }) : []
  // A tier that is all in one wave has nobody left to vouch for it: see the suite for what happens then.
  const ofTier =
    kind === "tiers" || chance.happens(0.7)
      ? []
      : spells(chance, { ...common, longestS: 60, low: 0.05, high: 0.6 })
  return {
    kind,
    holdsS,
    tenants,
    reportsEveryS,
    day: { depth: chance.between(0, 0.6), phase: chance.between(0, 7), periodS: chance.between(300, 3_000) },
    bursts: chance.happens(0.5) ? spells(chance, { ...common, most: 4, longestS: 20, low: 2, high: 8 }) : [],
    outages: [...outages, ...ofTier.map((spell) => ({ ...spell, tier: TIERS[chance.whole(0, 2)]! }))],
    strains: chance.happens(0.2) ? spells(chance, { ...common, longestS: 120, low: 2, high: 5 }) : [],
    stumblesPerS: chance.happens(0.4) ? chance.spread(0.0005, 0.01) : 0,
    isBad,
  }
}

const isIn = ({ fromS, toS, tier }: Spell, tenant: SimulatedTenant, second: number): boolean =>
  fromS <= second && second < toS && (tier === null || tier === tenant.tier)

/** Requests of a tenant per second at that second. */
export const platformTraffic = (
  { day, bursts }: PlatformRollout,
  tenant: SimulatedTenant,
  second: number,
): number => {
  const tide = 1 + day.depth * Math.sin(day.phase + (2 * Math.PI * second) / day.periodS)
  return bursts
    .filter((burst) => isIn(burst, tenant, second))
    .reduce((rate, { factor }) => rate * factor, tenant.requestsPerS * tide)
}

/** How likely a request of the tenant fails at that second; `readsForS`: how long it has read the candidate. */
export const platformFailure = (
  { outages, strains }: PlatformRollout,
  tenant: SimulatedTenant,
  readsForS: number | null,
  second: number,
): number => {
  const strain = strains
    .filter((spell) => isIn(spell, tenant, second))
    .reduce((worst, { factor }) => Math.max(worst, factor), 1)
  const shared = outages
    .filter((outage) => isIn(outage, tenant, second))
    .reduce((worst, { factor }) => Math.max(worst, Math.min(1, factor * tenant.exposure)), 0)
  const own = tenant.sick !== null && second >= tenant.sick.fromS ? tenant.sick.rate : 0
  const { defect } = tenant
  const blame = defect !== null && readsForS !== null && readsForS >= defect.afterS ? defect.rate : 0
  return Math.min(1, 1 - (1 - Math.min(1, tenant.baseline * strain)) * (1 - shared) * (1 - own) + blame)
}
