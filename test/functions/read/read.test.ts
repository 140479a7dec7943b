import { describe, expect, test } from "vitest"
import type { ChangeId, TenantId } from "../../../core/ids.ts"
import { tierScope } from "../../../core/ids.ts"
import { getsCandidate } from "../../../core/release/bucket.ts"
import { createPublisher } from "../../../functions/platform/publish.ts"
import { REMEMBERED_MS } from "../../../functions/read/external-ids.ts"
import { ACME, ADMIN_TOKEN, acmeWorld, EDGE_SECRET, jsonOf, STAGING, VIEW } from "./world.ts"

const CHANGE = `${ACME}:chg_${"0".repeat(31)}1` as ChangeId
const unitOf = (arm: "stable" | "candidate", weightBp: number): string => {
  for (let i = 0; ; i++)
    if (getsCandidate(CHANGE, `user-${i}`, weightBp) === (arm === "candidate")) return `user-${i}`
}

const rollout = (world: ReturnType<typeof acmeWorld>, weightBp = 5_000) => {
  const release = world.database.release({ "feature.a": false, "limit.b": 7, "new.c": [1] })
  const stable = world.database.release({ "feature.a": true, "limit.b": 7, "old.d": null })
  world.database.set(ACME, { stable, candidate: { release, changeId: CHANGE, step: 0, weightBp } })
}

describe("the hot read", () => {
  test("gives the merged configuration with its revision, view and arm", async () => {
    const world = acmeWorld()
    world.database.move("~platform" as never, { "limit.b": 1, "from.platform": "p" })
    world.database.move(tierScope("Pro"), { "from.tier": { deep: [1, 2.5, "é"] } })
    const result = await world.call(VIEW, await world.reader())
    expect(result.statusCode).toBe(200)
    const body = jsonOf(result)
    expect(body).toEqual({
      tenantId: ACME,
      environment: "Staging",
      revision: "0.1.1.1",
      view: expect.stringMatching(/^0\.[0-9a-f]{64}$/),
      arm: "stable",
      configs: {
        "feature.a": true,
        "from.platform": "p",
        "from.tier": { deep: [1, 2.5, "é"] },
        "limit.b": 7,
      },
    })
    expect(result.headers).toMatchObject({
      "content-type": "application/json; charset=utf-8",
      etag: `W/"${body.view}"`,
      "hotswap-revision": "0.1.1.1",
      "hotswap-arm": "stable",
      "cache-control": "private, no-cache",
      vary: "Authorization",
    })
  })

  test("is the token's own environment where none is named, whatever the case where one is", async () => {
    const world = acmeWorld()
    const token = await world.reader()
    const bare = await world.call(`/api/v1/configs/tenant/${ACME}`, token)
    expect(jsonOf(bare).environment).toBe("Staging")
    expect((await world.call(`/api/v1/configs/tenant/${ACME}?environment=sTAGING`, token)).body).toBe(
      bare.body,
    )
  })

  test("of one key gives that key alone", async () => {
    const world = acmeWorld()
    const result = await world.call(`${VIEW}&key=limit.b`, await world.reader())
    expect(jsonOf(result).configs).toEqual({ "limit.b": 7 })
  })

  test("of a key in a view of many chunks gives that key alone", async () => {
    const world = acmeWorld()
    const many = Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`key.${i}`, "x".repeat(1_000)]))
    world.database.move(ACME, { ...many, wanted: { it: "is" } })
    const token = await world.reader()
    expect(jsonOf(await world.call(`${VIEW}&key=wanted`, token)).configs).toEqual({ wanted: { it: "is" } })
    expect(jsonOf(await world.call(VIEW, token)).configs).toEqual({ ...many, wanted: { it: "is" } })
  })

  test("is answered 304 to whoever has the view, with revision and arm, and without a body", async () => {
    const world = acmeWorld()
    const token = await world.reader()
    const { etag = "" } = (await world.call(VIEW, token)).headers
    for (const ifNoneMatch of [etag, etag.slice(2), `"other", ${etag}`, "*"]) {
      const result = await world.call(VIEW, token, { headers: { "if-none-match": ifNoneMatch } })
      expect(result).toMatchObject({
        statusCode: 304,
        body: "",
        headers: { etag, "hotswap-revision": "0.0.0.1", "hotswap-arm": "stable" },
      })
    }
    const other = await world.call(VIEW, token, { headers: { "if-none-match": 'W/"0.other"' } })
    expect(other.statusCode).toBe(200)
  })

  test("stays 304 when a revision moved but nothing that is read changed", async () => {
    const world = acmeWorld()
    const token = await world.reader()
    const { etag = "" } = (await world.call(VIEW, token)).headers
    world.database.move(tierScope("Free"), { other: 1 })
    world.database.move(ACME, { "feature.a": true, "limit.b": 7 })
    world.clock.advance(20_000)
    const result = await world.call(VIEW, token, { headers: { "if-none-match": etag } })
    expect(result).toMatchObject({ statusCode: 304, headers: { "hotswap-revision": "0.0.0.2" } })
  })

  test("HEAD answers as GET does, without a body; OPTIONS says what there is; anything else is refused", async () => {
    const world = acmeWorld()
    const token = await world.reader()
    const got = await world.call(VIEW, token)
    expect(await world.call(VIEW, token, { method: "HEAD" })).toEqual({ ...got, body: "" })
    expect(await world.call(VIEW, undefined, { method: "OPTIONS" })).toMatchObject({
      statusCode: 204,
      headers: { allow: "GET, HEAD, OPTIONS" },
    })
    const put = await world.call(VIEW, token, { method: "PUT" })
    expect(put).toMatchObject({ statusCode: 405, headers: { allow: "GET, HEAD, OPTIONS" } })
  })
})

