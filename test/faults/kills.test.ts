import { expect, test } from "vitest"
import { killWhileWriting } from "./kills.ts"

test("what was acknowledged outlives a kill -9 of node", { timeout: 120_000 }, async () => {
  expect((await killWhileWriting("node", 1)).acknowledged).toBeGreaterThan(0)
})

test("what was acknowledged outlives a kill -9 of the whole process group", {
  timeout: 120_000,
}, async () => {
  expect((await killWhileWriting("group", 1)).acknowledged).toBeGreaterThan(0)
})
