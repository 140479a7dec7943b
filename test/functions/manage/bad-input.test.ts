import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { PROBLEMS, type ProblemCode } from "../../../core/errors.ts"
import { openChecksums } from "./checksums.ts"
import { type Ask, createWorld, must, type World } from "./world.ts"

let world: World
let checksums: ReturnType<typeof openChecksums>
let acme: Awaited<ReturnType<World["tenant"]>>
let changeId: string

const CONFIGS = "/api/v1/configs"
const NEW = { tenantId: "acme", environment: "Development", key: "fresh", value: 1 }
const KNOWN = "acme:Development:known"

beforeAll(async () => {
  world = await createWorld()
  checksums = openChecksums(world.url("postgres"))
  acme = await world.tenant("acme")
  const { call } = world
  const schema = { type: "object", properties: { size: { type: "integer" } }, required: ["size"] }
  await must(call("POST", CONFIGS, { body: { ...NEW, key: "known", value: { size: 1 }, schema } }), 201)
  await must(call("PUT", `${CONFIGS}/${KNOWN}`, { body: { value: { size: 2 } } }), 200)
  const change = { tenantId: "acme", environment: "Production", edits: [{ key: "k", value: 1 }] }
  const token = acme.tokens.engineer
  changeId = (await must(call<{ changeId: string }>("POST", "/api/v1/changes", { token, body: change }), 202))
    .body.changeId
})
afterAll(async () => {
  await checksums.close()
  await world.close()
})

type Case = [
  what: string,
  code: ProblemCode,
  method: string,
  path: string | (() => string),
  ask?: Ask | (() => Ask),
]

const raw = (value: string): Ask => ({
  raw: `{"tenantId":"acme","environment":"Development","key":"fresh","value":${value}}`,
})
const with_ = (fields: object): Ask => ({ body: { ...NEW, ...fields } })