describe("arms", () => {
  test("a targeting key gets the arm its bucket says, and nobody in particular the stable one", async () => {
    const world = acmeWorld()
    rollout(world)
    const token = await world.reader()
    const of = async (unit: string | null) =>
      jsonOf(
        await world.call(unit === null ? VIEW : `${VIEW}&targetingKey=${encodeURIComponent(unit)}`, token),
      )
    expect(await of(null)).toMatchObject({ arm: "stable", configs: { "feature.a": true } })
    expect(await of(unitOf("stable", 5_000))).toMatchObject({ arm: "stable" })
    expect(await of(unitOf("candidate", 5_000))).toMatchObject({
      arm: "candidate",
      configs: { "new.c": [1] },
    })
  })

  test("both arms are the stable view and what the candidate changes about it", async () => {
    const world = acmeWorld()
    const token = await world.reader()
    expect(jsonOf(await world.call(`${VIEW}&arms=both`, token)).candidate).toBeNull()
    rollout(world)
    world.clock.advance(20_000)
    const body = jsonOf(await world.call(`${VIEW}&arms=both`, token))
    expect(body).toMatchObject({ arm: "stable", configs: { "feature.a": true, "old.d": null } })
    expect(body.candidate).toEqual({
      view: expect.stringMatching(/^0\./),
      changeId: CHANGE,
      step: 0,
      weightBp: 5_000,
      set: { "feature.a": false, "new.c": [1] },
      unset: ["old.d"],
    })
  })

  test("both arms of one key tell of that key alone", async () => {
    const world = acmeWorld()
    rollout(world)
    const token = await world.reader()
    const of = async (key: string) => jsonOf(await world.call(`${VIEW}&arms=both&key=${key}`, token))
    expect(await of("new.c")).toMatchObject({ configs: {}, candidate: { set: { "new.c": [1] }, unset: [] } })
    expect(await of("old.d")).toMatchObject({
      configs: { "old.d": null },
      candidate: { set: {}, unset: ["old.d"] },
    })
    expect(await of("limit.b")).toMatchObject({
      configs: { "limit.b": 7 },
      candidate: { set: {}, unset: [] },
    })
    expect((await world.call(`${VIEW}&arms=both&key=absent`, token)).statusCode).toBe(404)
  })

  test("the tag of both arms changes with the candidate's share, the tag of one arm does not", async () => {
    const world = acmeWorld()
    rollout(world, 1_000)
    const token = await world.reader()
    const tags = async () =>
      Promise.all(
        [VIEW, `${VIEW}&arms=both`].map(async (path) => (await world.call(path, token)).headers.etag),
      )
    const before = await tags()
    rollout(world, 2_000)
    world.clock.advance(20_000)
    const after = await tags()
    expect(after[0]).toBe(before[0])
    expect(after[1]).not.toBe(before[1])
  })
})

