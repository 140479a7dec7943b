/** A module, and what it is when it has a hole. */
interface Hole {
  module: string
  // biome-ignore lint/suspicious/noExplicitAny: each takes the module that it names.
  alter: (original: any) => Record<string, unknown>
}

/** Holes that together let one tenant reach another, and what finds them. */
export interface Mutant {
  holes: readonly Hole[]
  /** Put into the database of the scene. */
  sql?: readonly string[]
  by: "probes" | "streams" | "pooled"
  /** Through which the probes go. */
  operations?: readonly string[]
}

/** One hole, that the probes find through these operations. */
export const inModule = (module: string, alter: Hole["alter"], operations: readonly string[]): Mutant => ({
  holes: [{ module, alter }],
  by: "probes",
  operations,
})

/** Some holes may open only when what is to be stolen is there. */
export const armed = { now: false }
