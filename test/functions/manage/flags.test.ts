import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { GOLDEN_VIEWS } from "../../golden/golden.ts"
import { createWorld, must, type World } from "./world.ts"

interface Evaluated {
  value: unknown
  variant: string | null
  reason: string
  errorCode?: string
  errorMessage?: string
  metadata?: unknown
  arm: string
  revision: string
}
interface Explained extends Evaluated {
  decidedBy: string | null
  bucket: { by: string; bucket: number; of: number; shares: object[] } | null
  steps: { kind: string; path: string }[]
  layer: string
  version: number
  changeId: string
  approvers: { subject: string; role: string }[]
}

let world: World
let acme: Awaited<ReturnType<World["tenant"]>>
let other: Awaited<ReturnType<World["tenant"]>>
beforeAll(async () => {
  world = await createWorld()
  acme = await world.tenant("acme", "Pro")
  other = await world.tenant("other")
})
afterAll(() => world.close())

interface Options {
  tenant?: string
  environment?: string
  token?: string
  headers?: Record<string, string>
}
const at = (key: string, { tenant = "acme", environment = "Staging" }: Options = {}, action = "") =>
  `/api/v1/tenants/${tenant}/flags/${key}${action}?environment=${environment}`
const asked = ({ token, headers }: Options) => ({
  ...(token ? { token } : {}),
  ...(headers ? { headers } : {}),
})
const put = (key: string, body: object, options: Options = {}) =>
  world.call("PUT", at(key, options), { body, ...asked(options) })
const get = (key: string, options: Options = {}) => world.call("GET", at(key, options), asked(options))
const remove = (key: string, options: Options = {}) => world.call("DELETE", at(key, options), asked(options))
const evaluate = async (key: string, context: object = {}, options: Options = {}, more: object = {}) =>
  (
    await must(
      world.call<Evaluated>("POST", at(key, options, "/evaluate"), {
        body: { context, ...more },
        ...asked(options),
      }),
      200,
    )
  ).body
const explain = async (key: string, context: object = {}, options: Options = {}) =>
  (
    await must(
      world.call<Explained>("POST", at(key, options, "/explain"), { body: { context }, ...asked(options) }),
      200,
    )
  ).body

const needs = (flag: string, ...variants: string[]) => ({
  enabled: true,
  prerequisites: [{ flag, variants: variants.length > 0 ? variants : ["on"] }],
})

