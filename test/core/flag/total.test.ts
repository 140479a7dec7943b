import { test } from "vitest"
import { evaluateAnything, evaluateLarge, evaluateMonsters } from "./total.ts"

test("whatever a definition and a context are, there is an answer", () => {
  evaluateAnything(3_000)
})

test("a context of megabytes, or a thousand levels and more, comes to an answer", () => {
  evaluateLarge(150)
})

test("small rules that would grow beyond all bounds, and flags that lead to each other, come to an end", () => {
  evaluateMonsters()
})
