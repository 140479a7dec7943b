import { expect, test } from "vitest"
import { killAtPortCalls, PATHS } from "./port-kills.ts"

test.each(PATHS)(
  "killed at every moment of every call of $name: all or nothing, and it goes on by itself",
  async (path) => {
    const tally = await killAtPortCalls(path)
    console.log(`${path.name}: ${JSON.stringify(tally)}`)
    expect(tally.kills).toBeGreaterThan(2 * tally.calls)
    expect(tally.nothing, "some kills came before the commit").toBeGreaterThan(0)
    expect(tally.everything, "some kills came after the commit").toBeGreaterThan(0)
  },
)
