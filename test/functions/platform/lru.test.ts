import fc from "fast-check"
import { expect, test } from "vitest"
import { createLru } from "../../../functions/platform/lru.ts"

test("what is used stays, what is not goes", () => {
  const lru = createLru<string, number>(100)
  lru.set("used", 0)
  for (let i = 0; i < 1_000; i++) {
    lru.set(`other-${i}`, i)
    expect(lru.get("used")).toBe(0)
  }
  expect(lru.get("other-0")).toBeUndefined()
  expect(lru.get("other-999")).toBe(999)
})

test("it never holds more than it may, and what it gives is what was set last", () => {
  const step = fc.record({
    key: fc.integer({ min: 0, max: 12 }),
    size: fc.integer({ min: 1, max: 60 }),
    action: fc.constantFrom("set", "get", "delete"),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const lru = createLru<number, { size: number }>(100, ({ size }) => size)
      const truth = new Map<number, { size: number }>()
      for (const { key, size, action } of steps) {
        if (action === "set") {
          const value = { size }
          lru.set(key, value)
          truth.set(key, value)
        } else if (action === "delete") {
          lru.delete(key)
          truth.delete(key)
        }
        const found = lru.get(key)
        if (found !== undefined) expect(found).toBe(truth.get(key))
        expect(lru.size).toBeLessThanOrEqual(100)
      }
    }),
    { seed: 20261121, numRuns: 300 },
  )
})

test("what is bigger than the whole is not kept", () => {
  const lru = createLru<string, string>(10, (text) => text.length)
  lru.set("a", "12345678901")
  expect(lru.get("a")).toBeUndefined()
  expect(lru.size).toBe(0)
})
