import { describe, expect, test } from "vitest"
import type { Change } from "../../../core/change/change.ts"
import type { ChangeId, ScopeId } from "../../../core/ids.ts"
import { PLATFORM, tierScope } from "../../../core/ids.ts"
import { ACME, ADMIN_TOKEN, acmeWorld, jsonOf, STAGING, VIEW } from "./world.ts"

type World = ReturnType<typeof acmeWorld>

const change = (
  world: World,
  scope: ScopeId,
  edits: Change["content"]["edits"],
  environment = STAGING,
): ChangeId => {
  const changeId = `${scope}:chg_${"0".repeat(31)}${world.database.changes.size}` as ChangeId
  world.database.changes.set(changeId, {
    content: { changeId, scope, environment, edits } as unknown as Change["content"],
    status: { state: "awaiting_approval" },
    approvals: [],
    comments: [],
  })
  return changeId
}

describe("as of a time", () => {
  test("a read gives what was read then: values, revision, arm and tier", async () => {
    const world = acmeWorld()
    const before = world.clock.now().toISOString()
    const token = await world.reader()
    const then = jsonOf(await world.call(VIEW, token))
    world.clock.advance(60_000)
    world.database.move(ACME, { "feature.a": false })
    world.database.move(PLATFORM, { later: true })
    world.clock.advance(60_000)
    const result = await world.call(`${VIEW}&asOf=${before}`, token)
    expect(jsonOf(result)).toEqual(then)
    expect(result.headers["cache-control"]).toBe("no-store")
    expect(jsonOf(await world.call(VIEW, token)).configs).toEqual({ "feature.a": false, later: true })
    expect(jsonOf(await world.call(`${VIEW}&asOf=2020-01-01T00:00:00Z`, token)).configs).toEqual({})
  })

  test("the past is read in any time zone and of one key", async () => {
    const world = acmeWorld()
    const token = await world.reader()
    const shifted = new Date(world.clock.nowMs() + 3_600_000).toISOString().replace("Z", "%2B01:00")
    expect(jsonOf(await world.call(`${VIEW}&asOf=${shifted}&key=limit.b`, token)).configs).toEqual({
      "limit.b": 7,
    })
  })
})

describe("a policy", () => {
  const policy = { "~policy": { stages: [] } }

  test("is handed to nobody, and moves no view", async () => {
    const world = acmeWorld()
    const token = await world.reader()
    const viewer = world.apiToken(["viewer"]).token
    const before = jsonOf(await world.call(VIEW, token))
    world.database.move(ACME, { "feature.a": true, "limit.b": 7, ...policy })
    world.database.move(PLATFORM, policy)
    world.database.move(tierScope("Pro"), policy)
    world.clock.advance(120_000)
    const after = jsonOf(await world.call(VIEW, token))
    expect(after).toEqual({ ...before, revision: after.revision })
    expect(after.revision).not.toBe(before.revision)
    expect(Object.keys(jsonOf(await world.call(`${VIEW}&detail=full`, viewer)).configs)).toEqual([
      "feature.a",
      "limit.b",
    ])
    for (const scope of [PLATFORM, tierScope("Pro")]) {
      const path = VIEW.replace(ACME, scope)
      expect(jsonOf(await world.call(path, ADMIN_TOKEN)).configs).toEqual({})
    }
  })

  test("to be has a preview like any change, in which nothing differs", async () => {
    const world = acmeWorld()
    const changeId = change(world, ACME, [{ key: "~policy" as never, value: policy }])
    const path = `${VIEW}&preview=${encodeURIComponent(changeId)}`
    const { configs } = jsonOf(await world.call(path, world.apiToken(["engineer"]).token))
    expect(configs).toEqual({ "feature.a": true, "limit.b": 7 })
  })
})

describe("a time that PostgreSQL does not know", () => {
  test.each(["0000-01-01T00:00:00Z", "2020-01-01T00:00:00%2B16:00", "2020-01-01T00:00:00-23:59"])(
    "is the caller's mistake, not an outage: %s",
    async (time) => {
      const world = acmeWorld()
      const before = world.database.commands
      const result = await world.call(`${VIEW}&asOf=${time}`, await world.reader())
      expect([result.statusCode, jsonOf(result).code]).toEqual([400, "AS_OF_INVALID"])
      // The pointer's own read, and none for the time.
      expect(world.database.commands - before).toBeLessThanOrEqual(1)
    },
  )
})

describe("in full", () => {
  test("each key tells its layer, its version and whether it is locked; locks win from afar", async () => {
    const world = acmeWorld()
    world.database.set(PLATFORM, {
      stable: world.database.release({ kill: { value: false, version: 4, locked: true } }, true),
    })
    world.database.set(tierScope("Pro"), {
      stable: world.database.release(
        { "limit.b": { value: 1, version: 2 }, plan: { value: "pro", version: 3 } },
        true,
      ),
    })
    world.database.move(ACME, { kill: true, "limit.b": 7 })
    const { token } = world.apiToken(["viewer"])
    expect(jsonOf(await world.call(`${VIEW}&detail=full`, token)).configs).toEqual({
      kill: { value: false, layer: "platform", version: 4, locked: true },
      "limit.b": { value: 7, layer: "tenant", version: 1, locked: false },
      plan: { value: "pro", layer: "tier", version: 3, locked: false },
    })
    expect(jsonOf(await world.call(`${VIEW}&detail=full&key=plan`, token)).configs).toEqual({
      plan: { value: "pro", layer: "tier", version: 3, locked: false },
    })
  })

  test("an application's reader token may not see that", async () => {
    const world = acmeWorld()
    expect((await world.call(`${VIEW}&detail=full`, await world.reader())).statusCode).toBe(403)
  })
})

