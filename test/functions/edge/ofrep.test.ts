import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Environment } from "../../../core/environment.ts"
import { type StreamTicket, writeTicket } from "../../../core/flag/stream-ticket.ts"
import type { TenantId, TokenId } from "../../../core/ids.ts"
import type { Json } from "../../../core/json.ts"
import { createTicketSigner } from "../../../functions/edge/ticket-signer.ts"
import { createReaderKeys, type ReaderKeys, type RunningEdge, startEdge } from "../../support/edge.ts"
import { EDGE_SECRET, type ScriptedOrigin, startOrigin } from "../../support/scripted-origin.ts"
import { connectStream } from "../../support/stream.ts"

const PAGE_ORIGIN = "https://shop.example.com"
const FLAGS = "/ofrep/v1/evaluate/flags"
const ENV = "Production" as Environment

let origin: ScriptedOrigin
let keys: ReaderKeys
let edge: RunningEdge

beforeAll(async () => {
  origin = await startOrigin()
  keys = await createReaderKeys()
  edge = await startEdge({
    origin: origin.url,
    jwks: keys.jwks,
    deadlineMs: 1_000,
    bindings: { HOTSWAP_CORS_ORIGINS: PAGE_ORIGIN },
  })
})
afterAll(async () => {
  await edge?.dispose()
  await origin?.close()
})

const saying = (value: string): Json => ({ state: "ENABLED", variants: { it: value }, defaultVariant: "it" })
const flagOf = (value: string) => ({ flag: saying(value) })

interface Body {
  value?: string
  flags: { key: string; value: string }[]
  metadata?: { tenantId: string }
  eventStreams?: { type: string; url: string }[]
  errorCode?: string
  code?: string
}

const post = async (
  path: string,
  token: string,
  context: Json = {},
  headers: Record<string, string> = {},
) => {
  const answer = await edge.get(path, token, { method: "POST", headers, body: JSON.stringify({ context }) })
  const text = await answer.text()
  return { status: answer.status, headers: answer.headers, body: (text ? JSON.parse(text) : {}) as Body }
}

/** A tenant of its own for each test, and a token for it alone. */
let tenants = 0
const tenantSaying = async (script: Omit<Parameters<ScriptedOrigin["says"]>[0] & object, "tenantId">) => {
  const tenantId = `ofrep-${++tenants}` as TenantId
  const says = (more: typeof script) => origin.says({ tenantId, ...more })
  says(script)
  const tokenId = `${tenantId}:tok_${"0".repeat(32)}` as TokenId
  return { tenantId, says, tokenId, token: await keys.issue({ tenants: [tenantId], tokenId }) }
}

const wholeOf = (text: string) => ({ configs: flagOf(text) })

test("who is on the candidate is decided by the targetingKey, and without one it is the stable view", async () => {
  const { token } = await tenantSaying({
    configs: flagOf("stable"),
    candidate: { configs: flagOf("candidate"), weightBp: 5_000 },
  })
  const arms = new Set<string>()
  for (let n = 0; n < 40; n++) {
    const context = { targetingKey: `user-${n}` }
    const one = await post(`${FLAGS}/flag`, token, context)
    const all = await post(FLAGS, token, context)
    const arm = one.headers.get("hotswap-arm")!
    expect([one.body.value, all.body.flags[0]!.value, all.headers.get("hotswap-arm")]).toEqual([
      arm,
      arm,
      arm,
    ])
    arms.add(arm)
  }
  expect(arms).toEqual(new Set(["stable", "candidate"]))
  for (const context of [{}, { targetingKey: "" }])
    expect((await post(`${FLAGS}/flag`, token, context)).body.value).toBe("stable")
})

