import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { takeMarks } from "../../../db/system.ts"
import { openChecksums } from "./checksums.ts"
import { createWorld, must, type World } from "./world.ts"

let world: World
let acme: Awaited<ReturnType<World["tenant"]>>
beforeAll(async () => {
  world = await createWorld()
  acme = await world.tenant("acme", "Pro")
})
afterAll(() => world.close())

const CONFIGS = "/api/v1/configs"
const create = (key: string, value: unknown, more: object = {}) =>
  must(
    world.call("POST", CONFIGS, {
      body: { tenantId: "acme", environment: "Development", key, value, ...more },
    }),
    201,
  )

describe("a config", () => {
  test("is made, read, edited, deleted and made again, and its versions go on counting", async () => {
    const { call } = world
    const path = `${CONFIGS}/acme:Development:limit`
    const made = await create("limit", 7, {
      description: "how many",
      owner: "shop",
      schema: { type: "integer" },
    })
    expect(made.headers.get("location")).toBe(path)
    const read = await must(call("GET", path), 200)
    expect(read.body).toMatchObject({
      value: 7,
      type: "number",
      version: 1,
      description: "how many",
      owner: "shop",
    })
    expect(read.body).toMatchObject({
      schema: { type: "integer" },
      updatedBy: "platform",
      updatedAt: made.body.updatedAt,
    })

    const edited = await must(call("PUT", path, { body: { value: 8 }, headers: { "if-match": '"1"' } }), 200)
    expect(edited.body).toMatchObject({
      value: 8,
      version: 2,
      description: "how many",
      schema: { type: "integer" },
    })
    await must(call("PUT", path, { body: { description: null } }), 200)
    expect((await call("GET", path)).body.description).toBeNull()

    const deleted = await must(call("DELETE", path, { headers: { "if-match": '"3"' } }), 200)
    expect(deleted.body).toMatchObject({ deleted: true, version: 4 })
    await must(call("GET", path), 404)
    expect((await create("limit", 9)).body.version).toBe(5)

    const { items } = (await must(call<{ items: { version: number }[] }>("GET", `${path}/versions`), 200))
      .body
    expect(items.map(({ version }) => version)).toEqual([5, 4, 3, 2, 1])
    const diff = await must(call("GET", `${path}/diff?from=1&to=2`), 200)
    expect(diff.body.values).toEqual([{ path: "", kind: "changed", before: 7, after: 8 }])
  })

  test("goes back to an earlier version, in full, as a new one", async () => {
    const { call } = world
    const path = `${CONFIGS}/acme:Development:back`
    await create("back", "first", { description: "one" })
    await must(call("PUT", path, { body: { value: "second", description: "two", locked: true } }), 200)
    const restored = await must(call("POST", `${path}/rollback`, { body: { toVersion: 1 } }), 200)
    expect(restored.body).toMatchObject({ value: "first", description: "one", locked: false, version: 3 })
  })

  test("is not sent again while the reader has the version there is", async () => {
    const { call } = world
    await create("cached", 1)
    const path = `${CONFIGS}/acme:Development:cached`
    const etag = (await call("GET", path)).headers.get("etag")!
    const again = await must(call("GET", path, { headers: { "if-none-match": `W/"7", ${etag}` } }), 304)
    expect(again.text).toBe("")
    await must(call("PUT", path, { body: { value: 2 } }), 200)
    await must(call("GET", path, { headers: { "if-none-match": etag } }), 200)
  })

  test("keeps its value exactly as JSON has it, members in canonical order", async () => {
    const value = `{"1":"numeric","__proto__":{"a":1},"deep":[[{"n":1e+21,"z":0.1,"é":"\u{1F600}"}]],"empty":{}}`
    const text = `{"tenantId":"acme","environment":"Development","key":"exact","value":${value}}`
    await must(world.call("POST", CONFIGS, { raw: text }), 201)
    const read = await world.call("GET", `${CONFIGS}/acme:Development:exact`)
    expect(JSON.stringify(read.body.value)).toBe(value)
  })

  test("of the platform reaches the tenant, with its provenance, unless the tenant has its own or it is locked", async () => {
    const { call } = world
    const of = (tenantId: string, value: string, more = {}) =>
      must(
        call("POST", CONFIGS, {
          body: { tenantId, environment: "Development", key: "layered", value, ...more },
        }),
        201,
      )
    await of("~platform", "platform's")
    await of("~tier.Pro", "tier's")
    const explain = async () =>
      (await must(call("GET", `${CONFIGS}/acme:Development:layered/explain`), 200)).body
    expect(await explain()).toMatchObject({ value: "tier's", layer: "tier", scope: "~tier.Pro", version: 1 })
    await of("acme", "acme's")
    expect(await explain()).toMatchObject({ value: "acme's", layer: "tenant", author: "platform" })
    await must(call("PUT", `${CONFIGS}/~platform:Development:layered`, { body: { locked: true } }), 200)
    expect(await explain()).toMatchObject({
      value: "platform's",
      layer: "platform",
      rule: "locked by the platform",
    })
    await must(
      call("PUT", `${CONFIGS}/~platform:Development:layered`, {
        token: acme.tokens.tenant_admin,
        body: { locked: false },
      }),
      404,
    )
  })

  test("is listed by key, a page at a time, and by prefix", async () => {
    const { call } = world
    for (const key of ["list.c", "list.a", "list.b", "other"])
      await must(
        call("POST", CONFIGS, { body: { tenantId: "acme", environment: "QA", key, value: key } }),
        201,
      )
    interface Page {
      items: { key: string; updatedBy: string }[]
      nextCursor: string | null
    }
    const path = `${CONFIGS}?tenantId=acme&environment=QA&prefix=list.&limit=2`
    const first = (await must(call<Page>("GET", path), 200)).body
    expect(first.items).toMatchObject([{ key: "list.a", updatedBy: "platform" }, { key: "list.b" }])
    const second = (await must(call<Page>("GET", `${path}&cursor=${first.nextCursor}`), 200)).body
    expect(second).toMatchObject({ items: [{ key: "list.c" }], nextCursor: null })
  })
})

