import { murmur3 } from "../release/bucket.ts"
import { isConstant, type Run } from "./run.ts"

export const WEIGHT_MAX = 2_147_483_647

export interface Share {
  variant: string | boolean | number | null
  weight: number
}

/** Where `by` stands among `totalWeight`: at or above 0, below it. */
export const bucketOf = (by: string, totalWeight: number): number => {
  const hash = murmur3(by)
  // (hash × total) >> 32, in two halves, as a product of 63 bits is more than a double holds exactly.
  const high = (hash >>> 16) * totalWeight
  const low = (hash & 0xffff) * totalWeight
  return Math.floor((high + Math.floor(low / 0x1_0000)) / 0x1_0000)
}

/** The share that `[variant, weight?]` says, or `null`: it says none. A weight below nothing is nothing. */
export const shareOf = (entry: unknown): Share | null => {
  if (!Array.isArray(entry) || entry.length === 0 || entry.length > 2) return null
  const [variant, weight = 1] = entry
  if (!["string", "boolean", "number"].includes(typeof variant) && variant !== null) return null
  return Number.isInteger(weight) ? { variant, weight: Math.max(0, weight) } : null
}

/**
 * flagd's `fractional`: `[by?, [variant, weight?], …]`. Without a text to bucket by it is the flag's key and the
 * context's `targetingKey` one after the other. `null`: nobody to bucket, or no such shares.
 */
export const fractional = (args: readonly Run[], beginsWithShare: boolean, flagKey: string): Run => {
  const entries = beginsWithShare ? args : args.slice(1)
  const computed: Run = (data, now) =>
    pickOf(
      args.map((arg) => arg(data, now)),
      flagKey,
      data,
    )
  if (entries.length === 0 || !entries.every(isConstant)) return computed
  const split = splitOf(entries.map((entry) => shareOf(entry.known.value)))
  if (!split) return () => null
  if (beginsWithShare)
    return (data) => {
      const by = subjectOf(flagKey, data)
      return by === null ? null : choose(split, by)
    }
  const [by] = args
  return (data, now) => {
    const value = by!(data, now)
    return typeof value === "string" ? choose(split, value) : computed(data, now)
  }
}

const pickOf = (values: readonly unknown[], flagKey: string, data: unknown): unknown => {
  const [first, ...rest] = values
  const isText = typeof first === "string"
  const split = splitOf((isText ? rest : values).map(shareOf))
  const by = isText ? first : subjectOf(flagKey, data)
  return split === null || by === null ? null : choose(split, by)
}

/** Whom it is about where no rule says otherwise. */
export const subjectOf = (flagKey: string, data: unknown): string | null => {
  const key = (data as { targetingKey?: unknown } | null)?.targetingKey
  return key ? flagKey + String(key) : null
}

interface Split {
  variants: readonly Share["variant"][]
  /** Where each share ends, of the last one's end. */
  ends: readonly number[]
}

const splitOf = (shares: readonly (Share | null)[]): Split | null => {
  const ends: number[] = []
  let end = 0
  for (const share of shares) {
    if (share === null) return null
    end += share.weight
    ends.push(end)
  }
  return end > WEIGHT_MAX ? null : { variants: shares.map((share) => share!.variant), ends }
}

const choose = ({ variants, ends }: Split, by: string): Share["variant"] => {
  const bucket = bucketOf(by, ends.at(-1) ?? 0)
  let index = 0
  while (index < ends.length && ends[index]! <= bucket) index++
  return variants[index] ?? null
}
