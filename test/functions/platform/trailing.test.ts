import { expect, test } from "vitest"
import { createTrailing } from "../../../functions/platform/trailing.ts"

/** Work that ends when it is told to, and how often it began. */
const heldWork = () => {
  const runs: PromiseWithResolvers<number>[] = []
  return {
    runs,
    work: () => {
      const run = Promise.withResolvers<number>()
      runs.push(run)
      return run.promise
    },
  }
}

test("what is asked for while some runs becomes one run that begins afterwards", async () => {
  const { runs, work } = heldWork()
  const trailing = createTrailing<number>()
  const first = trailing("a", work)
  const others = [trailing("a", work), trailing("a", work), trailing("a", work)]
  expect(runs.length).toBe(1)
  runs[0]!.resolve(1)
  expect(await first).toBe(1)
  await expect.poll(() => runs.length).toBe(2)
  const late = trailing("a", work)
  runs[1]!.resolve(2)
  expect(await Promise.all(others)).toEqual([2, 2, 2])
  await expect.poll(() => runs.length).toBe(3)
  runs[2]!.resolve(3)
  expect(await late).toBe(3)
})

test("different keys do not wait for each other, and nothing is remembered of a key at rest", async () => {
  const { runs, work } = heldWork()
  const trailing = createTrailing<number>()
  const both = [trailing("a", work), trailing("b", work)]
  expect(runs.length).toBe(2)
  for (const [i, run] of runs.entries()) run.resolve(i)
  expect(await Promise.all(both)).toEqual([0, 1])
  const again = trailing("a", work)
  expect(runs.length).toBe(3)
  runs[2]!.resolve(2)
  expect(await again).toBe(2)
})

test("a run that fails fails for those who asked for it, and the next one begins all the same", async () => {
  const { runs, work } = heldWork()
  const trailing = createTrailing<number>()
  const first = trailing("a", work)
  const second = trailing("a", work)
  runs[0]!.reject(new Error("lost"))
  await expect(first).rejects.toThrow("lost")
  await expect.poll(() => runs.length).toBe(2)
  runs[1]!.resolve(2)
  expect(await second).toBe(2)
})