describe("a preview", () => {
  const preview = (changeId: string) => `${VIEW}&preview=${encodeURIComponent(changeId)}`

  test("is stable with the change's edits made, for those who may see it", async () => {
    const world = acmeWorld()
    const changeId = change(world, ACME, [
      { key: "feature.a" as never },
      { key: "new.c" as never, value: { deep: 1 } },
    ])
    const { token } = world.apiToken(["engineer"])
    const body = jsonOf(await world.call(preview(changeId), token))
    expect(body).toMatchObject({ arm: "candidate", configs: { "limit.b": 7, "new.c": { deep: 1 } } })
    expect(Object.keys(body.configs)).toEqual(["limit.b", "new.c"])
    for (const forbidden of [await world.reader(), world.apiToken(["viewer"]).token])
      expect((await world.call(preview(changeId), forbidden)).statusCode).toBe(403)
  })

  test("leaves no trace: the next read is what it was, and nothing is kept in Redis", async () => {
    const world = acmeWorld()
    const token = await world.reader()
    const before = await world.call(VIEW, token)
    await world.background.settled()
    const kept = [...world.cache.views.keys()]
    const changeId = change(world, ACME, [{ key: "feature.a" as never, value: "secret plan" }])
    await world.call(preview(changeId), world.apiToken(["engineer"]).token)
    await world.background.settled()
    expect(await world.call(VIEW, token)).toEqual(before)
    expect([...world.cache.views.keys()]).toEqual(kept)
  })

  test("of the platform's change is for the platform's admin, and lies below the tenant's own values", async () => {
    const world = acmeWorld()
    const edits = [
      { key: "limit.b" as never, value: 1 },
      { key: "everywhere" as never, value: 2 },
    ]
    const changeId = change(world, PLATFORM, edits)
    expect(jsonOf(await world.call(preview(changeId), ADMIN_TOKEN)).configs).toEqual({
      everywhere: 2,
      "feature.a": true,
      "limit.b": 7,
    })
    const mine = await world.call(preview(changeId), world.apiToken(["tenant_admin"]).token)
    expect(jsonOf(mine).code).toBe("CHANGE_NOT_FOUND")
  })

  test("of another tenant's change, another environment's, or of none is CHANGE_NOT_FOUND", async () => {
    const world = acmeWorld()
    const { token } = world.apiToken(["engineer"])
    const foreign = change(world, "other" as ScopeId, [])
    const elsewhere = change(world, ACME, [], "Production" as never)
    for (const changeId of [foreign, elsewhere, `${ACME}:chg_${"f".repeat(32)}`, "nonsense"])
      expect(jsonOf(await world.call(preview(changeId), token)).code).toBe("CHANGE_NOT_FOUND")
  })

  test("and what cannot be combined with it is refused", async () => {
    const world = acmeWorld()
    const changeId = change(world, ACME, [])
    for (const more of ["&arms=both", "&asOf=2026-01-01T00:00:00Z"])
      expect(jsonOf(await world.call(preview(changeId) + more, ADMIN_TOKEN)).code).toBe("QUERY_INVALID")
  })
})

describe("the platform and the tiers", () => {
  const path = (scope: string) => `/api/v1/configs/tenant/${scope}?environment=Staging`

  test("are read by the platform's admin as what a tenant without own values would get", async () => {
    const world = acmeWorld()
    world.database.move(PLATFORM, { everywhere: 1, "limit.b": 1 })
    world.database.move(tierScope("Pro"), { "limit.b": 5 })
    const platform = jsonOf(await world.call(path(PLATFORM), ADMIN_TOKEN))
    expect(platform).toMatchObject({ tenantId: PLATFORM, configs: { everywhere: 1, "limit.b": 1 } })
    const tier = jsonOf(await world.call(`${path(tierScope("Pro"))}&detail=full`, ADMIN_TOKEN))
    expect(tier.configs).toMatchObject({
      everywhere: { layer: "platform" },
      "limit.b": { value: 5, layer: "tier" },
    })
    const one = jsonOf(await world.call(`${path(PLATFORM)}&key=everywhere`, ADMIN_TOKEN))
    expect(one.configs).toEqual({ everywhere: 1 })
  })

  test("do not exist for anybody else, readers of every tenant included", async () => {
    const world = acmeWorld()
    for (const token of [await world.reader("*"), world.apiToken(["tenant_admin"]).token])
      expect(jsonOf(await world.call(path(PLATFORM), token)).code).toBe("TENANT_NOT_FOUND")
  })
})
