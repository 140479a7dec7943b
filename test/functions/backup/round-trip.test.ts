import { expect, test } from "vitest"
import { roundTrip } from "./round-trip.ts"

test.each([0, 1, 300])(
  "a tenant of %i configs is archived, restored and archived again to the same bytes, and cloned but for its ids",
  async (configs) => {
    const { rows } = await roundTrip(configs)
    expect(rows).toMatchObject({ tenants: 1, heads: 4 })
  },
)
