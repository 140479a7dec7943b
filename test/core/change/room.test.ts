import { expect, test } from "vitest"
import { editing, World } from "./world.ts"

const LARGE = "x".repeat(250_000)
const large = (name: string) => Object.fromEntries([...Array(12).keys()].map((i) => [`${name}.${i}`, LARGE]))

test("no more changes wait than can be read for every decision, and there is room again when one goes", () => {
  const world = new World({ environment: "Production" })
  const waiting = Array.from({ length: 200 }, (_, i) => world.set({ [`k${i}`]: i }))
  expect(world.refuse(world.submitCommand(editing({ more: 1 }))).code).toBe("CHANGES_TOO_MANY")
  world.set({ more: 1 }, { replaces: waiting[0]! })
})

test("nor more megabytes of them; what goes live at once is not kept out", () => {
  const world = new World({ environment: "Staging" })
  const wait = { approvalRequired: true }
  for (const name of ["a", "b"]) world.set(large(name), wait)
  expect(world.refuse(world.submitCommand(editing(large("c")), wait)).code).toBe("CHANGES_TOO_MANY")
  world.set({ small: 1 }, wait)
  expect(world.stateOf(world.set({ urgent: true }))).toBe("live")
})
