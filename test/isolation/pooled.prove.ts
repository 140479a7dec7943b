import { expect, test } from "vitest"
import { sharedBehindBouncer, sharedDirectly } from "./pooled.ts"

const OPERATIONS = 20_000

test.each([
  ["directly", () => sharedDirectly({ operations: OPERATIONS, seed: 7 })],
  ["behind PgBouncer", () => sharedBehindBouncer({ operations: OPERATIONS, seed: 11 })],
])("20,000 operations of a hundred tenants over few connections, %s", async (way, share) => {
  const tally = await share()
  console.log(`${way}: ${JSON.stringify({ ...tally, foreign: tally.foreign.length })}`)
  expect(tally).toMatchObject({ foreign: [], isDisturbed: true })
})