describe("refusals", () => {
  const codeOf = async (result: ReturnType<ReturnType<typeof acmeWorld>["call"]>) => {
    const { statusCode, headers, body } = await result
    expect(headers["content-type"]).toMatch(/^application\/problem\+json/)
    expect(headers["cache-control"]).toBe("no-store")
    return [statusCode, JSON.parse(body).code]
  }

  test.each([
    ["environment=Nowhere", [400, "ENVIRONMENT_UNKNOWN"]],
    ["environment=Production", [403, "FORBIDDEN"]],
    ["environment=Staging&environment=Staging", [400, "QUERY_INVALID"]],
    ["environment=%zz", [400, "QUERY_INVALID"]],
    ["targetingKey=", [400, "QUERY_INVALID"]],
    ["targeting_key=a", [400, "QUERY_INVALID"]],
    ["asof=2026-01-01T00:00:00Z", [400, "QUERY_INVALID"]],
    ["arms=one", [400, "QUERY_INVALID"]],
    ["detail=some", [400, "QUERY_INVALID"]],
    ["key=%20", [400, "KEY_INVALID"]],
    // Where a scope's policy is kept: no name that anyone may ask for.
    ["key=~policy", [400, "KEY_INVALID"]],
    ["key=absent", [404, "CONFIG_NOT_FOUND"]],
    ["detail=full", [403, "FORBIDDEN"]],
    ["asOf=yesterday", [400, "AS_OF_INVALID"]],
    ["asOf=2126-01-01T00:00:00Z", [400, "AS_OF_INVALID"]],
    ["asOf=2026-02-30T00:00:00Z", [400, "AS_OF_INVALID"]],
  ])("?%s is %j", async (query, expected) => {
    const world = acmeWorld()
    const token = await world.reader()
    expect(await codeOf(world.call(`/api/v1/configs/tenant/${ACME}?${query}`, token))).toEqual(expected)
  })

  test("an environment has to be named where the token is bound to none", async () => {
    const world = acmeWorld()
    expect(await codeOf(world.call(`/api/v1/configs/tenant/${ACME}`, ADMIN_TOKEN))).toEqual([
      400,
      "QUERY_INVALID",
    ])
  })

  test("no token, a made-up one and an expired one are all UNAUTHENTICATED", async () => {
    const world = acmeWorld()
    const expiring = await world.reader([ACME], { lifetimeSeconds: 60 })
    expect((await world.call(VIEW, expiring)).statusCode).toBe(200)
    world.clock.advance(60_000)
    for (const token of [undefined, "hsr_made.up.token", `hs_${ACME}_nonsense`, expiring])
      expect(await codeOf(world.call(VIEW, token))).toEqual([401, "UNAUTHENTICATED"])
  })

  test("a path that is no tenantId, and one that is no route", async () => {
    const world = acmeWorld()
    const token = await world.reader()
    expect(await codeOf(world.call("/api/v1/configs/tenant/Not_A_Slug", token))).toEqual([
      400,
      "TENANT_ID_INVALID",
    ])
    for (const path of ["/api/v1/configs/tenant/", "/api/v1/configs/tenant/a/b", "/", "/api/v1/tenants"])
      expect(await codeOf(world.call(path, token))).toEqual([404, "ROUTE_UNKNOWN"])
  })

  test("X-Tenant-ID must name the tenant of the path", async () => {
    const world = acmeWorld()
    const token = await world.reader([ACME, "other"])
    const named = (tenantId: string) => world.call(VIEW, token, { headers: { "x-tenant-id": tenantId } })
    expect((await named(ACME)).statusCode).toBe(200)
    expect(await codeOf(named("other"))).toEqual([400, "TENANT_MISMATCH"])
  })

  test("an external id names its tenant, in the path and in X-Tenant-ID, to those who may see it", async () => {
    const world = acmeWorld()
    world.database.externalIds.set("discord:42", ACME)
    const token = await world.reader()
    const plain = await world.call(VIEW, token)
    for (const name of ["discord:42", "discord%3A42"])
      expect(await world.call(VIEW.replace(ACME, name), token)).toEqual(plain)
    expect(await world.call(VIEW, token, { headers: { "x-tenant-id": "discord:42" } })).toEqual(plain)
    expect(await codeOf(world.call(VIEW, token, { headers: { "x-tenant-id": "discord:7" } }))).toEqual([
      400,
      "TENANT_MISMATCH",
    ])
    const path = VIEW.replace(ACME, "discord:42")
    const foreign = await world.call(path, await world.reader(["somebody-else"]))
    expect(JSON.parse(foreign.body).code).toBe("TENANT_NOT_FOUND")
    expect(foreign.body).not.toContain(ACME)
    world.database.externalIds.delete("discord:42")
    world.clock.advance(REMEMBERED_MS)
    expect(await world.call(path, token)).toEqual(foreign)
  })

  test("an external id costs one question a while, and holds while the database is away", async () => {
    const world = acmeWorld()
    world.database.externalIds.set("discord:42", ACME)
    const token = await world.reader()
    const path = VIEW.replace(ACME, "discord:42")
    const first = await world.call(path, token)
    const { commands } = world.database
    expect(await world.call(path, token)).toEqual(first)
    expect(world.database.commands).toBe(commands)
    world.database.down = true
    world.clock.advance(REMEMBERED_MS)
    expect((await world.call(path, token)).statusCode).toBe(200)
  })

  test("a tenant one may not see is answered byte for byte as one that never was", async () => {
    const world = acmeWorld()
    const token = await world.reader(["somebody-else"])
    const foreign = await world.call(VIEW, token)
    const seer = await world.reader("*")
    world.database.tenants.delete(ACME)
    expect(await world.call(VIEW, token)).toEqual(foreign)
    expect(await world.call(VIEW, seer)).toEqual(foreign)
    expect(foreign.statusCode).toBe(404)
    expect(foreign.body).not.toContain("somebody")
  })

  test("a suspended tenant is refused to its own tokens, and shown to the platform's admin", async () => {
    const world = acmeWorld()
    world.database.tenants.set(ACME, { status: "suspended", tier: "Pro" })
    expect(await codeOf(world.call(VIEW, await world.reader()))).toEqual([403, "TENANT_SUSPENDED"])
    expect((await world.call(VIEW, ADMIN_TOKEN)).statusCode).toBe(200)
  })
})

