import type { Evidence } from "../../core/gate/evidence.ts"

/** What is used elsewhere: a threshold somebody chose, and a number of requests before it counts. */
export const FIXED_RULES = [
  {
    name: "2 × baseline, min 50",
    trips: ({ stable, candidate }: Evidence["arms"]): boolean =>
      candidate.requests >= 50 &&
      stable.requests > 0 &&
      candidate.errors / candidate.requests > (2 * stable.errors) / stable.requests,
  },
  {
    name: "> 5 %, min 100",
    trips: ({ candidate }: Evidence["arms"]): boolean =>
      candidate.requests >= 100 && candidate.errors / candidate.requests > 0.05,
  },
] as const

export type FixedRule = (typeof FIXED_RULES)[number]["name"]
