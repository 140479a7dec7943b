import { test } from "vitest"
import { evaluateAnything, evaluateLarge } from "./total.ts"

test("200,000 definitions and contexts, each of them answered", () => {
  evaluateAnything(200_000)
})

test("5,000 times something large, each of them answered", () => {
  evaluateLarge(5_000)
})