describe("a flag over HTTP", () => {
  test("is made, read, replaced and deleted as a config is, and is the config of that key", async () => {
    const made = await must(put("checkout", { enabled: true, percentage: 25, description: "new" }), 201)
    expect(made.body).toMatchObject({
      key: "checkout",
      enabled: true,
      percentage: 25,
      version: 1,
      layer: "tenant",
    })
    const read = await must(get("checkout"), 200)
    expect(read.body).toMatchObject({ enabled: true, percentage: 25, description: "new", locked: false })
    expect(read.body).toMatchObject({ updatedBy: "platform", changeId: made.body.changeId })
    const config = await must(world.call("GET", "/api/v1/configs/acme:Staging:checkout"), 200)
    expect(config.body.value).toEqual({
      enabled: true,
      percentage: 25,
      state: "ENABLED",
      variants: { on: true, off: false },
    })

    const headers = { "if-match": read.headers.get("etag")! }
    await must(put("checkout", { ...read.body, percentage: 50 }, { headers }), 200)
    expect((await must(put("checkout", { enabled: false }, { headers }), 412)).body.code).toBe(
      "VERSION_STALE",
    )
    const again = await must(get("checkout"), 200)
    expect(again.body).toMatchObject({ percentage: 50, version: 2, description: "new" })
    await must(
      world.call("GET", at("checkout"), { headers: { "if-none-match": again.headers.get("etag")! } }),
      304,
    )
    expect((await must(put("checkout", again.body), 422)).body.code).toBe("CHANGE_EMPTY")

    await must(remove("checkout"), 200)
    expect((await must(get("checkout"), 404)).body.code).toBe("FLAG_NOT_FOUND")
    expect((await must(remove("checkout"), 404)).body.code).toBe("FLAG_NOT_FOUND")
  })

  test("in flagd's format is kept as it was sent", async () => {
    const definition = {
      state: "ENABLED",
      variants: { red: "#f00", blue: "#00f" },
      defaultVariant: "red",
      targeting: {
        if: [
          { $ref: "staff" },
          "blue",
          {
            fractional: [
              ["red", 3],
              ["blue", 1],
            ],
          },
        ],
      },
      $evaluators: { staff: { ends_with: [{ var: "email" }, "@acme.example"] } },
      metadata: { team: "shop" },
    }
    await must(put("colour", definition), 201)
    expect((await must(get("colour"), 200)).body).toMatchObject(definition)
    const config = await must(world.call("GET", "/api/v1/configs/acme:Staging:colour"), 200)
    expect(config.body.value).toEqual(definition)
    const of = await evaluate("colour", { email: "x@acme.example" })
    expect(of).toMatchObject({ value: "#00f", variant: "blue", reason: "TARGETING_MATCH", arm: "stable" })
    expect(of.metadata).toEqual({ team: "shop" })
  })

  test("is listed page by page with those it inherits, each with its layer, and nothing else is", async () => {
    const options = { environment: "QA" }
    await must(put("b-own", { enabled: true }, options), 201)
    await must(put("a-shared", { enabled: true }, { tenant: "~platform", ...options }), 201)
    await must(put("c-tier", { enabled: true }, { tenant: "~tier.Pro", ...options }), 201)
    await must(put("b-own", { enabled: false }, { tenant: "~platform", ...options }), 201)
    const config = { tenantId: "acme", environment: "QA", key: "b-plain", value: 1 }
    await must(world.call("POST", "/api/v1/configs", { body: config }), 201)
    type Page = { items: { key: string; layer: string; enabled: boolean }[]; nextCursor: string | null }
    const seen: string[] = []
    let cursor = ""
    do {
      const path = `/api/v1/tenants/acme/flags?environment=QA&limit=2${cursor}`
      const { body } = await must(world.call<Page>("GET", path, { token: acme.tokens.viewer }), 200)
      seen.push(...body.items.map(({ key, layer, enabled }) => `${key} ${layer} ${enabled}`))
      cursor = body.nextCursor ? `&cursor=${body.nextCursor}` : ""
    } while (cursor)
    expect(seen).toEqual(["a-shared platform true", "b-own tenant true", "c-tier tier true"])
    const inherited = await must(get("c-tier", options), 200)
    expect(inherited.headers.get("etag")).toBeNull()
    expect(inherited.body.configId).toBe("~tier.Pro:QA:c-tier")
  })

  test("takes no definition that would not evaluate, and says where it is wrong", async () => {
    const refused = await must(
      put("wrong", {
        state: "ENABLED",
        variants: { on: true, off: false },
        defaultVariant: "off",
        targeting: { if: [{ regex: ["a", { var: "b" }] }, "on"] },
      }),
      422,
    )
    expect(refused.body).toMatchObject({ code: "FLAG_INVALID", errors: [{ path: "/targeting/if/0/regex" }] })
    for (const body of [
      {},
      { enabled: "yes" },
      { enabled: true, percentage: 101 },
      { enabled: true, state: "DISABLED" },
      { enabled: true, variants: { on: 1 } },
      { enabled: true, percent: 5 },
    ])
      expect((await must(put("wrong", body), 422)).body.code).toBe("FLAG_INVALID")
    await must(get("wrong"), 404)
  })

  test("is not put in the place of a config that is something else", async () => {
    const config = { tenantId: "acme", environment: "Staging", key: "plain", value: 1 }
    await must(world.call("POST", "/api/v1/configs", { body: config }), 201)
    expect((await must(put("plain", { enabled: true }), 409)).body.code).toBe("CONFIG_EXISTS")
    expect((await must(get("plain"), 404)).body.code).toBe("FLAG_NOT_FOUND")
    expect((await must(remove("plain"), 404)).body.code).toBe("FLAG_NOT_FOUND")
    const secret = { ...config, key: "hidden", secret: true }
    await must(world.call("POST", "/api/v1/configs", { body: secret }), 201)
    expect((await must(put("hidden", { enabled: true }), 409)).body.code).toBe("CONFIG_EXISTS")
  })

  test("needs the environment to be named, unless the token is bound to one", async () => {
    const path = "/api/v1/tenants/acme/flags"
    expect((await must(world.call("GET", path), 400)).body.code).toBe("QUERY_INVALID")
    const token = await acme.issue("bound", ["viewer"], "QA")
    await must(world.call("GET", path, { token }), 200)
    expect((await must(world.call("GET", `${path}?environment=Staging`, { token }), 403)).body.code).toBe(
      "FORBIDDEN",
    )
  })
})

