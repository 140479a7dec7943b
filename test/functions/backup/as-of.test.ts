import { afterAll, beforeAll, expect, test } from "vitest"
import { restoreHistories } from "./as-of-histories.ts"
import { createRestoreWorld, type RestoreWorld } from "./into-world.ts"

let world: RestoreWorld
beforeAll(async () => {
  world = await createRestoreWorld()
})
afterAll(() => world.close())

test("whatever happened to a tenant, restored as of a time it reads as it did then, secrets and all", {
  timeout: 120_000,
}, async () => {
  const restores = await restoreHistories(world, { histories: 3, steps: 12, restores: 2, seed: 20_261_121 })
  expect(restores).toBe(6)
})

const refusal = (tenantId: string, asOf: string) =>
  world.call("POST", `/api/v1/tenants/${tenantId}/restore`, { body: { asOf } })

test("a time before the tenant was there, or yet to come, is refused before anything is done", async () => {
  await world.tenant("young")
  expect((await refusal("young", "2020-01-01T00:00:00Z")).body).toMatchObject({
    code: "AS_OF_INVALID",
    detail: expect.stringMatching(/^young begins at 20\d\d-.*: there is nothing before it\.$/),
  })
  expect((await refusal("young", "2999-01-01T00:00:00Z")).body).toMatchObject({
    code: "AS_OF_INVALID",
    detail: expect.stringContaining("yet to come"),
  })
  expect((await refusal("young", "yesterday")).body).toMatchObject({ code: "BODY_INVALID" })
  expect((await world.call("GET", "/api/v1/jobs?tenantId=young")).body.items).toEqual([])
})

test("a time is taken to the microsecond, whatever zone it is written in", async () => {
  await world.tenant("exact")
  await world.put("exact", "Staging", "a", 1)
  const at = await world.instant()
  await world.put("exact", "Staging", "a", 2)
  const offset = new Date(Date.parse(at) + 5.5 * 3_600_000).toISOString().slice(0, -1)
  const there = `${offset}${at.slice(23, 26)}+05:30`
  await world.restoreAsOf("exact", { asOf: there, environments: ["Staging"] })
  expect((await world.configs("exact", "Staging")).a).toMatchObject({ value: 1 })
})