test("the tag changes with the flags, the arm and the context, and not with configs that are none", async () => {
  const acme = await tenantSaying({ configs: { ...flagOf("one"), plain: 1 }, revision: "1.0.0.1" })
  const query = `${FLAGS}?eventStreams=none`
  const ada = { targetingKey: "ada" }
  const first = await post(query, acme.token, ada)
  const etag = first.headers.get("etag")!
  const again = (context: Json, wanted: string) =>
    post(`${query}&flagConfigEtag=${wanted}`, acme.token, context, { "if-none-match": etag })
  expect((await again(ada, "1.0.0.1")).status).toBe(304)
  expect((await again({ targetingKey: "bob" }, "1.0.0.1")).status).toBe(200)
  acme.says({ configs: { ...flagOf("one"), plain: 2 }, revision: "1.0.0.2" })
  expect((await again(ada, "1.0.0.2")).status).toBe(304)
  acme.says({ configs: { ...flagOf("two"), plain: 2 }, revision: "1.0.0.3" })
  // What a stream has told of is what the next answer has.
  const changed = await again(ada, "1.0.0.3")
  expect([changed.status, changed.body.flags[0]!.value, changed.headers.get("hotswap-revision")]).toEqual([
    200,
    "two",
    "1.0.0.3",
  ])
})

test("the tag of one tenant's flags is not another's, though both have the same", async () => {
  const [one, other] = [await tenantSaying(wholeOf("same")), await tenantSaying(wholeOf("same"))]
  const token = await keys.issue({ tenants: [one.tenantId, other.tenantId] })
  const ask = (tenantId: string, headers = {}) =>
    post(FLAGS, token, {}, { "x-tenant-id": tenantId, ...headers })
  const first = await ask(one.tenantId)
  const known = { "if-none-match": first.headers.get("etag")! }
  expect((await ask(one.tenantId, known)).status).toBe(304)
  const second = await ask(other.tenantId, known)
  expect([second.status, second.body.metadata?.tenantId]).toEqual([200, other.tenantId])
  expect(second.headers.get("vary")).toMatch(/X-Tenant-ID/i)
})

test("a rule that reads the time is evaluated each time, whatever tag is known", async () => {
  const flag = {
    ...(saying("now") as object),
    targeting: { if: [{ ">": [{ var: "$flagd.timestamp" }, 0] }, "it"] },
  }
  const { token } = await tenantSaying({ configs: { flag: flag as Json } })
  const first = await post(`${FLAGS}?eventStreams=none`, token)
  const tags = new Set([first.headers.get("etag")])
  await expect
    .poll(
      async () => {
        tags.add((await post(`${FLAGS}?eventStreams=none`, token)).headers.get("etag"))
        return tags.size
      },
      { timeout: 10_000 },
    )
    .toBeGreaterThan(1)
})

test("while the origin is gone, what was known last is evaluated, and its age is told", async () => {
  const { token, says } = await tenantSaying(wholeOf("kept"))
  await post(FLAGS, token)
  says({ ...wholeOf("kept"), ageMs: 100_000, revision: "1.0.0.2" })
  const before = await post(`${FLAGS}?flagConfigEtag=1.0.0.2`, token)
  expect(before.body.flags[0]!.value).toBe("kept")
  origin.mode = "down"
  try {
    const answer = await post(`${FLAGS}/flag`, token)
    expect([answer.status, answer.body.value]).toEqual([200, "kept"])
    expect(Number(answer.headers.get("hotswap-stale"))).toBeGreaterThanOrEqual(100)
  } finally {
    origin.mode = "up"
  }
})

describe("is refused in the protocol's words", () => {
  test("who was revoked, whose tenant is suspended, and who asks for another's", async () => {
    const acme = await tenantSaying(wholeOf("x"))
    const other = await tenantSaying(wholeOf("y"))
    acme.says({ ...wholeOf("x"), revoked: [acme.tokenId] })
    other.says({ ...wholeOf("y"), status: "suspended" })
    const refused = async (token: string, headers = {}) => {
      const { status, body } = await post(`${FLAGS}/flag`, token, {}, headers)
      return { status, code: body.code, errorCode: body.errorCode }
    }
    expect(await refused(acme.token)).toEqual({
      status: 401,
      code: "UNAUTHENTICATED",
      errorCode: "GENERAL",
    })
    expect(await refused(other.token)).toMatchObject({ status: 403, code: "TENANT_SUSPENDED" })
    expect(await refused(other.token, { "x-tenant-id": acme.tenantId })).toMatchObject({
      status: 404,
      code: "TENANT_NOT_FOUND",
      errorCode: "GENERAL",
    })
    expect(await refused(await keys.issue())).toMatchObject({ status: 400, code: "TENANT_UNNAMED" })
  })

  test("a context that is too large, however much more is sent", async () => {
    const { token } = await tenantSaying(wholeOf("x"))
    for (const characters of [262_144, 1_000_000, 4_000_000]) {
      const { status, body } = await post(FLAGS, token, { a: "x".repeat(characters) })
      expect([status, body.errorCode, body.code]).toEqual([400, "INVALID_CONTEXT", "CONTEXT_TOO_LARGE"])
    }
  })
})