describe("whoever writes a flag by another road", () => {
  const submit = (edits: object[], environment = "Staging") =>
    world.call("POST", "/api/v1/changes", { body: { tenantId: "acme", environment, edits } })

  test("is held to the same format, and the key stays a flag until it is deleted", async () => {
    await must(put("road", { enabled: true }), 201)
    const path = "/api/v1/configs/acme:Staging:road"
    for (const value of [
      1,
      null,
      "on",
      [],
      { on: true },
      { state: "ENABLED", variants: { on: true }, more: 1 },
    ])
      expect((await must(world.call("PUT", path, { body: { value } }), 422)).body.code).toBe("FLAG_INVALID")
    expect(
      (await must(world.call("PUT", path, { body: { value: { enabled: true }, secret: true } }), 422)).body,
    ).toMatchObject({ code: "FLAG_INVALID" })
    const made = { tenantId: "acme", environment: "Staging", key: "fresh" }
    const value = { state: "ENABLED", variants: { on: true }, defaultVariant: "off" }
    const refused = await must(world.call("POST", "/api/v1/configs", { body: { ...made, value } }), 422)
    expect(refused.body).toMatchObject({ code: "FLAG_INVALID", errors: [{ path: "fresh/defaultVariant" }] })

    await must(world.call("PUT", path, { body: { value: { enabled: false } } }), 200)
    expect((await evaluate("road")).reason).toBe("DISABLED")
    const { value: kept } = (await must(world.call("GET", path), 200)).body
    expect(kept).toMatchObject({ enabled: false, state: "DISABLED" })
    expect((await must(submit([{ key: "road", value: kept }]), 422)).body.code).toBe("CHANGE_EMPTY")
    await must(world.call("DELETE", path), 200)
    await must(world.call("POST", "/api/v1/configs", { body: { ...made, key: "road", value: 1 } }), 201)
  })

  test("is promoted, rolled back to a version, and back from a change, as a flag", async () => {
    const dev = { environment: "Development" }
    await must(put("moved", { enabled: true, percentage: 10 }, dev), 201)
    const path = "/api/v1/configs/acme:Development:moved"
    await must(world.call("POST", `${path}/promote`, { body: { targetEnvironment: "QA" } }), 202)
    expect((await must(get("moved", { environment: "QA" }), 200)).body).toMatchObject({ percentage: 10 })
    await must(put("moved", { enabled: false }, dev), 200)
    await must(world.call("POST", `${path}/rollback`, { body: { toVersion: 1 } }), 200)
    expect((await must(get("moved", dev), 200)).body).toMatchObject({ enabled: true, percentage: 10 })
    const { changeId } = (await must(put("moved", { enabled: false }, dev), 200)).body
    await must(world.call("POST", `/api/v1/changes/${changeId}/rollback`, { body: {} }), 200)
    expect((await must(get("moved", dev), 200)).body).toMatchObject({ enabled: true, version: 3 })
    const { body } = await must(world.call<{ items: object[] }>("GET", `${path}/versions`), 200)
    expect(body.items).toHaveLength(4)
    const audit = "/api/v1/audit?tenantId=acme&action=change.submit&limit=200"
    const { items } = (await must(world.call<{ items: { detail: { keys: string[] } }[] }>("GET", audit), 200))
      .body
    expect(items.filter(({ detail }) => detail.keys.includes("moved"))).toHaveLength(5)
  })
})

