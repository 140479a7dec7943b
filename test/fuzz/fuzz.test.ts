import { expect, test } from "vitest"
import { fuzz } from "./run.ts"

const REQUESTS = 500
/** The machine may have much else to do. */
const LONGEST_MS = 120_000

test(
  "whatever is sent that the document describes, or does not, the answer is as the document says, and a refusal alters nothing",
  async () => {
    const result = await fuzz({ requests: REQUESTS, seed: 20_261_120, settledAfter: REQUESTS })
    expect(result.found).toEqual([])
    expect(result.errors).toEqual([])
    expect(result.compared).toBeGreaterThan(0)
  },
  LONGEST_MS,
)
