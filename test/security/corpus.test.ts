import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { CASES, PROVED } from "./corpus-all.ts"
import { createCorpusWorld, type World } from "./corpus-world.ts"

let world: World
beforeAll(async () => {
  world = await createCorpusWorld()
})
afterAll(() => world?.close())

const prototypes = () =>
  [Object, Array, String, Function].map(({ prototype }) => Reflect.ownKeys(prototype).length)
const untouched = prototypes()
afterEach(() => {
  expect(prototypes(), "a prototype was altered").toEqual(untouched)
  expect(({} as Record<string, unknown>).polluted).toBeUndefined()
})

describe.each(Object.keys(PROVED))("%s", (family) => {
  test.each(CASES.filter((one) => one.family === family))("$name: $comes", async ({ attack, control }) => {
    await control?.(world)
    await attack(world)
  })
})

test("there are two hundred and more, of which no two have the same name, and all are listed", () => {
  expect(CASES.length).toBeGreaterThanOrEqual(200)
  expect(new Set(CASES.map(({ family, name }) => `${family} ${name}`)).size).toBe(CASES.length)
  expect(new Set(CASES.map(({ family }) => family))).toEqual(new Set(Object.keys(PROVED)))
})

test("nothing of all that was unforeseen", () => {
  expect(world.logged.filter((line) => line.startsWith("unforeseen"))).toEqual([])
})
