import { createHash } from "node:crypto"
import { expect, test } from "vitest"
import { isSampled, samplerNamed } from "../../../core/trace/sampler.ts"

const traces = Array.from({ length: 4_000 }, (_, nth) =>
  createHash("sha256").update(String(nth)).digest("hex").slice(0, 32),
)
const parent = (isSampled: boolean) => ({ traceId: traces[0]!, spanId: "b7ad6b7169203331", isSampled })

test("a share of traces is recorded, of 0 none and of 1 all, and a larger share has those of a smaller", () => {
  const recorded = (ratio: number) =>
    traces.filter((traceId) => isSampled({ asParent: true, ratio }, traceId, null))
  expect(recorded(0)).toEqual([])
  expect(recorded(1)).toEqual(traces)
  const [few, many] = [recorded(0.05), new Set(recorded(0.25))]
  expect(few.length).toBeGreaterThan(130)
  expect(few.length).toBeLessThan(280)
  expect(few.filter((traceId) => !many.has(traceId))).toEqual([])
})

test("what the caller decided holds where it is believed, and only there", () => {
  for (const decided of [true, false]) {
    expect(isSampled({ asParent: true, ratio: decided ? 0 : 1 }, traces[1]!, parent(decided))).toBe(decided)
    expect(isSampled({ asParent: false, ratio: decided ? 0 : 1 }, traces[1]!, parent(decided))).toBe(!decided)
  }
})

test("there are the specification's samplers, and no others", () => {
  expect(samplerNamed("parentbased_traceidratio")).toEqual({ asParent: true, ratio: null })
  expect(samplerNamed("always_off")).toEqual({ asParent: false, ratio: 0 })
  for (const name of ["jaeger_remote", "constructor", ""])
    expect(() => samplerNamed(name)).toThrow("is not one of always_on")
})
