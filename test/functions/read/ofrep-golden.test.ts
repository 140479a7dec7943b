import { expect, test } from "vitest"
import type { TenantId } from "../../../core/ids.ts"
import { GOLDEN_SECONDS, goldenAt } from "../../golden/golden.ts"
import { expectGolden } from "../../golden/over-ofrep.ts"
import { ACME, acmeWorld, jsonOf } from "./world.ts"

const world = acmeWorld()
const NOW = Math.ceil(world.clock.nowMs() / 1_000) + 10
world.clock.advance(NOW * 1_000 - world.clock.nowMs())
const token = await world.reader("*")
const views = goldenAt(NOW).map((view, index) => ({ ...view, tenantId: `${ACME}-${index}` as TenantId }))

test.each(views)("the read function answers as the rules do: $of", async ({ tenantId, configs, cases }) => {
  world.database.tenants.set(tenantId, { status: "active", tier: "Pro" })
  world.database.move(tenantId, { ...configs })
  const path = "/ofrep/v1/evaluate/flags"
  await expectGolden(async (key, context) => {
    const answer = await world.call(key === null ? path : `${path}/${encodeURIComponent(key)}`, token, {
      method: "POST",
      headers: { "x-tenant-id": tenantId },
      body: JSON.stringify({ context }),
    })
    return { status: answer.statusCode, body: jsonOf(answer) }
  }, cases)
})

test("some of them are about the time", () => {
  expect(NOW).not.toBe(GOLDEN_SECONDS)
  expect(views.flatMap(({ cases }) => cases.filter((one) => one.isTimed)).length).toBeGreaterThan(0)
})
