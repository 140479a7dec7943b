import { afterAll, beforeAll, expect, test } from "vitest"
import { killed } from "./job-kills.ts"
import { type JobWorld, jobWorld } from "./job-world.ts"

let world: JobWorld
beforeAll(async () => {
  world = await jobWorld()
})
afterAll(() => world.close())

/** More than one of its steps, one call after the other. */
const [FIRST, LAST] = [11, 15]

test("a job whose process is killed is gone on with, and nothing of it is done twice", {
  timeout: 120_000,
}, async () => {
  for (let call = FIRST; call <= LAST; call++)
    expect(await killed(world, { call, moment: "answered" })).toBe(true)
})
