/**
 * How far each layer's pointer has moved: `{epoch}.{platform}.{tier}.{tenant}`.
 * `epoch` rises when a database is restored from the past; the others are pointer sequence numbers.
 */
export interface Revision {
  epoch: number
  platform: number
  tier: number
  tenant: number
}

/**
 * What the epoch of a database is that begins now. Readers never take a lower revision for a newer one, and one of a higher epoch
 * always: whoever had heard of a database that was lost takes what its successor says.
 */
export const epochOf = (now: Date): number => Math.floor((now.getTime() - Date.UTC(2026)) / 1_000)

/** Clocks differ, and an epoch may be raised again within the second. */
const SPARE_SECONDS = 60

/**
 * Could a database be of this epoch by now? Whoever invents a revision can get no further ahead than that, so that it is overtaken
 * when the epoch is raised.
 */
export const hasBegun = ({ epoch }: Revision, now: Date): boolean => epoch <= epochOf(now) + SPARE_SECONDS

const FORMAT = /^(\d{1,15})\.(\d{1,15})\.(\d{1,15})\.(\d{1,15})$/

export const formatRevision = (r: Revision): string => `${r.epoch}.${r.platform}.${r.tier}.${r.tenant}`

export const parseRevision = (text: string): Revision | null => {
  const match = FORMAT.exec(text)
  if (!match) return null
  const [epoch, platform, tier, tenant] = match.slice(1).map(Number) as [number, number, number, number]
  return { epoch, platform, tier, tenant }
}

/**
 * Does `held` lack something of `wanted`? Of that only what is above zero is asked for: a message about one layer knows
 * no other part.
 */
export const isBehind = (held: Revision, wanted: Revision): boolean => {
  if (held.epoch !== wanted.epoch) return held.epoch < wanted.epoch
  if (held.platform < wanted.platform || held.tenant < wanted.tenant) return true
  const hasMovedOn = wanted.tenant > 0 && held.tenant > wanted.tenant
  return !hasMovedOn && held.tier < wanted.tier
}

/**
 * Is `next` newer than `than`? Newer is a higher epoch, or nothing lower and something higher.
 * A change of tier moves the tenant part, and a new tier counts from elsewhere, so the tier parts
 * are compared only while the tenant part stands still.
 */
export const isNewer = (next: Revision, than: Revision): boolean => {
  if (next.epoch !== than.epoch) return next.epoch > than.epoch
  if (next.platform < than.platform || next.tenant < than.tenant) return false
  if (next.tenant > than.tenant) return true
  if (next.tier < than.tier) return false
  return next.platform > than.platform || next.tier > than.tier
}

/** The later of each part: whoever is not behind this is behind neither. */
export const bothOf = (one: Revision, other: Revision): Revision => {
  if (one.epoch !== other.epoch) return one.epoch > other.epoch ? one : other
  return {
    epoch: one.epoch,
    platform: Math.max(one.platform, other.platform),
    tier: Math.max(one.tier, other.tier),
    tenant: Math.max(one.tenant, other.tenant),
  }
}
