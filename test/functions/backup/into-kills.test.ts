import { expect, test } from "vitest"
import { restoreKilled } from "./into-kills.ts"

test("a restore that is killed anywhere is gone on with: no change is filed twice, and none is missing", {
  timeout: 120_000,
}, async () => {
  // Where the changes are filed: before that an attempt has only looked.
  expect(await restoreKilled({ every: 3, from: 25 })).toBeGreaterThan(7)
})
