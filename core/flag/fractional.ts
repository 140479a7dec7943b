import { murmur3, murmur3After } from "../release/bucket.ts"
import { textOf } from "./operators.ts"
import { isConstant, type Run } from "./run.ts"

export const WEIGHT_MAX = 2_147_483_647

export interface Share {
  variant: string | boolean | number | null
  weight: number
}

/** Where `by` stands among `totalWeight`: at or above 0, below it. */
export const bucketOf = (by: string, totalWeight: number): number =>
  Number((BigInt(murmur3(by)) * BigInt(totalWeight)) >> 32n)

/** The share that `[variant, weight?]` says, or `null`: it says none. A weight below nothing is nothing. */
export const shareOf = (entry: unknown): Share | null => {
  const [variant = {}, weight = 1, more] = Array.isArray(entry) ? entry : []
  return more !== undefined || (typeof variant === "object" && variant) || !Number.isInteger(weight)
    ? null
    : { variant, weight: Math.max(0, weight) }
}

/** The entity, where no rule says otherwise; empty: there is none. */
const entityOf = (data: unknown): string => {
  const key = (data as { targetingKey?: unknown } | null)?.targetingKey
  return typeof key === "string" ? key : key ? textOf(key) : ""
}

/** What is hashed for the entity of a context, `null`: there is none. */
export const subjectOf = (flagKey: string, data: unknown): string | null => {
  const entity = entityOf(data)
  return entity ? flagKey + entity : null
}

interface Split {
  results: readonly unknown[]
  /** Where each share ends among all hashes, as signed integers: at or above that it is not its own. */
  ends: readonly number[]
}

/** What each share ends with, and where it ends itself. */
const splitOf = (entries: readonly unknown[], ending: (variant: unknown) => unknown): Split | null => {
  let total = 0
  const results: unknown[] = []
  const sums: number[] = []
  for (const entry of entries) {
    const share = shareOf(entry)
    if (!share) return null
    total += share.weight
    sums.push(total)
    results.push(ending(share.variant))
  }
  if (total > WEIGHT_MAX) return null
  // bucket < sum, with the bucket floor(hash × total / 2³²), is hash < ceil(sum × 2³² / total). Nothing is shared of nothing.
  const all = BigInt(total || 1)
  const ends = sums.map((sum) => Number(((BigInt(sum) << 32n) + all - 1n) / all) - 0x8000_0000)
  return { results, ends }
}

/**
 * flagd's `fractional`: `[by?, [variant, weight?], …]`. Without `by` it is the flag's key and the context's
 * `targetingKey` one after the other. Nobody to bucket, or no such shares: it ends with `null`.
 */
export const fractional = (
  args: readonly Run[],
  isByEntity: boolean,
  flagKey: string,
  ending: (variant: unknown) => unknown,
): Run => {
  const [first] = args
  const shares = isByEntity ? args : args.slice(1)
  const known =
    shares.every(isConstant) &&
    splitOf(
      shares.map((share) => share.value),
      ending,
    )
  const hash = murmur3After(isByEntity ? flagKey : "")
  const nothing = ending(null)
  return (data, now) => {
    const by = isByEntity ? entityOf(data) : first!(data, now)
    const split =
      known ||
      splitOf(
        shares.map((share) => share(data, now)),
        ending,
      )
    if (!split || typeof by !== "string" || (isByEntity && !by)) return nothing
    const { results, ends } = split
    const place = hash(by) ^ -0x8000_0000
    for (let index = 0; index < ends.length; index++) if (place < ends[index]!) return results[index]
    return nothing
  }
}
