import { afterAll, beforeAll, expect, test } from "vitest"
import { createRing, RACES, type Ring, runRaces } from "./races.ts"

let ring: Ring
beforeAll(async () => {
  ring = await createRing()
})
afterAll(() => ring?.stored.close())

test.each(RACES)("a few times $name: one wins, the other is told why, and the audit agrees", async (race) => {
  const { first, second } = await runRaces(ring, race, 4)
  expect(first + second).toBe(4)
})