test("a bulk of 10,000 flags is told whole", async () => {
  const configs = Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`flag.${n}`, saying(`${n}`)]))
  const { token } = await tenantSaying({ configs })
  const { body } = await post(FLAGS, token, { targetingKey: "ada" })
  expect(body.flags).toHaveLength(10_000)
})

test("what is not for the edge to judge is passed to the read function, with where the edge is", async () => {
  origin.calls.length = 0
  await edge.get(FLAGS, "hs_acme_token", { method: "POST", body: "{}" })
  await edge.get(FLAGS, await keys.issue(), {
    method: "POST",
    body: "{}",
    headers: { "x-tenant-id": "sf:1" },
  })
  await edge.get(FLAGS, undefined, { method: "GET", headers: { "hotswap-site": "https://evil.example" } })
  expect(origin.calls.map(({ method, path }) => `${method} ${path}`)).toEqual([
    `POST ${FLAGS}`,
    `POST ${FLAGS}`,
    `GET ${FLAGS}`,
  ])
  for (const { headers } of origin.calls) expect(headers["hotswap-site"]).toBe(edge.url)
})

describe("a web page", () => {
  const PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization",
  }

  test.each([FLAGS, `${FLAGS}/flag`, "/ofrep/v1/stream", "/api/v1/stream", "/api/v1/configs/tenant/acme"])(
    "of an origin that is named may ask %s, and no other",
    async (path) => {
      const asked = (from: string) =>
        edge.get(path, undefined, { method: "OPTIONS", headers: { origin: from, ...PREFLIGHT } })
      const allowed = await asked(PAGE_ORIGIN)
      expect(allowed.status).toBe(204)
      expect(allowed.headers.get("access-control-allow-origin")).toBe(PAGE_ORIGIN)
      expect(allowed.headers.get("access-control-allow-headers")?.toLowerCase()).toContain("authorization")
      expect(allowed.headers.get("vary")).toContain("Origin")
      for (const other of ["null", "*", "https://evil.example", `${PAGE_ORIGIN}.evil.example`])
        expect((await asked(other)).headers.get("access-control-allow-origin")).toBeNull()
    },
  )

  test("may read answers, refusals among them", async () => {
    const { token } = await tenantSaying(wholeOf("x"))
    for (const bearer of [token, "hsr_none"]) {
      const { headers } = await post(FLAGS, bearer, {}, { origin: PAGE_ORIGIN })
      expect(headers.get("access-control-allow-origin")).toBe(PAGE_ORIGIN)
      expect(headers.get("access-control-expose-headers")).toContain("ETag")
    }
  })
})

