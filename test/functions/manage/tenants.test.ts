import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Environment } from "../../../core/environment.ts"
import type { TenantId } from "../../../core/ids.ts"
import { readPointer } from "../../../db/queries/reading.ts"
import { createWorld, must, type World } from "./world.ts"

let world: World
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.close())

const TENANTS = "/api/v1/tenants"
interface Page {
  items: { tenantId: string; tier: string }[]
  nextCursor: string | null
}

describe("a tenant", () => {
  test("takes its id from its name, and Free where no tier is said", async () => {
    const made = await must(world.call("POST", TENANTS, { body: { name: "Äcme & Söhne, Ltd." } }), 201)
    expect(made.body).toMatchObject({ tenantId: "acme-sohne-ltd", tier: "Free", status: "active" })
    expect(made.headers.get("location")).toBe(`${TENANTS}/acme-sohne-ltd`)
  })

  test("is updated field by field, unless somebody else was first", async () => {
    const { call } = world
    await world.tenant("updated")
    const path = `${TENANTS}/updated`
    const { headers } = await must(call("GET", path), 200)
    const etag = headers.get("etag")!
    const fields = { displayName: "Updated Ltd", adminEmail: "admin@updated.example", quotas: { keys: 5 } }
    const patched = await must(call("PATCH", path, { body: fields, headers: { "if-match": etag } }), 200)
    expect(patched.body).toMatchObject({ ...fields, name: "updated" })
    expect(patched.headers.get("etag")).not.toBe(etag)
    const stale = await must(call("PATCH", path, { body: { name: "x" }, headers: { "if-match": etag } }), 412)
    expect(stale.body.code).toBe("VERSION_STALE")
    await must(call("GET", path, { headers: { "if-none-match": patched.headers.get("etag")! } }), 304)
    await must(call("GET", path, { headers: { "if-none-match": etag } }), 200)
  })

  test("that is told what it is already spends no version, nor leaves a trace in its audit", async () => {
    const { call } = world
    await world.tenant("same")
    const path = `${TENANTS}/same`
    const fields = { quotas: { b: 1, a: 2 }, externalIds: { discord: "same" } }
    await must(call("PATCH", path, { body: fields }), 200)
    await must(call("POST", `${path}/suspend`), 200)
    const before = await must(call("GET", path), 200)
    const audit = () => call("GET", "/api/v1/audit?tenantId=same")
    const { text } = await audit()
    for (const body of [{}, { name: "same" }, { ...fields, quotas: { a: 2, b: 1 } }])
      await must(call("PATCH", path, { body, headers: { "idempotency-key": JSON.stringify(body) } }), 200)
    const again = await must(call("POST", `${path}/suspend`), 200)
    expect(again.headers.get("etag")).toBe(before.headers.get("etag"))
    expect(again.body).toEqual(before.body)
    expect((await audit()).text).toBe(text)
    await must(call("POST", `${path}/resume`), 200)
  })

  test("of another tier reads through that tier at once, in every environment, and readers are told", async () => {
    await world.tenant("upgraded")
    world.published.length = 0
    await must(world.call("PATCH", `${TENANTS}/upgraded`, { body: { tier: "Enterprise" } }), 200)
    const { environments } = world.platform.settings
    for (const environment of environments) {
      const read = await readPointer(world.app, "upgraded" as TenantId, environment as Environment, [])
      expect(read?.tenant.tier).toBe("Enterprise")
    }
    expect(world.published.toSorted()).toEqual(environments.map((name) => `upgraded ${name}`).toSorted())
  })

  test("has external ids that no other can have", async () => {
    const { call } = world
    await must(
      call("POST", TENANTS, { body: { name: "first", externalIds: { discord: "42", slack: "T1" } } }),
      201,
    )
    const taken = await must(
      call("POST", TENANTS, { body: { name: "second", externalIds: { discord: "42" } } }),
      409,
    )
    expect(taken.body.code).toBe("EXTERNAL_ID_TAKEN")
    await must(call("GET", `${TENANTS}/second`), 404)
    await must(call("PATCH", `${TENANTS}/first`, { body: { externalIds: { slack: "T1" } } }), 200)
    await must(call("POST", TENANTS, { body: { name: "second", externalIds: { discord: "42" } } }), 201)
    expect((await must(call("GET", `${TENANTS}/discord:42`), 200)).body.tenantId).toBe("second")
  })

  test("that is deleted is gone, with its tokens, all but what the auditor asks, and its id is not given out again", async () => {
    const { call } = world
    const { tokens } = await world.tenant("gone")
    const config = { tenantId: "gone", environment: "QA", key: "k", value: 1 }
    const { changeId } = (await must(call("POST", "/api/v1/configs", { body: config }), 201)).body
    await must(call("DELETE", `${TENANTS}/gone`), 200)
    const paths = [
      `${TENANTS}/gone`,
      `${TENANTS}/gone/tokens`,
      "/api/v1/configs/gone:QA:k",
      "/api/v1/configs/gone:QA:k/versions",
      "/api/v1/configs/gone:QA:k/explain",
      "/api/v1/changes?tenantId=gone",
      `/api/v1/changes/${changeId}`,
    ]
    for (const path of paths)
      expect((await must(call("GET", path), 404)).body.code, path).toBe("TENANT_NOT_FOUND")
    expect((await must(call("POST", `/api/v1/changes/${changeId}/rollback`), 404)).body.code).toBe(
      "TENANT_NOT_FOUND",
    )
    expect(
      (await must(call("POST", "/api/v1/audit/verify", { body: { tenantId: "gone" } }), 200)).body.ok,
    ).toBe(true)
    await must(call("GET", "/api/v1/audit?tenantId=gone"), 200)
    await must(call("GET", `${TENANTS}/gone`, { token: tokens.viewer }), 401)
    expect((await must(call("POST", TENANTS, { body: { name: "gone" } }), 409)).body.code).toBe(
      "TENANT_EXISTS",
    )
  })
})

test("tenants are listed by id, a page at a time, by tier and by status", async () => {
  const { call } = world
  for (const tier of ["Pro", "Pro", "Pro"]) {
    const { items } = (await call<Page>("GET", `${TENANTS}?tier=Pro`)).body
    await world.tenant(`listed-${items.length}`, tier)
  }
  const first = (await must(call<Page>("GET", `${TENANTS}?tier=pro&limit=2`), 200)).body
  expect(first.items.map(({ tenantId }) => tenantId)).toEqual(["listed-0", "listed-1"])
  const rest = (await must(call<Page>("GET", `${TENANTS}?tier=pro&limit=2&cursor=${first.nextCursor}`), 200))
    .body
  expect(rest).toMatchObject({ items: [{ tenantId: "listed-2" }], nextCursor: null })
  await must(call("POST", `${TENANTS}/listed-1/suspend`), 200)
  const suspended = (await must(call<Page>("GET", `${TENANTS}?status=suspended`), 200)).body
  expect(suspended.items.map(({ tenantId }) => tenantId)).toEqual(["listed-1"])
})

test("nothing of all that was unforeseen", () => {
  expect(world.logged).toEqual([])
})
