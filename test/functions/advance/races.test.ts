import { expect, test } from "vitest"
import { raceForSteps } from "./races.ts"

test("whoever comes for the same step at once, sweeper, state machines or a person, it is taken once", async () => {
  expect(await raceForSteps(10)).toMatchObject({ races: 20, wrong: [] })
})