describe("a stream's ticket", () => {
  const sign = createTicketSigner(EDGE_SECRET)
  const nowSeconds = () => Math.floor(Date.now() / 1_000)
  const ticketFor = async (
    { tenantId, tokenId }: { tenantId: TenantId; tokenId: TokenId },
    more: Partial<StreamTicket> = {},
  ) => {
    const ticket = {
      ...{ tenantId, environment: ENV, tokenId, revision: "1.0.0.1", flags: "other" },
      ...{ tokenExpiresAtSeconds: nowSeconds() + 600, expiresAtSeconds: nowSeconds() + 60, ...more },
    }
    return `${edge.url}/ofrep/v1/stream?ticket=${await writeTicket(ticket, sign)}`
  }
  const statusOf = async (url: string): Promise<number> => {
    const stream = await connectStream(url)
    stream.close()
    return stream.status
  }

  test("comes with all flags, opens a stream once asked for, and tells only of changed flags", async () => {
    const acme = await tenantSaying({ ...wholeOf("one"), moving: true })
    const { body } = await post(FLAGS, acme.token, {}, { origin: PAGE_ORIGIN })
    const [{ type, url } = { type: "", url: "" }] = body.eventStreams ?? []
    expect([type, new URL(url).origin]).toEqual(["sse", edge.url])
    acme.says({ configs: { ...flagOf("one"), plain: 1 }, revision: "1.0.0.2", moving: true })
    await post(`${FLAGS}?flagConfigEtag=1.0.0.2`, acme.token)
    const stream = await connectStream(url, undefined, { origin: PAGE_ORIGIN })
    try {
      expect([stream.status, stream.headers.get("access-control-allow-origin")]).toEqual([200, PAGE_ORIGIN])
      acme.says({ configs: { ...flagOf("two"), plain: 1 }, revision: "1.0.0.3", moving: true })
      await post(`${FLAGS}?flagConfigEtag=1.0.0.3`, acme.token)
      expect(await stream.next()).toEqual({
        type: "message",
        id: "1.0.0.3",
        data: { type: "refetchEvaluation", etag: "1.0.0.3" },
      })
    } finally {
      stream.close()
    }
  })

  test("that is of an earlier revision has its holder told at once of what came since", async () => {
    const acme = await tenantSaying({ ...wholeOf("two"), revision: "1.0.0.2" })
    const stream = await connectStream(await ticketFor(acme))
    expect((await stream.next())?.data).toMatchObject({ type: "refetchEvaluation", etag: "1.0.0.2" })
    stream.close()
  })

  test("opens nothing once it or its token has expired, or was revoked, or when it was never given out", async () => {
    const acme = await tenantSaying(wholeOf("x"))
    expect(await statusOf(await ticketFor(acme))).toBe(200)
    expect(await statusOf(await ticketFor(acme, { expiresAtSeconds: nowSeconds() - 1 }))).toBe(401)
    expect(await statusOf(await ticketFor(acme, { tokenExpiresAtSeconds: nowSeconds() - 1 }))).toBe(401)
    const good = await ticketFor(acme)
    for (const url of [`${good.slice(0, -1)}x`, `${good}&ticket=x`, good.split("?")[0]!])
      expect(await statusOf(url)).toBe(401)
    const revoked = await tenantSaying(wholeOf("x"))
    revoked.says({ ...wholeOf("x"), revoked: [revoked.tokenId] })
    expect(await statusOf(await ticketFor(revoked))).toBe(401)
    const suspended = await tenantSaying({ ...wholeOf("x"), status: "suspended" })
    expect(await statusOf(await ticketFor(suspended))).toBe(403)
  })

  test("is for a GET, and goes on to nobody", async () => {
    const url = await ticketFor(await tenantSaying(wholeOf("x")))
    const path = url.slice(edge.url.length)
    origin.calls.length = 0
    for (const method of ["POST", "HEAD", "DELETE"]) {
      const { status, headers } = await edge.get(path, undefined, { method })
      expect([method, status, headers.get("allow")]).toEqual([method, 405, "GET, OPTIONS"])
    }
    expect(origin.calls).toEqual([])
  })

  test("that is no longer good is renewed with the next answer, although nothing has changed", async () => {
    const { token } = await tenantSaying(wholeOf("x"))
    const etag = (await post(FLAGS, token)).headers.get("etag")!
    expect((await post(FLAGS, token, {}, { "if-none-match": etag })).status).toBe(304)
    const late = etag.replace(/\.\d+"$/, `.${nowSeconds()}"`)
    const renewed = await post(FLAGS, token, {}, { "if-none-match": late })
    expect([renewed.status, renewed.body.eventStreams?.length]).toEqual([200, 1])
    // Nor is it for who has a stream, or wants none.
    for (const query of ["flagConfigEtag=1.0.0.1", "eventStreams=none"])
      expect((await post(`${FLAGS}?${query}`, token, {}, { "if-none-match": late })).status).toBe(304)
  })
})