describe("an Idempotency-Key", () => {
  test("repeats the answer byte for byte and does nothing twice", async () => {
    const sums = openChecksums(world.url("postgres"))
    const body = { tenantId: "acme", environment: "Development", key: "once", value: { b: 1, a: [2] } }
    const requests: [string, string, object | undefined][] = [
      ["POST", CONFIGS, body],
      ["PUT", `${CONFIGS}/acme:Development:once`, { value: 2 }],
      ["DELETE", `${CONFIGS}/acme:Development:once`, undefined],
      [
        "POST",
        "/api/v1/changes",
        { tenantId: "acme", environment: "Production", edits: [{ key: "once", value: 1 }] },
      ],
      ["POST", "/api/v1/tenants", { tenantId: "once", name: "Once", externalIds: { a: "1" } }],
      ["PATCH", "/api/v1/tenants/once", { displayName: "One" }],
      ["POST", "/api/v1/tenants/once/suspend", undefined],
      ["DELETE", "/api/v1/tenants/once", undefined],
    ]
    try {
      for (const [index, [method, path, sent]] of requests.entries()) {
        const ask = { headers: { "idempotency-key": `key ${index}` }, ...(sent ? { body: sent } : {}) }
        const first = await world.call(method, path, ask)
        expect(first.status, first.text).toBeLessThan(300)
        const before = await sums.read()
        const second = await world.call(method, path, ask)
        expect([second.status, second.text]).toEqual([first.status, first.text])
        for (const name of ["etag", "location"])
          expect(second.headers.get(name)).toBe(first.headers.get(name))
        expect(await sums.read()).toEqual(before)
      }
    } finally {
      await sums.close()
    }
  })

  test("is refused for another request, and does not reach another principal's", async () => {
    const { call } = world
    const headers = { "idempotency-key": "mine" }
    const body = { tenantId: "acme", environment: "Development", key: "keyed", value: 1 }
    await must(call("POST", CONFIGS, { headers, body }), 201)
    const other = await must(call("POST", CONFIGS, { headers, body: { ...body, value: 2 } }), 422)
    expect(other.body.code).toBe("IDEMPOTENCY_KEY_REUSED")
    const theirs = await must(call("POST", CONFIGS, { headers, body, token: acme.tokens.engineer }), 409)
    expect(theirs.body.code).toBe("CONFIG_EXISTS")
  })

  test("sent many times at once is one edit with one answer", async () => {
    const ask = {
      headers: { "idempotency-key": "at once" },
      body: { tenantId: "acme", environment: "Development", key: "at.once", value: 1 },
    }
    const answers = await Promise.all(Array.from({ length: 6 }, () => world.call("POST", CONFIGS, ask)))
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
    expect(answers[0]!.status).toBe(201)
  })

  test("of an issued token repeats all but the token, which is kept nowhere", async () => {
    const ask = { headers: { "idempotency-key": "token" }, body: { subject: "bot", roles: ["engineer"] } }
    const first = await must(world.call("POST", "/api/v1/tenants/acme/tokens", ask), 201)
    const second = await must(world.call("POST", "/api/v1/tenants/acme/tokens", ask), 201)
    const { token, ...rest } = first.body
    expect(token).toMatch(/^hs_acme_/)
    expect(second.body).toEqual(rest)
  })
})

describe("when what is cached cannot be brought up to date", () => {
  test("the edit is made all the same, the failure is logged, and the mark stays for the relay", async () => {
    const marked = async () =>
      (await takeMarks(world.system, 100)).some(
        ({ scope, environment }) => scope === "acme" && environment === "QA",
      )
    const edit = (key: string) => create(key, 1, { environment: "QA" })
    await edit("before")
    expect(await marked()).toBe(false)
    const publish = world.platform.publisher.publish
    world.platform.publisher.publish = () => Promise.reject(new Error("no cache"))
    try {
      await edit("unpublished")
    } finally {
      world.platform.publisher.publish = publish
    }
    expect(world.logged.some((line) => line.includes("no cache"))).toBe(true)
    expect(await marked()).toBe(true)
    await edit("published")
    expect(await marked()).toBe(false)
  })
})

describe("at the same moment", () => {
  test("twenty edits of different keys all come through, and none is lost", async () => {
    const keys = Array.from({ length: 20 }, (_, index) => `busy.${index}`)
    await Promise.all(keys.map((key) => create(key, key)))
    const path = `${CONFIGS}?tenantId=acme&environment=Development&prefix=busy.`
    const { items } = (await must(world.call<{ items: unknown[] }>("GET", path), 200)).body
    expect(items.length).toBe(20)
  })

  test("of edits with one If-Match exactly one comes through", async () => {
    await create("raced", 0)
    const edits = Array.from({ length: 8 }, (_, index) =>
      world.call("PUT", `${CONFIGS}/acme:Development:raced`, {
        body: { value: index + 1 },
        headers: { "if-match": '"1"' },
      }),
    )
    const answers = await Promise.all(edits)
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(412)])
  })
})
