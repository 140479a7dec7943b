import { decodeJwt, decodeProtectedHeader } from "jose"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { readerVerifier } from "../../../functions/http/tokens.ts"
import { createWorld, must, type World } from "./world.ts"

interface Issued {
  tokenId: string
  token: string
  expiresAt: string
  roles: string[]
  issuedBy: string
}

let world: World
let acme: Awaited<ReturnType<World["tenant"]>>
beforeAll(async () => {
  world = await createWorld()
  acme = await world.tenant("acme")
  await world.tenant("globex")
})
afterAll(() => world.close())

const TOKENS = "/api/v1/tenants/acme/tokens"
const issue = (body: object, path = TOKENS, token?: string) =>
  world.call<Issued & { code: string }>("POST", path, { body, ...(token ? { token } : {}) })

describe("a token", () => {
  test("is shown once, found by nobody, and works until it is revoked", async () => {
    const { body } = await must(issue({ subject: "ci", roles: ["viewer"] }), 201)
    expect(body.token).toMatch(/^hs_acme_[0-9a-f]{32}_[A-Za-z0-9_-]{43}$/)
    const listed = await must(world.call<{ items: Issued[] }>("GET", TOKENS), 200)
    expect(listed.text).not.toContain(body.token.split("_").slice(3).join("_"))
    expect(listed.body.items.map(({ tokenId }) => tokenId)).toContain(body.tokenId)
    await must(world.call("GET", "/api/v1/tenants/acme", { token: body.token }), 200)
    await must(world.call("DELETE", `${TOKENS}/${body.tokenId}`), 200)
    const again = await must(world.call("DELETE", `${TOKENS}/${body.tokenId}`), 200)
    expect(again.body.revokedAt).not.toBeNull()
    await must(world.call("GET", "/api/v1/tenants/acme", { token: body.token }), 401)
  })

  test("with another secret, of another tenant or with another id is no token", async () => {
    const { token } = (await must(issue({ subject: "ci", roles: ["viewer"] }), 201)).body
    const last = token.at(-1) === "A" ? "B" : "A"
    const forged = [
      token.slice(0, -1) + last,
      token.replace("hs_acme_", "hs_globex_"),
      token.replace("hs_acme_", "hs_~platform_"),
    ]
    for (const text of [
      ...forged,
      `${token}A`,
      token.toUpperCase(),
      "hs_",
      "hsr_a.b.c",
      "",
      " ",
      "x".repeat(9_000),
    ])
      await must(world.call("GET", "/api/v1/tenants/acme", { token: text }), 401)
  })

  test("tells who it is, for what, and what its roles allow", async () => {
    const who = async (token: string) =>
      (await must(world.call("GET", "/api/v1/whoami", { token }), 200)).body
    const bound = (await must(issue({ subject: "vera", roles: ["viewer"], environment: "QA" }), 201)).body
    expect(await who(bound.token)).toEqual({
      subject: "vera",
      tokenId: bound.tokenId,
      roles: ["viewer"],
      tenants: ["acme"],
      environment: "QA",
      environments: ["Development", "QA", "Staging", "Production"],
      actions: expect.not.arrayContaining(["change.submit"]),
    })
    expect((await who(bound.token)).actions).toContain("config.read")
    expect((await who(acme.tokens.engineer)).actions).toContain("change.submit")
    await must(world.call("GET", "/api/v1/whoami", { token: null }), 401)
  })

  test("runs out", async () => {
    const { token } = (await must(issue({ subject: "brief", roles: ["viewer"], expiresInSeconds: 60 }), 201))
      .body
    await must(world.call("GET", "/api/v1/tenants/acme", { token }), 200)
    world.moveClock(60_001)
    await must(world.call("GET", "/api/v1/tenants/acme", { token }), 401)
  })

  test("issued by the start-up token has no ancestors, and one issued by it remembers it", async () => {
    const { body } = await must(
      issue({ subject: "child", roles: ["viewer"] }, TOKENS, acme.tokens.tenant_admin),
      201,
    )
    expect(body.issuedBy).toBe("tenant_admin@acme")
  })

  test("for an application stands alone, is bound to one environment, and lasts 400 days at the most", async () => {
    const wrong = [
      { subject: "app", roles: ["reader"] },
      { subject: "app", roles: ["reader", "viewer"], environment: "QA" },
      { subject: "app", roles: ["viewer", "viewer"] },
      { subject: "app", roles: [] },
      { subject: "app", roles: ["platform_admin"] },
      { subject: "app", roles: ["viewer"], expiresInSeconds: 400 * 86_400 + 1 },
    ]
    for (const body of wrong) expect((await must(issue(body), 400)).body.code).toBe("BODY_INVALID")
    await must(issue({ subject: "app", roles: ["reader"], environment: "Nowhere" }), 400)
  })

  test("for an application is signed so that anyone with the public key can read who it is for", async () => {
    const { body } = await must(issue({ subject: "shop", roles: ["reader"], environment: "production" }), 201)
    expect(body.token).toMatch(/^hsr_/)
    const jwt = body.token.slice(4)
    expect(decodeProtectedHeader(jwt)).toEqual({ alg: "EdDSA", kid: "test", typ: "hotswap-reader+jwt" })
    const claims = decodeJwt(jwt)
    expect(claims).toMatchObject({
      jti: body.tokenId,
      sub: "shop",
      aud: "hotswap",
      iss: "hotswap",
      tenants: ["acme"],
      env: "Production",
    })
    expect(new Date(claims.exp! * 1_000).toISOString()).toBe(new Date(body.expiresAt).toISOString())
    const keys = world.readerKeys.keys.map(({ d: _private, ...key }) => key)
    const verify = readerVerifier({ keys })
    expect(await verify(body.token, world.platform.clock.now())).toMatchObject({ tokenId: body.tokenId })
    expect(await verify(body.token, new Date(claims.exp! * 1_000 + 1_000))).toBeNull()
    const refused = await must(
      world.call<{ code: string }>("GET", "/api/v1/tenants/acme", { token: body.token }),
      403,
    )
    expect(refused.body.code).toBe("FORBIDDEN")
  })

  test("of the platform reads the tenants it names, or all, or administers", async () => {
    const path = "/api/v1/tokens"
    const reader = { subject: "edge", roles: ["reader"], environment: "QA" }
    const some = (await must(issue({ ...reader, tenants: ["acme", "globex"] }, path), 201)).body
    expect(decodeJwt(some.token.slice(4))).toMatchObject({ tenants: ["acme", "globex"], env: "QA" })
    const all = (await must(issue({ ...reader, tenants: "*" }, path), 201)).body
    expect(decodeJwt(all.token.slice(4))).toMatchObject({ tenants: "*" })
    await must(issue({ ...reader, tenants: ["acme", "nobody"] }, path), 404)
    await must(issue({ subject: "root", roles: ["platform_admin"], tenants: ["acme"] }, path), 400)
    const admin = (await must(issue({ subject: "root", roles: ["platform_admin"] }, path), 201)).body
    expect(admin.token).toMatch(/^hs_~platform_/)
    await must(world.call("GET", "/api/v1/tenants", { token: admin.token }), 200)
    await must(issue({ subject: "root", roles: ["platform_admin"] }, path, acme.tokens.tenant_admin), 403)
    await must(world.call("DELETE", `/api/v1/tenants/~platform/tokens/${admin.tokenId}`), 200)
    await must(world.call("GET", "/api/v1/tenants", { token: admin.token }), 401)
  })
})

