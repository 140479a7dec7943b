import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { diskStore } from "../../sdk/src/disk.ts"
import { HotswapClient, HotswapError } from "../../sdk/src/index.ts"
import type { HotswapEvents } from "../../sdk/src/types.ts"
import { type RunningHotswap, removeHome, startHotswap, temporaryHome } from "../support/hotswap.ts"
import { createTenant as create, PATIENTLY, type Tenant } from "./service.ts"

let hotswap: RunningHotswap
const tenants: Tenant[] = []
beforeAll(async () => {
  hotswap = await startHotswap({ home: await temporaryHome() })
}, 90_000)
afterAll(async () => {
  for (const tenant of tenants) await tenant.close()
  await hotswap?.kill("group")
  if (hotswap) await removeHome(hotswap.home)
})

const createTenant = async (tenantId: string, configs?: object): Promise<Tenant> => {
  const tenant = await create(hotswap, tenantId, configs)
  tenants.push(tenant)
  return tenant
}

const FLAG = { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "on" }

test("a client has the whole configuration in memory, and hears of each change as it happens", async () => {
  const { connect, change } = await createTenant("whole", {
    k: "old",
    deep: { list: [1, { two: 2 }] },
    flag: FLAG,
  })
  const client = connect()
  const changes: HotswapEvents["changed"][] = []
  client.on("changed", (event) => changes.push(event))
  await client.ready()
  expect([...client.view().keys()].sort()).toEqual(["deep", "flag", "k"])
  expect([...client.view().flags()]).toEqual(["flag"])
  expect(client.get("k")).toBe("old")
  expect(client.get("flag")).toEqual(FLAG)
  expect(client.isEnabled("flag")).toBe(true)
  await change({ k: "new", flag: { ...FLAG, defaultVariant: "off" } })
  await expect.poll(() => client.get("k"), PATIENTLY).toBe("new")
  expect(client.isEnabled("flag")).toBe(false)
  const { revision } = client.view()
  expect(changes).toEqual([{ revision, keys: expect.arrayContaining(["k", "flag"]), flags: ["flag"] }])
  await change({ k: undefined })
  await expect.poll(() => client.get("k"), PATIENTLY).toBeUndefined()
})

test("a rollout reaches those units that the service itself gives the candidate, and keeps them as it grows", async () => {
  const { connect, change, must, tenantId, token } = await createTenant("rolling")
  const client = connect()
  await client.ready()
  const hold = { holdMs: 600_000 }
  const strategy = {
    type: "canary",
    steps: [
      { weightBp: 3_000, ...hold },
      { weightBp: 6_000, ...hold },
    ],
  }
  const { changeId } = await change({ k: "new", added: 1 }, strategy)
  const units = Array.from({ length: 40 }, (_, index) => `user-${index}`)
  const reached = () => units.filter((unit) => client.view(unit).arm === "candidate")
  await expect.poll(() => reached().length, PATIENTLY).toBeGreaterThan(0)
  const early = reached()
  for (const unit of units) {
    const path = `/api/v1/configs/tenant/${tenantId}?targetingKey=${unit}`
    const { body } = await hotswap.call<{ arm: string; configs: object }>("GET", path, { token })
    const view = client.view(unit)
    expect({ arm: view.arm, configs: { k: view.get("k"), added: view.get("added") } }).toEqual({
      arm: body.arm,
      configs: { added: undefined, ...body.configs },
    })
    expect(client.view(unit).arm).toBe(view.arm)
  }
  await must("POST", `/api/v1/changes/${changeId}/advance`, { step: 0 })
  await expect.poll(() => reached().length, PATIENTLY).toBeGreaterThan(early.length)
  expect(reached()).toEqual(expect.arrayContaining(early))
})

test("plain configuration is rolled out by the instance", async () => {
  const { connect, change } = await createTenant("by-instance")
  const clients = Array.from({ length: 20 }, (_, index) => connect({ instanceId: `instance-${index}` }))
  await Promise.all(clients.map((client) => client.ready()))
  await change({ k: "new" }, { type: "canary", steps: [{ weightBp: 5_000, holdMs: 600_000 }] })
  const values = () => new Set(clients.map((client) => client.get("k")))
  await expect.poll(values, PATIENTLY).toEqual(new Set(["old", "new"]))
  for (const [index, client] of clients.entries())
    expect(client.get("k")).toBe(client.view(`instance-${index}`).get("k"))
})

test("whatever is read of one view is of one moment, while it changes underneath", async () => {
  const { connect, change } = await createTenant("atomic", { a: 0, b: 0 })
  const client = connect()
  await client.ready()
  let isOver = false
  let views = 0
  const reading = (async () => {
    while (!isOver) {
      const view = client.view()
      const a = view.get("a")
      await new Promise((resolve) => setImmediate(resolve))
      expect(view.get("b")).toBe(a)
      views++
    }
  })()
  for (let value = 1; value <= 20; value++) await change({ a: value, b: value })
  await expect.poll(() => client.get("a"), PATIENTLY).toBe(20)
  isOver = true
  await reading
  expect(views).toBeGreaterThan(20)
})

test("nobody who is handed a value can alter it for the others", async () => {
  const { connect } = await createTenant("frozen", { deep: { list: [{ a: 1 }] }, flag: FLAG })
  const client = connect()
  await client.ready()
  const deep = client.get("deep") as { list: { a: number }[] }
  expect(() => {
    deep.list[0]!.a = 2
  }).toThrow(TypeError)
  expect(() => deep.list.push({ a: 3 })).toThrow(TypeError)
  expect(() => Object.assign(client.view(), { arm: "candidate" })).toThrow(TypeError)
  expect(client.get("deep")).toEqual({ list: [{ a: 1 }] })
})