const CASES: Case[] = [
  ["an unknown tenant", "TENANT_NOT_FOUND", "POST", CONFIGS, with_({ tenantId: "nobody" })],
  ["an unknown tenant in the path", "TENANT_NOT_FOUND", "GET", "/api/v1/tenants/nobody"],
  ["an unknown external id", "TENANT_NOT_FOUND", "GET", "/api/v1/tenants/discord:1"],
  ["an unknown environment", "ENVIRONMENT_UNKNOWN", "POST", CONFIGS, with_({ environment: "Nowhere" })],
  [
    "an unknown tier",
    "TIER_UNKNOWN",
    "POST",
    "/api/v1/tenants",
    { body: { tenantId: "t", name: "T", tier: "Gold" } },
  ],
  [
    "a malformed slug",
    "TENANT_ID_INVALID",
    "POST",
    "/api/v1/tenants",
    { body: { tenantId: "No Slug", name: "T" } },
  ],
  ["a name that makes no slug", "TENANT_ID_INVALID", "POST", "/api/v1/tenants", { body: { name: "!!!" } }],
  [
    "a tenant that is there",
    "TENANT_EXISTS",
    "POST",
    "/api/v1/tenants",
    { body: { tenantId: "acme", name: "A" } },
  ],
  ["a malformed key", "KEY_INVALID", "POST", CONFIGS, with_({ key: "no spaces" })],
  ["a key that is there", "CONFIG_EXISTS", "POST", CONFIGS, with_({ key: "known" })],
  [
    "a value that reads like a secret",
    "SECRET_MARKER",
    "POST",
    CONFIGS,
    with_({ value: { $secret: true, version: 1 } }),
  ],
  [
    "a secret without a new value",
    "SECRET_VALUE_NEEDED",
    "PUT",
    "/api/v1/configs/acme:Development:known",
    { body: { secret: true } },
  ],
  ["the secret of what is none", "SECRET_NONE", "GET", "/api/v1/configs/acme:Development:known/secret", {}],
  ["a value over 256 KiB", "VALUE_TOO_LARGE", "POST", CONFIGS, with_({ value: "x".repeat(262_145) })],
  ["nesting beyond 64 levels", "JSON_TOO_DEEP", "POST", CONFIGS, raw("[".repeat(64) + "]".repeat(64))],
  [
    "more than 10,000 keys",
    "RELEASE_TOO_LARGE",
    "POST",
    "/api/v1/changes",
    () => ({
      body: {
        tenantId: "acme",
        environment: "Development",
        edits: Array.from({ length: 10_000 }, (_, i) => ({ key: `k${i}`, value: 1 })),
      },
    }),
  ],
  [
    "a value its schema refuses",
    "SCHEMA_VIOLATION",
    "PUT",
    `${CONFIGS}/${KNOWN}`,
    { body: { value: { size: "big" } } },
  ],
  [
    "a schema that is none",
    "SCHEMA_INVALID",
    "PUT",
    `${CONFIGS}/${KNOWN}`,
    { body: { schema: { type: "nonsense" } } },
  ],
  [
    "a schema that looks elsewhere",
    "SCHEMA_INVALID",
    "PUT",
    `${CONFIGS}/${KNOWN}`,
    { body: { schema: { $ref: "https://example.com/schema.json" } } },
  ],
  [
    "a stale If-Match",
    "VERSION_STALE",
    "PUT",
    `${CONFIGS}/${KNOWN}`,
    { headers: { "if-match": '"1"' }, body: { value: { size: 3 } } },
  ],
  [
    "an If-Match that is no entity tag",
    "IF_MATCH_INVALID",
    "PUT",
    `${CONFIGS}/${KNOWN}`,
    { headers: { "if-match": "2" }, body: { value: { size: 3 } } },
  ],
  [
    "an edit that alters nothing",
    "CHANGE_EMPTY",
    "PUT",
    `${CONFIGS}/${KNOWN}`,
    { body: { value: { size: 2 } } },
  ],
  [
    "an edit of what is not there",
    "CONFIG_NOT_FOUND",
    "PUT",
    `${CONFIGS}/acme:Development:none`,
    { body: { value: 1 } },
  ],
  ["a delete of what is not there", "CONFIG_NOT_FOUND", "DELETE", `${CONFIGS}/acme:Development:none`],
  ["an id that is none", "CONFIG_NOT_FOUND", "GET", `${CONFIGS}/nonsense`],
  [
    "a version that is not there",
    "VERSION_NOT_FOUND",
    "POST",
    `${CONFIGS}/${KNOWN}/rollback`,
    { body: { toVersion: 9 } },
  ],
  [
    "a promotion backwards",
    "PROMOTION_BACKWARDS",
    "POST",
    "/api/v1/changes",
    {
      body: { tenantId: "acme", environment: "Development", promote: { from: "QA" } },
    },
  ],
  [
    "a promotion past the next environment",
    "PROMOTION_BACKWARDS",
    "POST",
    `${CONFIGS}/${KNOWN}/promote`,
    { body: { targetEnvironment: "Production" } },
  ],
  [
    "a promotion of nothing",
    "PROMOTION_EMPTY",
    "POST",
    "/api/v1/changes",
    { body: { tenantId: "acme", environment: "QA", promote: { from: "Development", keys: ["none"] } } },
  ],
  [
    "a strategy that shrinks",
    "STRATEGY_INVALID",
    "POST",
    "/api/v1/changes",
    {
      body: {
        tenantId: "acme",
        environment: "Development",
        edits: [{ key: "s", value: 1 }],
        strategy: {
          type: "canary",
          steps: [
            { weightBp: 5000, holdMs: 1 },
            { weightBp: 1000, holdMs: 1 },
          ],
        },
      },
    },
  ],
  [
    "a canary for the platform",
    "STRATEGY_UNSUITABLE",
    "POST",
    "/api/v1/changes",
    {
      body: {
        tenantId: "~platform",
        environment: "Development",
        edits: [{ key: "s", value: 1 }],
        strategy: { type: "canary", steps: [{ weightBp: 5000, holdMs: 1 }] },
      },
    },
  ],
  [
    "a start in the past",
    "SCHEDULE_INVALID",
    "POST",
    "/api/v1/changes",
    {
      body: {
        tenantId: "acme",
        environment: "Development",
        edits: [{ key: "s", value: 1 }],
        startAt: "2020-01-01T00:00:00Z",
      },
    },
  ],
  [
    "self-approval",
    "APPROVAL_OWN",
    "POST",
    () => `/api/v1/approvals/${changeId}/approve`,
    () => ({ token: acme.tokens.engineer }),
  ],
  [
    "an approval by another role",
    "APPROVAL_ROLE",
    "POST",
    () => `/api/v1/approvals/${changeId}/approve`,
    () => ({ token: acme.tokens.manager }),
  ],
  [
    "an approval of other content",
    "CONTENT_HASH_STALE",
    "POST",
    () => `/api/v1/approvals/${changeId}/approve`,
    { body: { contentHash: "0".repeat(64) } },
  ],
  [
    "an approval of no change",
    "CHANGE_NOT_FOUND",
    "POST",
    `/api/v1/approvals/acme:chg_${"0".repeat(32)}/approve`,
  ],
  [
    "an advance of what does not roll out",
    "CHANGE_STATE",
    "POST",
    () => `/api/v1/changes/${changeId}/advance`,
  ],
  ["a review that nobody asked for", "REVIEW_NOT_DUE", "POST", () => `/api/v1/changes/${changeId}/review`],
  [
    "a token that is not there",
    "TOKEN_NOT_FOUND",
    "DELETE",
    `/api/v1/tenants/acme/tokens/acme:tok_${"0".repeat(32)}`,
  ],
  ["a body that is not JSON", "BODY_NOT_JSON", "POST", CONFIGS, { raw: "{tenantId: acme}" }],
  ["a body that is not UTF-8", "BODY_NOT_JSON", "POST", CONFIGS, { raw: new Uint8Array([0x7b, 0xff, 0x7d]) }],
  ["a body that is a list", "BODY_INVALID", "POST", CONFIGS, { raw: "[]" }],
  ["no body", "BODY_INVALID", "POST", CONFIGS],
  ["a field that there is not", "BODY_INVALID", "POST", CONFIGS, with_({ vlaue: 2 })],
  [
    "a value left out",
    "BODY_INVALID",
    "POST",
    CONFIGS,
    { body: { tenantId: "acme", environment: "QA", key: "a" } },
  ],
  ["a body too large", "BODY_TOO_LARGE", "POST", CONFIGS, () => ({ raw: " ".repeat(8 * 1024 * 1024 + 1) })],
  ["an escaped lone surrogate", "JSON_LONE_SURROGATE", "POST", CONFIGS, raw(String.raw`"\ud800"`)],
  ["an escaped NUL", "JSON_NUL", "POST", CONFIGS, raw(String.raw`"\u0000"`)],
  ["an integer JavaScript cannot hold", "JSON_NUMBER_INEXACT", "POST", CONFIGS, raw("9007199254740993")],
  [
    "a decimal JavaScript cannot hold",
    "JSON_NUMBER_INEXACT",
    "POST",
    CONFIGS,
    raw("0.1000000000000000055511151231257827"),
  ],
  ["a number past all bounds", "JSON_NUMBER_INEXACT", "POST", CONFIGS, raw("1e400")],
  ["a member named twice", "JSON_DUPLICATE_KEY", "POST", CONFIGS, raw('{"a":1,"a":2}')],
  ["an unknown query parameter", "QUERY_INVALID", "GET", "/api/v1/tenants?colour=red"],
  ["a query parameter given twice", "QUERY_INVALID", "GET", "/api/v1/tenants?limit=1&limit=2"],
  ["a limit beyond the most", "QUERY_INVALID", "GET", "/api/v1/tenants?limit=201"],
  ["a state that there is not", "QUERY_INVALID", "GET", "/api/v1/changes?tenantId=acme&state=odd"],
  [
    "another list's cursor",
    "CURSOR_INVALID",
    "GET",
    `/api/v1/tenants?cursor=${Buffer.from('["tokens","x"]').toString("base64url")}`,
  ],
  ["a cursor that is none", "CURSOR_INVALID", "GET", "/api/v1/tenants?cursor=x"],
  [
    "an Idempotency-Key too long",
    "IDEMPOTENCY_KEY_INVALID",
    "POST",
    CONFIGS,
    { ...with_({}), headers: { "idempotency-key": "k".repeat(129) } },
  ],
  [
    "an Idempotency-Key that is empty",
    "IDEMPOTENCY_KEY_INVALID",
    "POST",
    CONFIGS,
    { ...with_({}), headers: { "idempotency-key": "" } },
  ],
  ["a byte order mark", "BODY_NOT_JSON", "POST", CONFIGS, { raw: "\ufeff{}" }],
  ["a byte order mark and nothing else", "BODY_NOT_JSON", "POST", CONFIGS, { raw: "\ufeff" }],
  [
    "a policy that is none",
    "POLICY_INVALID",
    "PUT",
    "/api/v1/tenants/acme/environments/QA/policy",
    { body: { stages: "none" } },
  ],
  [
    "a wave for a tenant",
    "STRATEGY_UNSUITABLE",
    "POST",
    "/api/v1/changes",
    {
      body: {
        tenantId: "acme",
        environment: "Development",
        edits: [{ key: "s", value: 1 }],
        strategy: { type: "rolling", waves: [{ weightBp: 10_000 }] },
      },
    },
  ],
  [
    "waves that do not reach everyone",
    "STRATEGY_INVALID",
    "POST",
    "/api/v1/changes",
    {
      body: {
        tenantId: "~platform",
        environment: "Development",
        edits: [{ key: "s", value: 1 }],
        strategy: { type: "rolling", waves: [{ tier: "Free" }] },
      },
    },
  ],
  [
    "more contexts than a preview looks at",
    "BODY_INVALID",
    "POST",
    "/api/v1/changes/preview",
    {
      body: {
        tenantId: "acme",
        environment: "Development",
        edits: [{ key: "s", value: 1 }],
        contexts: Array.from({ length: 1_001 }, () => ({ targetingKey: "a" })),
      },
    },
  ],
  [
    "a release that never was",
    "RELEASE_NOT_FOUND",
    "POST",
    "/api/v1/tenants/acme/environments/Development/rollback",
    { body: { toRelease: "0".repeat(64) } },
  ],
  [
    "a rollback where nothing was published",
    "ROLLBACK_NOTHING",
    "POST",
    "/api/v1/tenants/acme/environments/QA/rollback",
  ],
  ["a withdrawal of no approval", "APPROVAL_NONE", "POST", () => `/api/v1/approvals/${changeId}/withdraw`],
  [
    "a signal in no known form",
    "SIGNAL_INVALID",
    "POST",
    () => `/api/v1/changes/${changeId}/signals`,
    { body: {} },
  ],
  [
    "a signal of no change",
    "CHANGE_NOT_FOUND",
    "POST",
    `/api/v1/changes/acme:chg_${"0".repeat(32)}/signals`,
    { body: { source: "a", status: "firing", summary: "b" } },
  ],
  [
    "X-Tenant-ID of another tenant",
    "TENANT_MISMATCH",
    "POST",
    CONFIGS,
    { ...with_({}), headers: { "x-tenant-id": "other" } },
  ],
  ["a route that there is not", "ROUTE_UNKNOWN", "GET", "/api/v1/nonsense"],
  ["a method that the route does not take", "METHOD_NOT_ALLOWED", "PATCH", CONFIGS],
  ["no token", "UNAUTHENTICATED", "GET", "/api/v1/tenants", { token: null }],
  ["a token that is none", "UNAUTHENTICATED", "GET", "/api/v1/tenants", { token: "hs_acme_nonsense" }],
]

