import { expect, test } from "vitest"
import { killWhileWriting } from "./kills.ts"

const TIMES = 10

test.each(["node", "group"] as const)(
  "what was acknowledged outlives ten kills -9 of the %s",
  { timeout: 900_000 },
  async (what) => {
    const { acknowledged } = await killWhileWriting(what, TIMES)
    console.log(`${what}: ${TIMES} kills, ${acknowledged} acknowledged writes, none lost`)
    expect(acknowledged).toBeGreaterThan(0)
  },
)
