import { expect, test } from "vitest"
import { compareInstants, isWithin } from "../../../core/report/period.ts"
import { csvRow, markdownRow } from "../../../core/report/table.ts"

test("a cell of Markdown is one cell, whatever stands in it", () => {
  const row = markdownRow(["a|b", "<script>", "two\nlines", "*bold* `code` [link](x)"])
  expect(row).toBe(
    "| a&#124;b | &#60;script&#62; | two lines | &#42;bold&#42; &#96;code&#96; &#91;link&#93;(x) |\n",
  )
})

test("a cell of CSV is no formula", () => {
  expect(csvRow(["=1", "+1", "-1", "@a", 'a "b", c'])).toBe(`'=1,'+1,'-1,'@a,"a ""b"", c"\r\n`)
})

test("a period has its beginning and not its end, to the microsecond", () => {
  const period = { from: "2026-01-01T00:00:00.000001Z", to: "2026-01-01T00:00:00.000003Z" }
  const within = [0, 1, 2, 3].filter((digit) => isWithin(period, `2026-01-01T00:00:00.00000${digit}Z`))
  expect(within).toEqual([1, 2])
  expect(compareInstants("2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00.000000Z")).toBe(0)
})