test("without the stream a change is there within the pace that the service says", async () => {
  const { connect, change, token, tenantId } = await createTenant("polling")
  const client = connect({ stream: false })
  await client.ready()
  await change({ k: "new" })
  await expect.poll(() => client.get("k"), PATIENTLY).toBe("new")
  for (const origin of [false, true]) {
    const path = `/api/v1/configs/tenant/${tenantId}?arms=both`
    const { headers } = await hotswap.call("GET", path, { token, origin })
    expect(headers.get("hotswap-poll")).toBe("5;stream=5")
    const known = { "if-none-match": headers.get("etag")! }
    const again = await fetch((origin ? hotswap.originUrl : hotswap.url) + path, {
      headers: { authorization: `Bearer ${token}`, ...known },
    })
    expect([again.status, again.headers.get("hotswap-poll")]).toEqual([304, "5;stream=5"])
  }
})

test("with the service gone it starts from disk, under the name it had", async () => {
  const { connect, tenantId, token } = await createTenant("lasting", { k: { kept: true }, flag: FLAG })
  const folder = await mkdtemp(join(tmpdir(), "hotswap-sdk-"))
  const store = diskStore(join(folder, "qa", "lasting.json"))
  const online = connect({ store })
  await online.ready()
  await expect.poll(() => store.load(), PATIENTLY).not.toBeNull()
  const url = "http://127.0.0.1:1"
  const offline = new HotswapClient({
    url,
    token,
    tenantId,
    store: diskStore(join(folder, "qa", "lasting.json")),
  })
  const stale = new Promise<Date>((resolve) => offline.on("stale", ({ since }) => resolve(since)))
  await offline.ready()
  expect(offline.get("k")).toEqual({ kept: true })
  expect(offline.isEnabled("flag")).toBe(true)
  expect(offline.view().revision).toBe(online.view().revision)
  expect(await store.instanceId()).toBe(await diskStore(join(folder, "qa", "lasting.json")).instanceId())
  expect(await stale).toBeInstanceOf(Date)
  await offline.close()
  const stranger = new HotswapClient({ url, token, tenantId: "another", store })
  await expect(stranger.ready(200)).rejects.toThrow("nothing to serve")
  await stranger.close()
  await rm(folder, { recursive: true })
})

test("a token that is revoked is told as an error, and what is there is served on", async () => {
  const { connect, must, tenantId, tokenId } = await createTenant("revoked")
  const client = connect({ stream: false })
  await client.ready()
  const told = new Promise<Error>((resolve) => client.on("error", ({ error }) => resolve(error)))
  await must("DELETE", `/api/v1/tenants/${tenantId}/tokens/${tokenId}`)
  await expect
    .poll(
      () =>
        client.reload().then(
          () => "answered",
          (error: unknown) => (error as HotswapError).status,
        ),
      PATIENTLY,
    )
    .toBe(401)
  expect(await told).toBeInstanceOf(HotswapError)
  expect(client.get("k")).toBe("old")
})

test("a token that is not one is said so at once, and closing ends whoever waits", async () => {
  const { connect } = await createTenant("waiting")
  await expect(connect({ token: "hsr_no" }).ready()).rejects.toThrow("nothing to serve")
  const client = connect({ url: "http://127.0.0.1:1" })
  const waiting = expect(client.ready()).rejects.toThrow("nothing to serve")
  await client.close()
  await waiting
})

test("a token of several tenants serves a client of each", async () => {
  const names = ["one-of-two", "two-of-two"]
  for (const name of names) await createTenant(name, { name })
  const issued = await hotswap.call<{ token: string }>("POST", "/api/v1/tokens", {
    body: { subject: "fleet", roles: ["reader"], tenants: names, environment: "QA" },
  })
  const { connect } = tenants.at(-1)!
  const clients = names.map((tenantId) => connect({ tenantId, token: issued.body.token }))
  await Promise.all(clients.map((client) => client.ready()))
  expect(clients.map((client) => client.get("name"))).toEqual(names)
  await tenants.at(-2)!.change({ name: "other" })
  await expect.poll(() => clients[0]!.get("name"), PATIENTLY).toBe("other")
  expect(clients[1]!.get("name")).toBe("two-of-two")
})

test("what clients say of their requests takes a bad rollout back, and they have the old value again", async () => {
  const { connect, change, must } = await createTenant("failing")
  const client = connect()
  await client.ready()
  const { changeId } = await change(
    { k: "bad" },
    { type: "canary", steps: [{ weightBp: 5_000, holdMs: 600_000 }] },
  )
  let unit = 0
  const serve = () => {
    for (let index = 0; index < 20; index++) {
      const view = client.view(`user-${unit++ % 100}`)
      client.report(view, { ok: view.get("k") === "old", latencyMs: 12 })
    }
    return must<{ state: string; reason: string }>("GET", `/api/v1/changes/${changeId}`)
  }
  await expect.poll(serve, PATIENTLY).toMatchObject({ state: "rolled_back", reason: "unhealthy" })
  await expect
    .poll(() => client.view("user-1").get("k") === "old" && client.view("user-2").arm, PATIENTLY)
    .toBe("stable")
})
