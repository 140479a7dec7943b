import { canonical, type Json } from "../json.ts"

/** What there is at one time: mostly one value, and a set only of several, as sets of one would be most of what is held. */
type At = Json | Set<Json>

/** What a backend holds of a window: by series, and in it by time. */
export type Samples = Map<string, Map<number, At>>

const valuesOf = (at: At): Iterable<Json> => (at instanceof Set ? at : [at])
const holds = (at: At, value: Json): boolean => (at instanceof Set ? at.has(value) : at === value)

interface Line {
  metric: Json
  values: Json[]
  timestamps: number[]
}

const VALUES = ',"values":['
const BARE = /[+-]?Inf(?:inity)?|NaN/g
const sameAs = (bare: string): string =>
  bare === "NaN" ? "null" : bare.startsWith("-") ? '"-Infinity"' : '"Infinity"'

/** Earlier versions write what is no number of JSON as it is. Within a label its quotes would be escaped. */
const asJson = (text: string): string => {
  const from = text.indexOf(VALUES)
  if (from === -1) return text
  const values = text.slice(from)
  return values.includes("Inf") || values.includes("NaN")
    ? text.slice(0, from) +
        values.replaceAll('"Infinity"', "Inf").replaceAll('"-Infinity"', "-Inf").replaceAll(BARE, sameAs)
    : text
}

/**
 * Reads lines of VictoriaMetrics' JSON line format (docs.victoriametrics.com, "JSON line format"), each a part of a series:
 * `{"metric": {…}, "values": […], "timestamps": […]}` with times in milliseconds. Throws SyntaxError for what is none.
 */
export const addLine = (samples: Samples, text: string): void => {
  const { metric, values, timestamps } = JSON.parse(asJson(text)) as Line
  if (!Array.isArray(values) || values.length !== timestamps?.length)
    throw new SyntaxError("a line has not as many values as times")
  const series = canonical(metric)
  const byTime = samples.get(series) ?? new Map<number, At>()
  samples.set(series, byTime)
  timestamps.forEach((ms, nth) => {
    const value = values[nth]!
    const kept = byTime.get(ms)
    if (kept === undefined) byTime.set(ms, value)
    else if (!holds(kept, value)) byTime.set(ms, new Set([...valuesOf(kept), value]))
  })
}

export const countSamples = (samples: Samples): number =>
  [...samples.values()].reduce((sum, byTime) => sum + byTime.size, 0)

/**
 * The times of samples that one has and the other has not. Of several values of a series at the same time a backend keeps
 * whichever it takes for the one: one of them is enough.
 */
export const missingTimes = (source: Samples, target: Samples): number[] =>
  [...source].flatMap(([series, byTime]) => {
    const there = target.get(series)
    return [...byTime].flatMap(([ms, at]) => {
      const kept = there?.get(ms)
      return kept !== undefined && [...valuesOf(at)].some((value) => holds(kept, value)) ? [] : [ms]
    })
  })
