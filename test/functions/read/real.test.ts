import { afterAll, beforeAll, expect, test } from "vitest"
import { PLATFORM, tierScope } from "../../../core/ids.ts"
import { setTenantStatus } from "../../../db/queries/tenants.ts"
import { revokeToken } from "../../../db/queries/tokens.ts"
import { RECHECK_MS } from "../../../functions/read/principals.ts"
import { auditOf, ENVIRONMENTS, makeTenant } from "../../db/fixtures.ts"
import { pathOf, realWorld } from "./real.ts"
import { ADMIN_TOKEN, jsonOf } from "./world.ts"

let world: Awaited<ReturnType<typeof realWorld>>
let tenants = 0
const newTenant = async () => (await makeTenant(world.app, `tenant-${++tenants}`)).tenantId

beforeAll(async () => {
  world = await realWorld()
})
afterAll(() => world.stop())

test("a commit is read, by the role that may only read", async () => {
  const tenant = await newTenant()
  await world.commit(tenant, "feature.a", { on: [true, null, "é𝄞"] })
  const body = jsonOf(await world.call(pathOf(tenant), await world.reader([tenant])))
  expect(body).toMatchObject({ arm: "stable", configs: { "feature.a": { on: [true, null, "é𝄞"] } } })
})

test("a miss costs one database command, and so do a hundred at once", async () => {
  const tenant = await newTenant()
  await world.commit(tenant, "feature.a", 1)
  const token = await world.reader([tenant])
  const before = world.counted.commands
  const results = await Promise.all(Array.from({ length: 100 }, () => world.callOnly(pathOf(tenant), token)))
  await world.background.settled()
  expect(new Set(results.map(({ statusCode, body }) => `${statusCode}${body}`)).size).toBe(1)
  expect(world.counted.commands - before).toBe(1)
})

test("a crash between commit and cache update delays a reader by the stated bound and no more", async () => {
  const tenant = await newTenant()
  await world.commit(tenant, "n", 1)
  const token = await world.reader([tenant])
  await world.call(pathOf(tenant), token)
  await world.commit(tenant, "n", 2)
  world.clock.advance(10_000)
  expect(jsonOf(await world.call(pathOf(tenant), token)).configs).toEqual({ n: 2 })
})

test("what the relay finds marked is in Redis after its sweep, and the mark is gone", async () => {
  const tenant = await newTenant()
  await world.commit(tenant, "n", 1)
  expect(await world.relay.sweep()).toMatchObject({ left: 0 })
  expect(await world.relay.sweep()).toEqual({ published: 0, left: 0 })
  const before = world.counted.commands
  const body = jsonOf(await world.call(pathOf(tenant), await world.reader([tenant])))
  expect(body.configs).toEqual({ n: 1 })
  expect(world.counted.commands).toBe(before)
})

test("a mark of the platform overtakes what Redis has of its tenants", async () => {
  const tenant = await newTenant()
  await world.commit(tenant, "n", 1)
  await world.relay.sweep()
  const token = await world.reader([tenant])
  await world.call(pathOf(tenant), token)
  await world.commit(PLATFORM, "everywhere", tenants)
  await world.relay.sweep()
  world.restart()
  expect(jsonOf(await world.call(pathOf(tenant), token)).configs).toMatchObject({ n: 1, everywhere: tenants })
})

test("the past, the provenance and the present are read from the same rows", async () => {
  const tenant = await newTenant()
  const first = await world.commit(tenant, "n", 1)
  await world.commit(tenant, "n", 2)
  const { token } = await world.issue(tenant, ["viewer"])
  const path = pathOf(tenant)
  const past = jsonOf(await world.call(`${path}&asOf=${first.at}`, token))
  expect(past.configs).toMatchObject({ n: 1 })
  const full = jsonOf(await world.call(`${path}&detail=full&key=n`, token))
  expect(full.configs).toEqual({ n: { value: 2, layer: "tenant", version: 2, locked: false } })
})

