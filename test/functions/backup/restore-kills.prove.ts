import { afterAll, beforeAll, expect, test } from "vitest"
import type { TenantId } from "../../../core/ids.ts"
import { bareTenant, type NewTenantWorld, newTenantWorld, populate, SOURCE } from "./new-tenant-world.ts"
import { killAtEveryCall } from "./restore-kills.ts"

let scene: NewTenantWorld
let backupId: string

beforeAll(async () => {
  scene = await newTenantWorld()
  await bareTenant(scene.world, SOURCE)
  await populate(scene.world, SOURCE, 3)
  backupId = (await scene.here.archive(SOURCE)).manifest.backupId
}, 60_000)
afterAll(() => scene.close())

test("a restore that is killed at any call of anything leaves nothing or all of it, and asked for again ends as one that was not", async () => {
  const tally = await killAtEveryCall(scene, backupId, () => SOURCE, {
    every: 1,
    side: () => scene.elsewhere(),
  })
  console.log(JSON.stringify(tally))
  expect(tally.nothing, "some kills came before the commit").toBeGreaterThan(20)
  expect(tally.everything, "some kills came after it").toBeGreaterThan(0)
})

test("so does one under another id", async () => {
  const side = async () => scene.here
  const tally = await killAtEveryCall(scene, backupId, (nth) => `killed-${nth}` as TenantId, {
    every: 1,
    side,
  })
  console.log(JSON.stringify(tally))
  expect(tally.nothing, "some kills came before the commit").toBeGreaterThan(20)
  expect(tally.everything, "some kills came after it").toBeGreaterThan(0)
})