describe("an admin who is bound to one environment", () => {
  test("sees and revokes the tokens of that environment, and no others", async () => {
    const token = await acme.issue("bound-admin@acme", ["tenant_admin"], "QA")
    const ours = (
      await must(issue({ subject: "ours", roles: ["viewer"], environment: "QA" }, TOKENS, token), 201)
    ).body
    const wide = (await must(issue({ subject: "wide", roles: ["viewer"] }), 201)).body
    const other = (await must(issue({ subject: "other", roles: ["viewer"], environment: "Staging" }), 201))
      .body
    const { items } = (
      await must(world.call<{ items: { environment: string }[] }>("GET", TOKENS, { token }), 200)
    ).body
    expect(new Set(items.map(({ environment }) => environment))).toEqual(new Set(["QA"]))
    for (const { tokenId } of [wide, other]) {
      const refused = await must(world.call("DELETE", `${TOKENS}/${tokenId}`, { token }), 403)
      expect(refused.body.code).toBe("FORBIDDEN")
    }
    for (const { token: untouched } of [wide, other])
      expect((await world.call("GET", "/api/v1/tenants/acme", { token: untouched })).status).toBe(200)
    await must(world.call("DELETE", `${TOKENS}/${ours.tokenId}`, { token }), 200)
    await must(world.call("DELETE", `${TOKENS}/acme:tok_${"0".repeat(32)}`, { token }), 404)
  })
})
