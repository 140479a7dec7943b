import { expect, test } from "vitest"
import { requestKeyOf } from "../../../functions/http/idempotency.ts"

const set = (...halves: ({ d: string } | object)[]) => ({
  keys: halves.map((half, nth) => ({ kty: "OKP", kid: String(nth), x: "x", ...half })),
})
const keyOf = (...halves: Parameters<typeof set>) => Buffer.from(requestKeyOf(set(...halves))).toString("hex")

test("what requests are told apart by is derived from a key that is secret, wherever in its set that stands", () => {
  expect(keyOf({}, { d: "one" })).toBe(keyOf({ d: "one" }))
  expect(keyOf({}, { d: "one" })).not.toBe(keyOf({}, { d: "two" }))
})
