import { afterAll, beforeAll, expect, test } from "vitest"
import type { Environment } from "../../core/environment.ts"
import { tierScope } from "../../core/ids.ts"
import { isNewer } from "../../core/release/revision.ts"
import { readPointer } from "../../db/queries/reading.ts"
import { commitScope, loadScope } from "../../db/queries/scope.ts"
import { updateTenant } from "../../db/queries/tenants.ts"
import { type OpenTestDatabase, openTestDatabase } from "../support/database.ts"
import { auditOf, directCommit, ENVIRONMENTS, makeTenant } from "./fixtures.ts"

let database: OpenTestDatabase
beforeAll(async () => {
  database = await openTestDatabase()
})
afterAll(() => database.close())

const ADDED = "Canary" as Environment

test("a new tier is newer also in an environment that the tenant never published to", async () => {
  const { tenantId } = await makeTenant(database.app, "older-than-canary", "Free")
  const scope = tierScope("Free")
  const loaded = await loadScope(database.app, { scope, environment: ADDED, keys: ["limit" as never] })
  await commitScope(database.app, directCommit(loaded!.state, "limit", 1))
  const revision = async () => {
    const { epoch, layers, tenant } = (await readPointer(database.read, tenantId, ADDED, []))!
    const { platform, tier, tenant: own } = layers
    return { name: tenant.tier, at: { epoch, platform: platform.seq, tier: tier.seq, tenant: own.seq } }
  }
  const before = await revision()
  const environments = [...ENVIRONMENTS, ADDED]
  await updateTenant(
    database.app,
    tenantId,
    { patch: { tier: "Pro" }, environments },
    auditOf("tenant.update", tenantId),
  )
  const after = await revision()
  expect([before.name, after.name]).toEqual(["Free", "Pro"])
  expect(isNewer(after.at, before.at)).toBe(true)
})
