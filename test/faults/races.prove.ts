import { expect, test } from "vitest"
import { RACES, runRaces } from "./races.ts"

const TIMES = 1_000

test.each(RACES)(
  `${TIMES} times $name: one wins, the other is told why, and the audit agrees`,
  async (race) => {
    const { first, second } = await runRaces(race, TIMES)
    console.log(`${race.name}: ${first} to ${second}`)
    expect(Math.min(first, second), "either can win").toBeGreaterThan(0)
  },
)
