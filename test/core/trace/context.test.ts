import { expect, test } from "vitest"
import { formatTraceparent, parseTraceparent } from "../../../core/trace/context.ts"

const TRACE = "0af7651916cd43dd8448eb211c80319c"
const SPAN = "b7ad6b7169203331"

test("a traceparent is read as the standard has it, and written as it was read", () => {
  const text = `00-${TRACE}-${SPAN}-01`
  expect(parseTraceparent(text)).toEqual({ traceId: TRACE, spanId: SPAN, isSampled: true })
  expect(formatTraceparent(parseTraceparent(text)!)).toBe(text)
  expect(parseTraceparent(`00-${TRACE}-${SPAN}-00`)?.isSampled).toBe(false)
})

test("of versions to come, what this one has is read", () => {
  expect(parseTraceparent(`cc-${TRACE}-${SPAN}-03-more`)).toMatchObject({ traceId: TRACE, isSampled: true })
})

test.each([
  ["nothing", undefined],
  ["an empty one", ""],
  ["zeros for the trace", `00-${"0".repeat(32)}-${SPAN}-01`],
  ["zeros for the span", `00-${TRACE}-${"0".repeat(16)}-01`],
  ["capitals", `00-${TRACE.toUpperCase()}-${SPAN}-01`],
  ["the version that there never is", `ff-${TRACE}-${SPAN}-01`],
  ["more than the first version says", `00-${TRACE}-${SPAN}-01-more`],
  ["too short a trace", `00-${TRACE.slice(1)}-${SPAN}-01`],
  ["words", "00-evil-evil-00"],
  ["too much", `cc-${TRACE}-${SPAN}-01-${"a".repeat(1_000)}`],
])("%s is none", (_, text) => {
  expect(parseTraceparent(text)).toBeNull()
})
