import { expect, test } from "vitest"
import { keptMemory, tooSlow } from "./judge.ts"
import { fuzz, neverAnswered } from "./run.ts"
import { told } from "./tell.ts"

const SEED = Number(process.env.HOTSWAP_FUZZ_SEED ?? 20_261_121)
const REQUESTS = Number(process.env.HOTSWAP_FUZZ_REQUESTS ?? 200_000)

test("200,000 requests made from the document: no failure, no stall, nothing altered by a refusal, no memory kept", async () => {
  const result = await fuzz({
    requests: REQUESTS,
    seed: SEED,
    settledAfter: REQUESTS / 10,
    progress: (line) => process.stderr.write(`${line}\n`),
  })
  process.stderr.write(`${told(result, SEED)}\n`)
  expect(keptMemory(result)).toEqual([])
  expect(tooSlow(result)).toEqual([])
  expect(result.found).toEqual([])
  expect(result.errors).toEqual([])
  expect(neverAnswered(result)).toEqual([])
})
