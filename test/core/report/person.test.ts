import fc from "fast-check"
import { expect, test } from "vitest"
import type { Json } from "../../../core/json.ts"
import { ERASED_ADDRESS, ERASED_TEXT, type Person, withoutPerson } from "../../../core/report/person.ts"
import { jsonValues } from "../json-values.ts"

const person: Person = { names: ["Ann", "ann@example.com"], pseudonym: "person:0" }
const without = (value: Json) => withoutPerson(value, person)

test("who did something is replaced, by whatever member that is told", () => {
  const actor = (subject: string, ancestors: string[]) => ({ subject, tokenId: "acme:tok_1", ancestors })
  expect(
    without({ author: actor("Ann", ["Bob", "Ann"]), by: "Ann", overriddenBy: "Ann", owner: "Ann" }),
  ).toEqual({
    author: actor("person:0", ["Bob", "person:0"]),
    by: "person:0",
    overriddenBy: "person:0",
    owner: "person:0",
  })
  expect(without({ subject: "Ann", tokenId: "jwt:Ann" })).toEqual({
    subject: "person:0",
    tokenId: "jwt:person:0",
  })
})

test("what they wrote is gone, and in what others wrote they are called otherwise", () => {
  expect(
    without([
      { subject: "Ann", text: "mine" },
      { subject: "Bob", text: "Ann, Annie and XAnn: ask Ann!" },
    ]),
  ).toEqual([
    { subject: "person:0", text: ERASED_TEXT },
    { subject: "Bob", text: "person:0, Annie and XAnn: ask person:0!" },
  ])
  expect(without({ actor: { subject: "Ann" }, role: "manager", comment: "yes" })).toMatchObject({
    role: "manager",
    comment: ERASED_TEXT,
  })
})

test("their address is nobody's, and others' stay", () => {
  expect(without({ config: { to: ["ann@example.com", "bob@example.com"] } })).toEqual({
    config: { to: [ERASED_ADDRESS, "bob@example.com"] },
  })
})

test("keys, values, schemas, ids and states stay what they are, whatever they are called", () => {
  const kept = {
    changeId: "Ann",
    tenantId: "Ann",
    state: "Ann",
    reason: "Ann",
    edits: [{ key: "Ann", value: { subject: "Ann", comment: "Ann" }, schema: { by: "Ann" } }],
  }
  expect(without(kept)).toEqual(kept)
})

test("erasing somebody who is nowhere alters nothing, and erasing twice alters no more than once", () => {
  fc.assert(
    fc.property(jsonValues(), (value) => {
      const nobody = { names: ["\u0000nobody\u0000"], pseudonym: "person:1" }
      expect(withoutPerson(value, nobody)).toEqual(value)
      const once = without(value)
      expect(without(once)).toEqual(once)
    }),
    { seed: 20_261_121, numRuns: 300 },
  )
})
