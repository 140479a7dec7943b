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

test("a restore that is killed leaves nothing or all of it, and asked for again ends as one that was not", async () => {
  const tally = await killAtEveryCall(scene, backupId, () => SOURCE, {
    every: 23,
    side: () => scene.elsewhere(),
  })
  expect(tally.nothing).toBeGreaterThan(1)
})

test("so does one under another id", async () => {
  const side = async () => scene.here
  const tally = await killAtEveryCall(scene, backupId, (nth) => `killed-${nth}` as TenantId, {
    every: 5,
    side,
  })
  expect(tally.nothing).toBeGreaterThan(3)
})