describe("prerequisites", () => {
  const code = async (answer: ReturnType<typeof put>) => (await must(answer, 422)).body

  test("that go round in a circle are refused, however long it is and however it is written", async () => {
    await must(put("r1", { enabled: true }), 201)
    await must(put("r2", needs("r1")), 201)
    await must(put("r3", needs("r2")), 201)
    expect(await code(put("r1", needs("r3")))).toMatchObject({
      code: "FLAG_INVALID",
      errors: [{ path: "r1/prerequisites" }],
    })
    expect((await code(put("r1", needs("r3")))).detail).toContain("r1 → r3 → r2 → r1")
    const edits = ["r4", "r5"].map((key, index) => ({
      key,
      value: { ...needs(["r5", "r4"][index]!), state: "ENABLED", variants: { on: true, off: false } },
    }))
    const body = { tenantId: "acme", environment: "Staging", edits }
    expect((await code(world.call("POST", "/api/v1/changes", { body }))).code).toBe("FLAG_INVALID")
    const preview = await must(world.call("POST", "/api/v1/changes/preview", { body }), 200)
    expect(preview.body).toMatchObject({ valid: false, problem: { code: "FLAG_INVALID" } })
  })

  test("are refused where nobody has the flag, or it has no such variant, and may be in any layer", async () => {
    expect(await code(put("p1", needs("nowhere")))).toMatchObject({
      code: "FLAG_INVALID",
      errors: [{ path: "p1/prerequisites/0/flag" }],
    })
    await must(put("base", { enabled: true }, { tenant: "~platform" }), 201)
    await must(put("p1", needs("base")), 201)
    expect((await code(put("p2", needs("base", "purple")))).errors).toMatchObject([
      { path: "p2/prerequisites/0/variants" },
    ])
    expect((await evaluate("p1")).value).toBe(true)
  })

  test("that go round through another layer are refused in the nearer one, and an error if the farther one closes them", async () => {
    await must(put("far", { enabled: true }, { tenant: "~platform" }), 201)
    await must(put("near", needs("far")), 201)
    await must(put("far2", { enabled: true }, { tenant: "~platform" }), 201)
    await must(put("far", needs("far2"), { tenant: "~platform" }), 200)
    expect((await code(put("far2", needs("near")))).code).toBe("FLAG_INVALID")
    await must(put("near", { enabled: true }, { tenant: "~platform" }), 201)
    await must(put("far2", needs("near"), { tenant: "~platform" }), 200)
    expect(await evaluate("near")).toMatchObject({ value: false, reason: "ERROR", errorCode: "PARSE_ERROR" })
    expect((await evaluate("near", {}, { tenant: "other" })).value).toBe(true)
  })

  test("that are deleted turn off whoever needs them", async () => {
    await must(put("gone", { enabled: true }), 201)
    await must(put("left", needs("gone")), 201)
    expect((await evaluate("left")).value).toBe(true)
    await must(remove("gone"), 200)
    expect(await evaluate("left")).toMatchObject({ value: false, reason: "PREREQUISITE_FAILED" })
    const { decidedBy, steps } = await explain("left")
    expect(decidedBy).toBe("/prerequisites/0")
    expect(steps).toMatchObject([{ kind: "prerequisite", flag: "gone", variant: null, isMet: false }])
  })

  test("written at the same moment never come to a circle", async () => {
    for (let round = 0; round < 10; round++) {
      const [a, b] = [`race-a${round}`, `race-b${round}`]
      await Promise.all([must(put(a, { enabled: true }), 201), must(put(b, { enabled: true }), 201)])
      const answers = await Promise.all([put(a, needs(b)), put(b, needs(a))])
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 422])
    }
  })
})

