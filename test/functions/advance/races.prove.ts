import { expect, test } from "vitest"
import { raceForSteps } from "./races.ts"

test("in 200 races of sweeper, state machines and a person for the same step, each is taken once", async () => {
  const { races, byPerson, byClock, wrong } = await raceForSteps(100)
  console.log(`${races} races: ${byPerson} steps taken by a person, ${byClock} by the clock, none twice`)
  expect(wrong).toEqual([])
  expect(byPerson + byClock).toBe(200)
  // Else it was no race.
  expect(Math.min(byPerson, byClock)).toBeGreaterThan(0)
})
