import { afterAll, beforeAll, expect, test } from "vitest"
import { createRing, RACES, type Ring, runRaces } from "./races.ts"

const TIMES = 1_000

let ring: Ring
beforeAll(async () => {
  ring = await createRing()
})
afterAll(() => ring?.stored.close())

test.each(RACES)(
  `${TIMES} times $name: one wins, the other is told why, and the audit agrees`,
  async (race) => {
    const { first, second } = await runRaces(ring, race, TIMES)
    console.log(`${race.name}: ${first} to ${second}`)
    expect(Math.min(first, second), "either can win").toBeGreaterThan(0)
  },
)
