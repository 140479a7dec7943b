import { expect, test } from "vitest"
import { checkReleaseSize, checkStored, checkValue, VALUE_BYTES_MAX } from "../../../core/config/limits.ts"
import type { Json } from "../../../core/json.ts"

test("a value is at most 256 KiB of canonical JSON, counted in bytes", () => {
  const text = (bytes: number): Json => "x".repeat(bytes - 2)
  expect(() => checkValue(text(VALUE_BYTES_MAX))).not.toThrow()
  expect(() => checkValue(text(VALUE_BYTES_MAX + 1))).toThrow(
    expect.objectContaining({ code: "VALUE_TOO_LARGE" }),
  )
  expect(() => checkValue("é".repeat(VALUE_BYTES_MAX / 2 - 1))).not.toThrow()
  expect(() => checkValue("é".repeat(VALUE_BYTES_MAX / 2))).toThrow(
    expect.objectContaining({ code: "VALUE_TOO_LARGE" }),
  )
})

test("a release is at most 10,000 keys and 4 MiB", () => {
  expect(() => checkReleaseSize(10_000, 4_194_304)).not.toThrow()
  const tooLarge = expect.objectContaining({ code: "RELEASE_TOO_LARGE" })
  expect(() => checkReleaseSize(10_001, 2)).toThrow(tooLarge)
  expect(() => checkReleaseSize(1, 4_194_305)).toThrow(tooLarge)
})

test("a change is as long as PostgreSQL writes it, which spells numbers out", () => {
  const long = Array<number>(40_000).fill(1e308)
  expect(() => checkStored([long])).not.toThrow()
  expect(() => checkStored([long, { deep: long }])).toThrow(
    expect.objectContaining({ code: "VALUE_TOO_LARGE" }),
  )
  expect(() => checkStored([Array<string>(400_000).fill("1e+308")])).not.toThrow()
  expect(() => checkStored([Array<number>(60_000).fill(1e-300)])).toThrow("spelled out")
})