describe("evaluating", () => {
  test("gives every golden answer of flags that can be written", async () => {
    let count = 0
    for (const [index, { configs, accepted, cases }] of GOLDEN_VIEWS.entries()) {
      const tenantId = `golden-${index}`
      await world.tenant(tenantId)
      const edits = accepted.map((key) => ({ key, value: configs[key] }))
      const body = { tenantId, environment: "Staging", edits }
      await must(world.call("POST", "/api/v1/changes", { body }), 202)
      for (const { flag, context, expected, isTimed, isRefused } of cases) {
        const isAskable = ["string", "undefined"].includes(typeof context.targetingKey)
        if (isTimed || isRefused || !isAskable) continue
        const given = await evaluate(flag, context, { tenant: tenantId }, { defaultValue: "none" })
        const { value, variant, reason, errorCode, metadata = {} } = given
        expect({ flag, value, variant, reason, errorCode, metadata }).toEqual({
          flag,
          value: expected.value ?? "none",
          variant: expected.variant ?? null,
          reason: expected.reason,
          errorCode: expected.errorCode,
          metadata: expected.metadata ?? {},
        })
        count++
      }
    }
    expect(count).toBeGreaterThanOrEqual(200)
  })

  test("a flag that there is not is off, but on for a platform admin in Development, who is told so", async () => {
    const off = { value: false, reason: "ERROR", errorCode: "FLAG_NOT_FOUND" }
    expect(await evaluate("unknown")).toMatchObject(off)
    const dev = { environment: "Development" }
    expect(await evaluate("unknown", {}, { ...dev, token: acme.tokens.tenant_admin })).toMatchObject(off)
    const on = await evaluate("unknown", {}, dev)
    expect(on).toMatchObject({ value: true, reason: "DEFAULT", errorCode: "FLAG_NOT_FOUND" })
    expect(on.errorMessage).toContain("platform admin")
    expect(await explain("unknown")).toMatchObject({ ...off, decidedBy: null, layer: null, steps: [] })
  })

  test("says what there is where the flag says nothing: the caller's default, or off", async () => {
    const variants = { on: true, off: false }
    await must(put("shut", { state: "DISABLED", variants, defaultVariant: "on" }), 201)
    expect(await evaluate("shut")).toMatchObject({ value: false, variant: null, reason: "DISABLED" })
    expect((await evaluate("shut", {}, {}, { defaultValue: true })).value).toBe(true)
    await must(put("text", { state: "ENABLED", variants: { a: "A" } }), 201)
    expect(await evaluate("text")).toMatchObject({ value: null, reason: "DEFAULT" })
    expect((await evaluate("text", {}, {}, { defaultValue: "B" })).value).toBe("B")
  })

  test("is for readers of the tenant and environment, explaining is for people", async () => {
    await must(put("seen", { enabled: true }), 201)
    const reader = await acme.issue("shop", ["reader"], "Staging")
    expect((await evaluate("seen", {}, { token: reader })).value).toBe(true)
    const bound = await world.call<Evaluated>("POST", "/api/v1/tenants/acme/flags/seen/evaluate", {
      token: reader,
      body: {},
    })
    expect(bound.body.value).toBe(true)
    await must(world.call("POST", at("seen", {}, "/explain"), { token: reader, body: {} }), 403)
    await must(world.call("POST", at("seen", {}, "/evaluate"), { token: other.tokens.viewer, body: {} }), 404)
  })

  test("a context that is too long, too deep or none is refused with what is wrong", async () => {
    const code = async (raw: string) => {
      const answer = await must(world.call("POST", at("seen", {}, "/evaluate"), { raw }), 400)
      return answer.body.code
    }
    expect(await code(`{"context":{"a":"${"x".repeat(262_144)}"}}`)).toBe("CONTEXT_TOO_LARGE")
    expect(await code(`{"context":${'{"a":'.repeat(1_000)}1${"}".repeat(1_000)}}`)).toBe("JSON_TOO_DEEP")
    expect(await code('{"context":[]}')).toBe("BODY_INVALID")
    expect(await code('{"context":{"targetingKey":7}}')).toBe("BODY_INVALID")
    expect(await code('{"targetingKey":"u"}')).toBe("BODY_INVALID")
  })

  test("of a scope is as a tenant without a layer of its own would read it", async () => {
    await must(put("shared", { enabled: true }, { tenant: "~platform" }), 201)
    await must(put("shared", { enabled: false }, { tenant: "~tier.Pro" }), 201)
    expect((await evaluate("shared", {}, { tenant: "~platform" })).value).toBe(true)
    expect((await evaluate("shared", {}, { tenant: "~tier.Pro" })).value).toBe(false)
    expect((await evaluate("shared", {}, { tenant: "~tier.Free" })).value).toBe(true)
    const token = acme.tokens.tenant_admin
    await must(
      world.call("PUT", at("shared", { tenant: "~platform" }), { token, body: { enabled: true } }),
      404,
    )
  })
})

describe("layers", () => {
  test("a tier's flag is what its tenants get, until they have their own, and from the moment they change tier", async () => {
    await must(put("analytics", { enabled: false }, { tenant: "~platform" }), 201)
    await must(put("analytics", { enabled: true }, { tenant: "~tier.Enterprise" }), 201)
    const options = { tenant: "other" }
    expect((await evaluate("analytics", {}, options)).value).toBe(false)
    await must(world.call("PATCH", "/api/v1/tenants/other", { body: { tier: "Enterprise" } }), 200)
    expect((await evaluate("analytics", {}, options)).value).toBe(true)
    await must(put("analytics", { enabled: false }, options), 201)
    expect(await explain("analytics", {}, options)).toMatchObject({
      value: false,
      layer: "tenant",
      decidedBy: "/enabled",
    })
    await must(remove("analytics", options), 200)
    expect(await explain("analytics", {}, options)).toMatchObject({ value: true, layer: "tier" })
  })

  test("a flag that is locked on the platform is the kill switch over every tenant's own", async () => {
    await must(put("risky", { enabled: true }), 201)
    const platform = { tenant: "~platform" }
    await must(put("risky", { enabled: false, locked: true }, platform), 201)
    expect(await explain("risky")).toMatchObject({
      value: false,
      reason: "DISABLED",
      layer: "platform",
      rule: "locked by the platform",
    })
    await must(put("risky", { enabled: true, percentage: 100 }), 200)
    expect((await evaluate("risky", { targetingKey: "u" })).value).toBe(false)
    expect((await must(get("risky"), 200)).body).toMatchObject({
      layer: "platform",
      locked: true,
      enabled: false,
    })
    await must(put("risky", { enabled: false, locked: false }, platform), 200)
    expect((await evaluate("risky", { targetingKey: "u" })).value).toBe(true)
  })
})