describe("the internal routes", () => {
  const edge = { headers: { "hotswap-edge": EDGE_SECRET } }
  const pointerPath = `/internal/pointer/${ACME}/Staging`

  test("do not exist for anybody but the edge", async () => {
    const world = acmeWorld()
    for (const headers of [{}, { "hotswap-edge": "wrong" }, { "hotswap-edge": `${EDGE_SECRET}x` }]) {
      const result = await world.call(pointerPath, ADMIN_TOKEN, { headers })
      expect([result.statusCode, jsonOf(result).code]).toEqual([404, "ROUTE_UNKNOWN"])
    }
  })

  test("give the pointer document with its age instead of when it was read", async () => {
    const world = acmeWorld()
    await world.call(pointerPath, undefined, edge)
    world.clock.advance(1_500)
    const pointer = jsonOf(await world.call(pointerPath, undefined, edge))
    expect(pointer).toEqual({
      tenantId: ACME,
      environment: "Staging",
      tier: "Pro",
      status: "active",
      revision: "0.0.0.1",
      stable: expect.stringMatching(/^0\./),
      candidate: null,
      flags: "",
      moving: false,
      revoked: [],
      ageMs: 1_500,
      pollMs: 10_000,
    })
    world.database.tenants.clear()
    expect((await world.call("/internal/pointer/absent/Staging", undefined, edge)).statusCode).toBe(404)
  })

  test("look past what is in memory for who was told of something newer, and for nobody else", async () => {
    const world = acmeWorld()
    const revision = async (query: string) =>
      jsonOf(await world.call(`${pointerPath}${query}`, undefined, edge)).revision
    expect(await revision("")).toBe("0.0.0.1")
    world.database.move(ACME, { "limit.b": 8 })
    expect(await revision("")).toBe("0.0.0.1")
    expect(await revision("?atLeast=0.0.0.1")).toBe("0.0.0.1")
    expect(await revision("?atLeast=0.0.0.2")).toBe("0.0.0.2")
    expect(await revision("?atLeast=0.0.0.99")).toBe("0.0.0.2")
    expect(await revision("?atLeast=the+latest")).toBe("0.0.0.2")
  })

  test("ask Redis once for who was told of a move, and PostgreSQL not at all", async () => {
    const world = acmeWorld()
    const ask = async (query: string) => jsonOf(await world.call(`${pointerPath}${query}`, undefined, edge))
    const { stable } = await ask("")
    await world.background.settled()
    world.database.move(ACME, { "limit.b": 8 })
    await createPublisher(world.platform).publish(ACME, STAGING)
    const [commands, questions] = [world.database.commands, world.cache.commands]
    const told = await ask(`?atLeast=0.0.0.2&has=${stable}`)
    expect(Object.values(told.views)).toEqual(['{"limit.b":8}'])
    expect([world.database.commands - commands, world.cache.commands - questions]).toEqual([0, 1])
  })

  test("look past what is in memory for who wants to know how it is now", async () => {
    const world = acmeWorld()
    const ask = async (query: string) => jsonOf(await world.call(`${pointerPath}${query}`, undefined, edge))
    await ask("")
    world.database.move(ACME, { "limit.b": 8 })
    world.clock.advance(500)
    expect((await ask("?maxAgeMs=500")).revision).toBe("0.0.0.1")
    expect(await ask("?maxAgeMs=499")).toMatchObject({ revision: "0.0.0.2", ageMs: 0 })
  })

  test("give the small views along that whoever says what he has does not have", async () => {
    const world = acmeWorld()
    const ask = async (query: string) => jsonOf(await world.call(`${pointerPath}${query}`, undefined, edge))
    const { stable, ...rest } = await ask("")
    expect(rest).not.toHaveProperty("views")
    expect((await ask("?atLeast=0.0.0.1&has=")).views).toEqual({ [stable]: '{"feature.a":true,"limit.b":7}' })
    expect((await ask(`?atLeast=0.0.0.1&has=${stable}`)).views).toEqual({})
    world.database.move(ACME, { long: "x".repeat(65_536) })
    expect((await ask("?atLeast=0.0.0.2&has=")).views).toEqual({})
  })

  test("give a view whole or by chunk, also one of a moment ago, and never another tenant's", async () => {
    const world = acmeWorld()
    const { stable } = jsonOf(await world.call(pointerPath, undefined, edge))
    const viewPath = `/internal/view/${ACME}/Staging/${stable}`
    const text = '{"feature.a":true,"limit.b":7}'
    expect((await world.call(viewPath, undefined, edge)).body).toBe(text)
    expect((await world.call(`${viewPath}/0`, undefined, edge)).body).toBe(text)
    expect(jsonOf(await world.call(`${viewPath}/1`, undefined, edge)).code).toBe("VIEW_NOT_FOUND")
    await world.background.settled()
    world.database.move(ACME, { "feature.a": false })
    world.clock.advance(20_000)
    expect(jsonOf(await world.call(pointerPath, undefined, edge)).stable).not.toBe(stable)
    expect((await world.call(viewPath, undefined, edge)).body).toBe(text)
    world.database.tenants.set("other" as TenantId, { status: "active", tier: "Free" })
    const foreign = await world.call(`/internal/view/other/Staging/${stable}`, undefined, edge)
    expect(jsonOf(foreign).code).toBe("VIEW_NOT_FOUND")
  })

  test("give a view of many chunks joined", async () => {
    const world = acmeWorld()
    const many = Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`key.${i}`, "x".repeat(1_000)]))
    world.database.move(ACME, many)
    const { stable } = jsonOf(await world.call(pointerPath, undefined, edge))
    const whole = await world.call(`/internal/view/${ACME}/${STAGING}/${stable}`, undefined, edge)
    expect(jsonOf(whole)).toEqual(many)
  })
})

test("health asks nobody; ready asks the database", async () => {
  const world = acmeWorld()
  world.database.down = true
  expect((await world.call("/health")).statusCode).toBe(200)
  expect(world.database.commands).toBe(0)
  expect((await world.call("/ready")).statusCode).toBe(503)
  world.database.down = false
  expect((await world.call("/ready")).statusCode).toBe(200)
})
