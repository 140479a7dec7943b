import { expect, test } from "vitest"
import { RACES, runRaces } from "./races.ts"

test.concurrent.each(RACES)(
  "a few times $name: one wins, the other is told why, and the audit agrees",
  async (race) => {
    const { first, second } = await runRaces(race, 4)
    expect(first + second).toBe(4)
  },
)