describe("in Production", () => {
  const production = { environment: "Production" }
  const live = async (changeId: string) => {
    const person = await acme.issue(`second-${changeId}`, ["engineer"])
    for (const token of [person, acme.tokens.manager, acme.tokens.compliance])
      await must(world.call("POST", `/api/v1/approvals/${changeId}/approve`, { token, body: {} }), 200)
  }
  const act = (changeId: string, name: string, body: object = {}) =>
    must(world.call("POST", `/api/v1/changes/${changeId}/${name}`, { body }), 200)

  test("a flag waits for its approvals, goes out as a canary, is explained by both, and is rolled back", async () => {
    const options = { ...production, token: acme.tokens.engineer }
    const filed = await must(put("paid", { enabled: true, comment: "on" }, options), 202)
    const changeId = filed.body.changeId as string
    expect(filed.body).toMatchObject({ state: "awaiting_approval" })
    expect((await evaluate("paid", {}, production)).errorCode).toBe("FLAG_NOT_FOUND")

    await live(changeId)
    const users = Array.from({ length: 200 }, (_, index) => `user-${index}`)
    const given = await Promise.all(
      users.map((targetingKey) => evaluate("paid", { targetingKey }, production)),
    )
    for (const { arm, value } of given) expect(value).toBe(arm === "candidate")
    const on = given.filter(({ value }) => value === true)
    expect(on.length).toBeGreaterThan(0)
    expect(on.length).toBeLessThan(60)
    expect((await evaluate("paid", {}, production)).arm).toBe("stable")

    await act(changeId, "advance", { step: 0 })
    await act(changeId, "advance", { step: 1 })
    await act(changeId, "advance", { step: 2 }).catch(() => null)
    const explained = await explain("paid", { targetingKey: "user-1" }, production)
    expect(explained).toMatchObject({
      value: true,
      arm: "stable",
      version: 1,
      changeId,
      author: "engineer@acme",
    })
    expect(explained.approvers.map(({ role }) => role)).toEqual(["engineer", "manager", "compliance"])

    await act(changeId, "rollback")
    expect(await evaluate("paid", {}, production)).toMatchObject({
      value: false,
      errorCode: "FLAG_NOT_FOUND",
    })
  })

  test("an approved flag that would close a circle by now is cancelled and not started", async () => {
    const value = (flag?: string) => ({
      state: "ENABLED",
      variants: { on: true, off: false },
      defaultVariant: "on",
      ...(flag ? { prerequisites: [{ flag, variants: ["on"] }] } : {}),
    })
    const submit = async (edits: object[]) => {
      const body = { tenantId: "acme", environment: "Production", edits, strategy: { type: "direct" } }
      const { tokens } = acme
      return (await must(world.call("POST", "/api/v1/changes", { token: tokens.engineer, body }), 202)).body
    }
    const first = await submit([
      { key: "one", value: value() },
      { key: "two", value: value() },
    ])
    await live(first.changeId as string)
    const oneNeedsTwo = await submit([{ key: "one", value: value("two") }])
    const twoNeedsOne = await submit([{ key: "two", value: value("one") }])
    await live(oneNeedsTwo.changeId as string)
    await live(twoNeedsOne.changeId as string)
    const { body } = await must(world.call("GET", `/api/v1/changes/${twoNeedsOne.changeId}`), 200)
    expect(body).toMatchObject({ state: "cancelled", reason: "invalid" })
    expect(JSON.stringify(body)).toContain("FLAG_INVALID")
    expect((await evaluate("one", {}, production)).value).toBe(true)
  })
})
