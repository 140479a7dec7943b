import type { TraceContext } from "./context.ts"

/** Which traces are recorded. */
export interface Sampler {
  /** What the caller decided holds, where there is a caller. */
  asParent: boolean
  /** Of those that begin here: from 0 to 1. */
  ratio: number
}

/** By OpenTelemetry's names for them; `null`: how many is said beside. */
const SAMPLERS: Readonly<Record<string, { asParent: boolean; ratio: number | null }>> = {
  always_on: { asParent: false, ratio: 1 },
  always_off: { asParent: false, ratio: 0 },
  traceidratio: { asParent: false, ratio: null },
  parentbased_always_on: { asParent: true, ratio: 1 },
  parentbased_always_off: { asParent: true, ratio: 0 },
  parentbased_traceidratio: { asParent: true, ratio: null },
}

/** Throws an Error that says which names there are. */
export const samplerNamed = (name: string): { asParent: boolean; ratio: number | null } => {
  if (!Object.hasOwn(SAMPLERS, name)) throw new Error(`is not one of ${Object.keys(SAMPLERS).join(", ")}`)
  return SAMPLERS[name]!
}

/** Of the trace's id so many digits from the end are there by chance, and of these a number holds all but the last exactly. */
const RANDOM_DIGITS = 14
const USED_DIGITS = 13

/**
 * By the trace's id, so that whoever does not hear what others decided decides the same, and what is recorded of a hundredth is
 * recorded of a tenth too.
 */
export const isSampled = (
  { asParent, ratio }: Sampler,
  traceId: string,
  parent: TraceContext | null,
): boolean => {
  if (asParent && parent) return parent.isSampled
  const chance = Number.parseInt(traceId.slice(-RANDOM_DIGITS, USED_DIGITS - RANDOM_DIGITS), 16)
  return chance >= 16 ** USED_DIGITS * (1 - ratio)
}
