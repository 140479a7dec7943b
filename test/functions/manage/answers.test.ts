import { Ajv2020 } from "ajv/dist/2020.js"
import formats from "ajv-formats"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { currentOpenapi } from "../../../functions/manage/write-openapi.ts"
import { type Answer, createWorld, must, type World } from "./world.ts"

let world: World
let acme: Awaited<ReturnType<World["tenant"]>>

const CONFIGS = "/api/v1/configs"
const CHANGES = "/api/v1/changes"
const ENVIRONMENT = "/api/v1/tenants/acme/environments/QA"
const OTHERS = "/api/v1/tenants/shown-ltd/environments/QA"
const IN_QA = { tenantId: "acme", environment: "QA" }

beforeAll(async () => {
  world = await createWorld()
  acme = await world.tenant("acme")
})
afterAll(async () => {
  await world.close()
})

interface Reply {
  content?: Record<string, { schema: object }>
}
const reference = JSON.parse(await currentOpenapi()) as {
  paths: Record<string, Record<string, { responses: Record<string, Reply> }>>
}
const ajv = new Ajv2020({ strict: false, allErrors: true })
formats.default(ajv)
ajv.addSchema({ $id: "https://hotswap.test/openapi", ...reference })

const asPattern = (path: string) => new RegExp(`^${path.replaceAll(/\{.+?\}/g, "[^/]+")}$`)
const pointerPart = (text: string) => encodeURIComponent(text.replaceAll("~", "~0").replaceAll("/", "~1"))

/** What the reference's schema for this answer finds wrong with it; fails where it has none. */
const wrongWith = (method: string, path: string, { status, body }: Answer): unknown => {
  const bare = path.split("?")[0]!
  const template = Object.keys(reference.paths)
    .toSorted((one, other) => one.split("{").length - other.split("{").length)
    .find((known) => asPattern(known).test(bare) && reference.paths[known]?.[method.toLowerCase()])!
  const place = `paths/${pointerPart(template)}/${method.toLowerCase()}/responses/${status}`
  const validate = ajv.getSchema(
    `https://hotswap.test/openapi#/${place}/content/${pointerPart("application/json")}/schema`,
  )!
  return validate(body) ? null : validate.errors
}

test("what is answered is what the reference says is answered", async () => {
  const asked: [method: string, path: string, status: number, body?: object][] = [
    ["POST", "/api/v1/tenants", 201, { name: "Shown Ltd", displayName: "Shown", externalIds: { a: "1" } }],
    ["GET", "/api/v1/tenants/shown-ltd", 200],
    ["GET", "/api/v1/tenants", 200],
    ["PATCH", "/api/v1/tenants/shown-ltd", 200, { displayName: null }],
    ["POST", "/api/v1/tenants/acme/tokens", 201, { subject: "s", roles: ["viewer"] }],
    ["POST", "/api/v1/tokens", 201, { subject: "r", roles: ["reader"], tenants: "*", environment: "QA" }],
    ["GET", "/api/v1/tenants/acme/tokens", 200],
    ["GET", "/api/v1/tenants/~platform/tokens", 200],
    ["POST", CONFIGS, 201, { ...IN_QA, key: "plain", value: 1 }],
    ["POST", CONFIGS, 201, { ...IN_QA, key: "full", value: {}, schema: {}, description: "d", owner: "o" }],
    ["PUT", `${CONFIGS}/acme:QA:plain`, 200, { value: [null] }],
    ["GET", `${CONFIGS}/acme:QA:plain`, 200],
    ["GET", `${CONFIGS}/acme:QA:full`, 200],
    ["GET", `${CONFIGS}?tenantId=acme&environment=QA`, 200],
    ["GET", `${CONFIGS}/acme:QA:plain/versions`, 200],
    ["POST", `${CONFIGS}/acme:QA:plain/rollback`, 200, { toVersion: 1 }],
    ["POST", `${CONFIGS}/acme:QA:plain/promote`, 202, { targetEnvironment: "Staging" }],
    ["DELETE", `${CONFIGS}/acme:QA:full`, 200],
    ["POST", `${CONFIGS}/acme:QA:full/rollback`, 200, { toVersion: 1 }],
    ["POST", `${CONFIGS}/acme:QA:full/rollback`, 200, { toVersion: 2 }],
    ["POST", CHANGES, 202, { ...IN_QA, environment: "Production", edits: [{ key: "k", value: 1 }] }],
    ["POST", `${CHANGES}/preview`, 200, { ...IN_QA, edits: [{ key: "k", value: 1 }] }],
    ["POST", `${CHANGES}/preview`, 200, { ...IN_QA, edits: [{ key: "gone", delete: true }] }],
    ["POST", CHANGES, 202, { ...IN_QA, edits: [{ key: "k", value: 1 }], strategy: { type: "blue_green" } }],
    ["GET", `${CHANGES}?tenantId=acme`, 200],
    ["POST", `${ENVIRONMENT}/signals`, 200, { source: "a", status: "warning", summary: "b" }],
    ["POST", `${ENVIRONMENT}/signals`, 202, { source: "a", status: "resolved", summary: "b" }],
    [
      "PUT",
      `${OTHERS}/policy`,
      200,
      { stages: [{ role: "manager", required: 1 }], gate: { requestsMin: 9 } },
    ],
    ["GET", `${OTHERS}/policy`, 200],
    ["DELETE", `${OTHERS}/policy`, 202],
    ["GET", "/api/v1/tenants/acme/environments/Production/policy", 200],
    ["GET", `${ENVIRONMENT}/releases`, 200],
    ["POST", `${ENVIRONMENT}/rollback`, 200],
    ["GET", "/api/v1/approvals?tenantId=acme", 200],
    ["GET", "/api/v1/audit?tenantId=acme", 200],
    ["POST", "/api/v1/audit/verify", 200, { tenantId: "acme" }],
  ]
  for (const [method, path, status, body] of asked) {
    const answer = await must(world.call(method, path, { body }), status)
    expect(wrongWith(method, path, answer), `${method} ${path}`).toBeNull()
  }
})

