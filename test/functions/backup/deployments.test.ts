import { afterAll, beforeAll, expect, test } from "vitest"
import type { TenantId } from "../../../core/ids.ts"
import { DEPLOYMENTS } from "../../../core/secret/place.ts"
import { findDeploymentSecrets, findDeployments } from "../../../db/queries/deployments.ts"
import { createVault } from "../../../functions/platform/keys/vault.ts"
import { must } from "../manage/world.ts"
import { type NewTenantWorld, newTenantWorld } from "./new-tenant-world.ts"

let sides: NewTenantWorld
const OWNER = "owner" as TenantId
beforeAll(async () => {
  sides = await newTenantWorld()
  const { world } = sides
  await world.tenant(OWNER)
  const deployments = {
    metrics: {
      targets: [{ url: "https://93.184.215.14" }],
      credentials: { type: "bearer", token: "the-token" },
    },
  }
  await must(world.call("PUT", `/api/v1/tenants/${OWNER}/deployments`, { body: deployments }), 200)
})
afterAll(() => sides.close())

test("a tenant that is restored has its backends and what they are entered with, but nobody here vouches for them", async () => {
  const before = await findDeployments(sides.world.app, OWNER)
  expect(before!.vouched).toEqual(["metrics"])
  const { manifest } = await sides.here.archive(OWNER)
  const other = await sides.elsewhere()
  await other.restore({ source: OWNER, target: OWNER, backupId: manifest.backupId })
  const db = other.database.app
  const restored = await findDeployments(db, OWNER)
  expect(restored).toMatchObject({ deployments: before!.deployments, vouched: [], statuses: {} })
  const [sealed] = await findDeploymentSecrets(db, OWNER, ["metrics.token"])
  const vault = createVault({ db, keyRing: other.keyRing, clock: other.clock })
  const place = { scope: OWNER, realm: DEPLOYMENTS, name: "metrics.token", version: 1 }
  const opened = await vault.open(place, { generation: sealed!.generation, bytes: sealed!.sealed })
  expect(opened.reveal()).toBe("the-token")
})

test("a clone has backends of its own or none, and nothing to enter another's with", async () => {
  const { manifest } = await sides.here.archive(OWNER)
  const target = "copied" as TenantId
  await sides.here.restore({ source: OWNER, target, backupId: manifest.backupId, how: "clone" })
  expect((await findDeployments(sides.world.app, target))!.deployments).toEqual({})
  expect(await findDeploymentSecrets(sides.world.app, target, ["metrics.token"])).toEqual([])
})
