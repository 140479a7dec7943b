import { expect, test } from "vitest"
import { killAtPortCalls, PATHS } from "./port-kills.ts"

test("an approval whose process is killed as its commit is sent is there wholly or not at all, and goes on by itself", async () => {
  const [approval] = PATHS
  const { kills } = await killAtPortCalls(approval!, { callsMax: 3, moments: ["sent"] })
  expect(kills).toBeGreaterThan(0)
})