test("a revoked API token is refused within five seconds", async () => {
  const tenant = await newTenant()
  const { token, tokenId } = await world.issue(tenant, ["viewer"])
  expect((await world.call(pathOf(tenant), token)).statusCode).toBe(200)
  await revokeToken(world.app, tenant, tokenId, "tester", ENVIRONMENTS, auditOf("token.revoke", tokenId))
  world.clock.advance(RECHECK_MS)
  expect((await world.call(pathOf(tenant), token)).statusCode).toBe(401)
})

test("a suspended tenant's tokens are refused within the stated bound", async () => {
  const tenant = await newTenant()
  const token = await world.reader([tenant])
  expect((await world.call(pathOf(tenant), token)).statusCode).toBe(200)
  await setTenantStatus(world.app, tenant, "suspended", ENVIRONMENTS, auditOf("tenant.suspend", tenant))
  world.clock.advance(10_000)
  expect(jsonOf(await world.call(pathOf(tenant), token)).code).toBe("TENANT_SUSPENDED")
  expect((await world.call(pathOf(tenant), ADMIN_TOKEN)).statusCode).toBe(200)
})

test("two tenants with equal keys never read each other's values", async () => {
  const [one, other] = [await newTenant(), await newTenant()]
  await world.commit(one, "shared.key", "one")
  await world.commit(other, "shared.key", "other")
  const token = await world.reader([one, other])
  expect(jsonOf(await world.call(pathOf(one), token)).configs["shared.key"]).toBe("one")
  expect(jsonOf(await world.call(pathOf(other), token)).configs["shared.key"]).toBe("other")
})

test("a change is previewed by the role that may only read, and stays unseen", async () => {
  const tenant = await newTenant()
  const { at: _at, changeId } = await world.commit(tenant, "n", 1)
  await world.commit(tenant, "n", 2)
  const { token } = await world.issue(tenant, ["engineer"])
  const path = pathOf(tenant)
  expect(jsonOf(await world.call(`${path}&preview=${changeId}`, token))).toMatchObject({
    arm: "candidate",
    configs: { n: 1 },
  })
  expect(jsonOf(await world.call(path, token)).configs).toMatchObject({ n: 2 })
})

test("a configuration of many chunks is read whole, by key, and again after one key changed", async () => {
  const tenant = await newTenant()
  for (let i = 0; i < 3; i++) await world.commit(tenant, `big.${i}`, "x".repeat(100_000))
  const token = await world.reader([tenant])
  const keys = async (query = "") =>
    Object.keys(jsonOf(await world.call(pathOf(tenant) + query, token)).configs)
  expect(await keys()).toEqual(expect.arrayContaining(["big.0", "big.1", "big.2"]))
  await world.commit(tenant, "small", 1)
  world.clock.advance(10_000)
  expect(await keys("&key=small")).toEqual(["small"])
  world.restart()
  expect(await keys()).toEqual(expect.arrayContaining(["big.0", "small"]))
})

test("an ended connection is replaced: the next read is answered", async () => {
  const tenant = await newTenant()
  const token = await world.reader([tenant])
  await world.call(pathOf(tenant), token)
  await world.endConnections()
  world.clock.advance(10_000)
  expect((await world.call(pathOf(tenant), token)).statusCode).toBe(200)
})

test("the platform and a tier are read by the platform's admin", async () => {
  await world.commit(PLATFORM, "shared.by.all", 1)
  await world.commit(tierScope("Free"), "for.free", 2)
  const of = async (scope: string) => jsonOf(await world.call(pathOf(scope), ADMIN_TOKEN)).configs
  expect(await of(PLATFORM)).toMatchObject({ "shared.by.all": 1 })
  expect(await of(tierScope("Free"))).toMatchObject({ "shared.by.all": 1, "for.free": 2 })
  expect(await of(tierScope("Enterprise"))).not.toHaveProperty("for.free")
})