describe("a tenant's own token", () => {
  test("names its tenant, and nobody has to know whose list it is in", async () => {
    const { body } = await must(
      world.call("POST", "/api/v1/tenants/acme/tokens", { body: { subject: "t", roles: ["viewer"] } }),
      201,
    )
    expect(body.tenants).toEqual(["acme"])
  })
})

describe("a tenant's details", () => {
  test("can be taken away again with null", async () => {
    const made = { name: "Bare", displayName: "B", adminEmail: "b@example.com" }
    await must(world.call("POST", "/api/v1/tenants", { body: made }), 201)
    const none = { displayName: null, adminEmail: null }
    const { body } = await must(world.call("PATCH", "/api/v1/tenants/bare", { body: none }), 200)
    expect(body).toMatchObject(none)
  })
})

describe("If-Match", () => {
  test("takes a tag that a compressing proxy has made weak", async () => {
    await must(world.call("POST", CONFIGS, { body: { ...IN_QA, key: "weak", value: 1 } }), 201)
    const put = (value: number) =>
      world.call("PUT", `${CONFIGS}/acme:QA:weak`, { body: { value }, headers: { "if-match": 'W/"1"' } })
    await must(put(2), 200)
    expect((await must(put(3), 412)).body.code).toBe("VERSION_STALE")
  })
})

describe("a promotion that names keys", () => {
  test("is refused when one of them is not there, and says which", async () => {
    await must(world.call("POST", CONFIGS, { body: { ...IN_QA, key: "there", value: 1 } }), 201)
    const promote = { from: "QA", keys: ["there", "not.there"] }
    const body = { tenantId: "acme", environment: "Staging", promote }
    const refused = await must(world.call("POST", CHANGES, { body }), 422)
    expect(refused.body).toMatchObject({
      code: "PROMOTION_EMPTY",
      detail: "QA does not have not.there.",
      errors: [{ path: "not.there", message: "is not stable there" }],
    })
    await must(world.call("GET", `${CONFIGS}/acme:Staging:there`), 404)
  })
})

describe("a list", () => {
  test("of changes tells which keys each edits, and leaves out what to", async () => {
    const value = "a value that only the change itself shows"
    const edits = [
      { key: "l1", value },
      { key: "l2", value },
    ]
    const made = await must(
      world.call<{ changeId: string }>("POST", CHANGES, { body: { ...IN_QA, edits } }),
      202,
    )
    const list = await must(world.call("GET", `${CHANGES}?tenantId=acme&limit=1`), 200)
    expect(list.body).toMatchObject({
      items: [{ changeId: made.body.changeId, keys: ["l1", "l2"], editCount: 2 }],
    })
    expect(list.text).not.toContain(value)
  })

  test("of versions stays small enough to be answered, and goes on where it stopped", async () => {
    const big = { ...IN_QA, environment: "Development", key: "big" }
    await must(world.call("POST", CONFIGS, { body: { ...big, value: "0".repeat(260_000) } }), 201)
    for (let version = 1; version < 20; version++)
      await must(
        world.call("PUT", `${CONFIGS}/acme:Development:big`, {
          body: { value: String(version % 10).repeat(260_000) },
        }),
        200,
      )
    const seen: number[] = []
    let cursor: string | null = null
    do {
      const from: string = cursor === null ? "" : `?cursor=${cursor}`
      const page = await must(
        world.call<{ items: { version: number }[]; nextCursor: string | null }>(
          "GET",
          `${CONFIGS}/acme:Development:big/versions${from}`,
        ),
        200,
      )
      expect(page.text.length).toBeLessThan(5 * 1_024 * 1_024)
      seen.push(...page.body.items.map(({ version }) => version))
      cursor = page.body.nextCursor
    } while (cursor !== null)
    expect(seen).toEqual(Array.from({ length: 20 }, (_, index) => 20 - index))
  })
})

describe("a tier that there is not", () => {
  test("is refused as such, also where it is named as a scope", async () => {
    const body = { tenantId: "~tier.Gold", environment: "QA", key: "k", value: 1 }
    expect((await must(world.call("POST", CONFIGS, { body }), 400)).body.code).toBe("TIER_UNKNOWN")
  })
})

describe("what was sent", () => {
  test("is repeated in a refusal only as far as it takes to recognise it", async () => {
    const { token } = { token: acme.tokens.viewer }
    for (const path of [`${CHANGES}/${"x".repeat(3_000)}`, `${CONFIGS}/${"x".repeat(3_000)}`])
      expect((await must(world.call("GET", path, { token }), 404)).text.length).toBeLessThan(600)
  })
})