describe("bad input is one problem of its own code, and changes nothing", () => {
  test.each(CASES)("%s: %s", async (_what, code, method, path, ask = {}) => {
    const before = await checksums.read()
    const answer = await world.call(
      method,
      typeof path === "function" ? path() : path,
      typeof ask === "function" ? ask() : ask,
    )
    expect(answer.body).toMatchObject({ code, status: PROBLEMS[code].status, type: `/docs/errors#${code}` })
    expect(answer.status).toBe(PROBLEMS[code].status)
    expect(answer.headers.get("content-type")).toContain("application/problem+json")
    expect(answer.body.instance).toBe(answer.headers.get("hotswap-request-id"))
    expect(await checksums.read()).toEqual(before)
  })
})

test("a change that would take a release over 4 MiB is refused, and changes nothing", async () => {
  const full = await createWorld()
  const sums = openChecksums(full.url("postgres"))
  try {
    await full.tenant("acme")
    const change = { tenantId: "acme", environment: "QA" }
    // In parts: each write has its deadline, which a busy machine would need for all of it.
    for (const part of ["a", "b", "c", "d"]) {
      const edits = [0, 1, 2, 3].map((nth) => ({ key: `bulk.${part}${nth}`, value: "x".repeat(250_000) }))
      await must(full.call("POST", "/api/v1/changes", { body: { ...change, edits } }), 202)
    }
    const before = await sums.read()
    const one = [{ key: "one.more", value: "x".repeat(250_000) }]
    const answer = await full.call("POST", "/api/v1/changes", { body: { ...change, edits: one } })
    expect(answer.body).toMatchObject({ code: "RELEASE_TOO_LARGE", status: 422 })
    expect(await sums.read()).toEqual(before)
  } finally {
    await sums.close()
    await full.close()
  }
})

test("nothing of all that was unforeseen", () => {
  expect(world.logged).toEqual([])
})

test("a refusal names each field that is wrong and the methods that would be right", async () => {
  const { call } = world
  const body = { ...NEW, key: 7, vlaue: 2 }
  const wrong = await call<{ errors: { path: string }[] }>("POST", CONFIGS, { body })
  expect(wrong.body.errors.map(({ path }) => path).sort()).toEqual(["/key", "/vlaue"])
  const method = await call("PATCH", CONFIGS)
  expect(method.headers.get("allow")).toBe("GET, POST")
})
