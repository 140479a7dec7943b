import { expect, test } from "vitest"
import { restoreKilled } from "./into-kills.ts"

test("a restore that is killed anywhere is gone on with: no change is filed twice, and none is missing", {
  timeout: 120_000,
}, async () => {
  expect(await restoreKilled({ every: 11, from: 5 })).toBeGreaterThan(5)
})
