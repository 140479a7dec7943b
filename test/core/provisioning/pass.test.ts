import fc from "fast-check"
import { expect, test } from "vitest"
import {
  comparedWindow,
  narrowed,
  shareOf,
  startPass,
  WINDOW_MIN_MS,
  type Window,
  windowOf,
} from "../../../core/provisioning/pass.ts"
import { addLine, countSamples, missingTimes, type Samples } from "../../../core/provisioning/samples.ts"

const NOW_MS = 1_700_000_000_000
const DAY_MS = 86_400_000

test("a pass sees every moment once, from those to come back to the first, however wide its windows are", () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true })
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 30 * DAY_MS }), fc.infiniteStream(share), (agoMs, shares) => {
      let pass = startPass(NOW_MS - agoMs, NOW_MS)
      const windows: Window[] = []
      for (let window = windowOf(pass); window !== null; window = windowOf(pass)) {
        const full = shares.next().value
        const less = full > 0.9 ? narrowed(pass) : null
        if (less) pass = less
        else {
          windows.push(window)
          pass = comparedWindow(pass, window, { samples: 0, missingMs: [], share: full })
        }
        if (windows.length > 5_000) return
      }
      expect(windows[0]!.toMs).toBeGreaterThan(NOW_MS + 2 * DAY_MS)
      expect(windows.at(-1)!.fromMs).toBe(NOW_MS - agoMs)
      expect(windows.slice(1).map(({ toMs }) => toMs + 1)).toEqual(
        windows.slice(0, -1).map(({ fromMs }) => fromMs),
      )
      expect(shareOf(pass)).toBe(1)
    }),
    { numRuns: 50 },
  )
})

test("windows narrow to a second, and no further", () => {
  let pass = startPass(0, NOW_MS)
  for (let less = narrowed(pass); less !== null; less = narrowed(pass)) pass = less
  expect(pass.windowMs).toBe(WINDOW_MIN_MS)
})

test("what was missing counts as late if the pass before should have brought it, and not if it was written since", () => {
  const first = startPass(0, NOW_MS)
  const window = windowOf(first)!
  const missingMs = [NOW_MS - DAY_MS, NOW_MS - 1_000]
  expect(comparedWindow(first, window, { samples: 2, missingMs, share: 0 }).late).toBe(2)
  const second = startPass(0, NOW_MS + 60_000, first)
  expect(second.nth).toBe(2)
  expect(comparedWindow(second, window, { samples: 2, missingMs, share: 0 })).toMatchObject({
    late: 1,
    missing: 2,
  })
})

const samplesOf = (...lines: [object, unknown[], number[]][]): Samples => {
  const samples: Samples = new Map()
  for (const [metric, values, timestamps] of lines)
    addLine(samples, JSON.stringify({ metric, values, timestamps }))
  return samples
}

test("samples are the same whatever the order of labels and lines, and in how many pieces a series comes", () => {
  const one = samplesOf([{ a: "1", __name__: "up" }, [1, null, "Infinity"], [10, 20, 30]])
  const other = samplesOf(
    [{ __name__: "up", a: "1" }, ["Infinity"], [30]],
    [{ __name__: "up", a: "1" }, [1, null], [10, 20]],
    [{ __name__: "more" }, [1], [10]],
  )
  expect(missingTimes(one, other)).toEqual([])
  expect(missingTimes(other, one)).toEqual([10])
  expect(countSamples(other)).toBe(4)
})

test("a value that is another, a time that is not there and a series that is not there are missing", () => {
  const source = samplesOf([{ __name__: "up" }, [1, 2], [10, 20]], [{ __name__: "gone" }, [1], [30]])
  expect(missingTimes(source, samplesOf([{ __name__: "up" }, [1, 3], [10, 20]]))).toEqual([20, 30])
  expect(missingTimes(source, samplesOf([{ __name__: "up" }, [1], [10]]))).toEqual([20, 30])
  // Of two values at once a backend keeps one.
  const twice = samplesOf([{ __name__: "up" }, [1, 2], [10, 10]])
  expect(missingTimes(twice, samplesOf([{ __name__: "up" }, [2], [10]]))).toEqual([])
})

test("what is no number is the same in whichever way a version writes it, and a label may be called so", () => {
  const samples = (values: string) => {
    const made: Samples = new Map()
    addLine(
      made,
      `{"metric":{"__name__":"up","a":",\\"values\\":[Inf]"},"values":${values},"timestamps":[1,2,3]}`,
    )
    return made
  }
  expect(samples("[+Inf,-Inf,NaN]")).toEqual(samples('["Infinity","-Infinity",null]'))
  expect([...samples("[Inf,1,2]").keys()][0]).toContain("[Inf]")
})

test("a line that is cut off is no line", () => {
  expect(() => addLine(new Map(), '{"metric":{"__name__":"up"},"values":[1],"timest')).toThrow(SyntaxError)
  expect(() => addLine(new Map(), '{"metric":{},"values":[1,2],"timestamps":[1]}')).toThrow(SyntaxError)
})
