import fc from "fast-check"
import { expect, test } from "vitest"
import { Bounded } from "../../../functions/edge/bounded.ts"

test("never holds more than its capacity, and what it holds is what was last set", () => {
  const key = fc.constantFrom("a", "b", "c", "d", "e")
  const command = fc.oneof(
    fc.record({ kind: fc.constant("set" as const), key, size: fc.integer({ min: 1, max: 12 }) }),
    fc.record({ kind: fc.constant("get" as const), key }),
    fc.record({ kind: fc.constant("delete" as const), key }),
  )
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const bounded = new Bounded<number>(10)
      const last = new Map<string, number>()
      for (const [i, command] of commands.entries()) {
        if (command.kind === "set") {
          bounded.set(command.key, i, command.size)
          last.set(command.key, i)
        } else if (command.kind === "delete") {
          bounded.delete(command.key)
          last.delete(command.key)
        } else expect([undefined, last.get(command.key)]).toContain(bounded.get(command.key))
        expect(bounded.size).toBeLessThanOrEqual(10)
      }
    }),
    { seed: 1 },
  )
})

test("what is in use outlasts what is not", () => {
  const bounded = new Bounded<number>(3)
  bounded.set("used", 0, 1)
  for (let i = 0; i < 100; i++) {
    bounded.set(`passing-${i}`, i, 1)
    expect(bounded.get("used")).toBe(0)
  }
})

test("what alone is larger than the capacity is not taken, and displaces nothing", () => {
  const bounded = new Bounded<number>(3)
  bounded.set("a", 1, 3)
  bounded.set("b", 2, 4)
  expect([bounded.get("a"), bounded.get("b")]).toEqual([1, undefined])
})
