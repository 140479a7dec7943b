import { expect, test } from "vitest"
import { createTurns } from "../../../functions/platform/turns.ts"

const FAR_OFF_MS = 60_000

test("what is done about one key goes one after another, in the order it came", async () => {
  const turns = createTurns(FAR_OFF_MS)
  const seen: string[] = []
  const first = Promise.withResolvers<void>()
  const work = (name: string, until?: Promise<void>) => async () => {
    seen.push(`${name} begins`)
    await until
    seen.push(`${name} ends`)
    return name
  }
  const all = [
    turns("a", work("first", first.promise)),
    turns("a", work("second")),
    turns("a", work("third")),
  ]
  expect(await turns("b", work("other"))).toBe("other")
  first.resolve()
  expect(await Promise.all(all)).toEqual(["first", "second", "third"])
  expect(seen).toEqual([
    "first begins",
    "other begins",
    "other ends",
    "first ends",
    "second begins",
    "second ends",
    "third begins",
    "third ends",
  ])
})

test("a failure is its own, and lets the next one go", async () => {
  const turns = createTurns(FAR_OFF_MS)
  const failed = turns("a", () => Promise.reject(new Error("lost")))
  const next = turns("a", async () => "next")
  await expect(failed).rejects.toThrow("lost")
  expect(await next).toBe("next")
})

test("nobody waits longer than the limit for one that never ends", async () => {
  const turns = createTurns(1)
  const end = Promise.withResolvers<void>()
  const stuck = turns("a", () => end.promise)
  expect(await turns("a", async () => "went ahead")).toBe("went ahead")
  end.resolve()
  await stuck
})
