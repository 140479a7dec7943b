import { expect, test } from "vitest"
import { roundTrip } from "./round-trip.ts"

test.each([0, 1, 10_000])(
  "a tenant of %i configs, with something in every table, comes back to the byte, and as a clone but for what must differ",
  async (configs) => {
    const counted = await roundTrip(configs)
    console.log(JSON.stringify(counted))
    expect(counted.rows).toMatchObject({ tenants: 1, heads: 4 })
  },
)
