import { expect, test } from "vitest"
import { bouncerBinary } from "../support/pgbouncer.ts"
import { sharedBehindBouncer, sharedDirectly } from "./pooled.ts"

const OPERATIONS = 600
// Where everything has to be tested it must be there.
const isBouncerMissing = bouncerBinary() === null && process.env.CI !== "true"

test("connections that a hundred tenants share hand nothing from one to the next", {
  timeout: 120_000,
}, async () => {
  const tally = await sharedDirectly({ operations: OPERATIONS, seed: 7 })
  expect(tally).toMatchObject({ foreign: [], isDisturbed: true })
})

test.skipIf(isBouncerMissing)(
  "nor do they behind PgBouncer in transaction mode",
  { timeout: 120_000 },
  async () => {
    const tally = await sharedBehindBouncer({ operations: OPERATIONS, seed: 11 })
    expect(tally).toMatchObject({ foreign: [], isDisturbed: true })
  },
)
