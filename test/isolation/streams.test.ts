import { expect, test } from "vitest"
import { streamFaults } from "./streams.ts"

test("of those who listen to one hub each hears of its own tenant and environment, and of the platform", async () => {
  expect(await streamFaults()).toEqual([])
})
