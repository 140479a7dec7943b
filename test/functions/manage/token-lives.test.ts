import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { ScopeId } from "../../../core/ids.ts"
import { insertToken } from "../../../db/queries/tokens.ts"
import type { RedisReply, RedisSender } from "../../../functions/platform/redis-sender.ts"
import { embeddedRedis } from "../../../local/redis/embedded/server.ts"
import { auditOf } from "../../db/fixtures.ts"
import { createWorld, must, type World } from "./world.ts"

interface Issued {
  tokenId: string
  token: string
  issuer: { subject: string; tokenId: string; ancestors: string[] }
  expiresAt: string
}

interface Listed {
  subject: string
  lastUsedAt?: string | null
}

let world: World
let acme: Awaited<ReturnType<World["tenant"]>>
beforeAll(async () => {
  world = await createWorld()
  acme = await world.tenant("acme")
})
afterAll(() => world.close())

const TOKENS = "/api/v1/tenants/acme/tokens"
const issue = async (subject: string, roles: string[], token?: string): Promise<Issued> => {
  const environment = roles.includes("reader") ? { environment: "QA" } : {}
  const ask = { body: { subject, roles, ...environment }, ...(token ? { token } : {}) }
  return (await must(world.call<Issued & Record<string, unknown>>("POST", TOKENS, ask), 201)).body
}
const works = async ({ token }: Issued): Promise<boolean> =>
  (await world.call("GET", "/api/v1/tenants/acme", { token })).status !== 401
const revoke = async ({ tokenId }: Issued, query = "", headers = {}) =>
  await must(world.call("DELETE", `${TOKENS}/${tokenId}${query}`, { headers }), 200)

/** An admin's token, one issued with it, one issued with that, a reader, and one that has nothing to do with them. */
const family = async () => {
  const admin = await issue("ann", ["tenant_admin"], acme.tokens.tenant_admin)
  const child = await issue("ben", ["tenant_admin"], admin.token)
  const grandchild = await issue("cat", ["viewer"], child.token)
  const reader = await issue("shop", ["reader"], child.token)
  const other = await issue("dan", ["viewer"], acme.tokens.tenant_admin)
  return { admin, child, grandchild, reader, other }
}

describe("a token that is revoked", () => {
  test("leaves what was issued with it as it is", async () => {
    const { admin, ...others } = await family()
    await revoke(admin)
    expect(await works(admin)).toBe(false)
    for (const other of Object.values(others)) expect(await works(other)).toBe(true)
  })

  test("takes along, on request, whatever was issued with it, and nothing else", async () => {
    const { other, ...related } = await family()
    await revoke(related.admin, "?cascade=true", { "idempotency-key": "once" })
    for (const token of Object.values(related)) expect(await works(token)).toBe(false)
    expect(await works(other)).toBe(true)
    const { text } = await must(world.call("GET", "/api/v1/audit?tenantId=acme&action=token.revoke"), 200)
    for (const { tokenId } of Object.values(related)) expect(text).toContain(tokenId)
    // Whoever was cut off on the way asks again with the same key, and what is left goes too.
    await revoke(related.admin, "?cascade=true", { "idempotency-key": "once" })
  })

  test("of the platform takes along what was issued with it in every tenant, and below", async () => {
    await world.tenant("initech")
    const platform = async (token?: string) => {
      const ask = { body: { subject: "root", roles: ["platform_admin"] }, ...(token ? { token } : {}) }
      return (await must(world.call<Issued & Record<string, unknown>>("POST", "/api/v1/tokens", ask), 201))
        .body
    }
    const root = await platform()
    const deputy = await platform(root.token)
    const other = await platform()
    const inAcme = await issue("ann", ["tenant_admin"], root.token)
    const below = await issue("ben", ["viewer"], inAcme.token)
    const body = { subject: "eve", roles: ["viewer"] }
    const path = "/api/v1/tenants/initech/tokens"
    const elsewhere = (
      await must(
        world.call<Issued & Record<string, unknown>>("POST", path, { body, token: deputy.token }),
        201,
      )
    ).body
    const untouched = await issue("dan", ["viewer"], other.token)
    await must(world.call("DELETE", `/api/v1/tenants/~platform/tokens/${root.tokenId}?cascade=true`), 200)
    for (const token of [root, deputy, inAcme, below, elsewhere]) expect(await works(token)).toBe(false)
    for (const token of [other, untouched]) expect(await works(token)).toBe(true)
  })

  test("issues nothing more, not even in a call that was let in before", async () => {
    const { admin } = await family()
    const { tokenId, issuer, expiresAt } = await issue("late", ["viewer"], admin.token)
    await revoke(admin, "?cascade=true")
    const late = {
      ...{ tokenId: `acme:tok_${"f".repeat(32)}`, kind: "api", secretHash: "0".repeat(64), tenants: null },
      ...{ subject: "late", roles: ["viewer"], environment: null, issuer, expiresAt },
    }
    const made = await insertToken(
      world.app,
      "acme" as ScopeId,
      late as never,
      auditOf("token.issue", tokenId),
    )
    expect(made).toEqual({ kind: "revoked" })
  })

  test("of the platform issues nothing more in a tenant either", async () => {
    const ask = { body: { subject: "root", roles: ["platform_admin"] } }
    const root = (
      await must(world.call<Issued & Record<string, unknown>>("POST", "/api/v1/tokens", ask), 201)
    ).body
    const { issuer, expiresAt } = await issue("early", ["viewer"], root.token)
    await must(world.call("DELETE", `/api/v1/tenants/~platform/tokens/${root.tokenId}?cascade=true`), 200)
    const tokenId = `acme:tok_${"e".repeat(32)}`
    const late = {
      ...{ tokenId, kind: "api", secretHash: "0".repeat(64), tenants: null },
      ...{ subject: "late", roles: ["viewer"], environment: null, issuer, expiresAt },
    }
    const made = await insertToken(
      world.app,
      "acme" as ScopeId,
      late as never,
      auditOf("token.issue", tokenId),
    )
    expect(made).toEqual({ kind: "revoked" })
  })

  test("leaves nothing behind that was issued at the same moment", async () => {
    for (let round = 0; round < 20; round++) {
      const admin = await issue("ann", ["tenant_admin"], acme.tokens.tenant_admin)
      const ask = { body: { subject: "race", roles: ["viewer"] }, token: admin.token }
      const [made] = await Promise.all([
        world.call<Issued>("POST", TOKENS, ask),
        revoke(admin, "?cascade=true"),
      ])
      if (made.status === 201) expect(await works(made.body), `round ${round}`).toBe(false)
      else expect(made.status).toBe(401)
    }
  })

  test("nor what those it had issued are issuing at that moment", async () => {
    for (let round = 0; round < 5; round++) {
      const admin = await issue("ann", ["tenant_admin"], acme.tokens.tenant_admin)
      const children: Issued[] = []
      for (const name of ["a", "b", "c", "d", "e"])
        children.push(await issue(name, ["tenant_admin"], admin.token))
      const ask = { body: { subject: "race", roles: ["viewer"] }, token: children.at(-1)!.token }
      const issuing = async (): Promise<Issued[]> => {
        const made = await world.call<Issued>("POST", TOKENS, ask)
        return made.status === 201 ? [made.body, ...(await issuing())] : []
      }
      const [late] = await Promise.all([issuing(), revoke(admin, "?cascade=true")])
      for (const made of late) expect(await works(made), `round ${round}`).toBe(false)
    }
  })

  test("of an application is no token to the management function either", async () => {
    const { reader } = await family()
    await revoke(reader)
    const answer = await must(
      world.call<{ code: string }>("GET", "/api/v1/tenants/acme", { token: reader.token }),
      401,
    )
    expect(answer.body.code).toBe("UNAUTHENTICATED")
  })
})

test("the list tells who issued each, with which token, and who stands behind them", async () => {
  const { admin, child, grandchild } = await family()
  const { items } = (await must(world.call<{ items: Issued[] }>("GET", `${TOKENS}?limit=200`), 200)).body
  const { issuer } = items.find(({ tokenId }) => tokenId === grandchild.tokenId)!
  expect(issuer).toEqual({ subject: "ben", tokenId: child.tokenId, ancestors: ["ann", "tenant_admin@acme"] })
  expect(items.find(({ tokenId }) => tokenId === child.tokenId)!.issuer.tokenId).toBe(admin.tokenId)
})

test("the list tells when an API token was used last, and nothing of the kind where that is not known", async () => {
  const redis = embeddedRedis()
  const send: RedisSender = async (batch) => {
    const outcomes = await redis.run(batch as never, "plain")
    return outcomes.map((outcome) => ("error" in outcome ? null : (outcome.result as RedisReply)))
  }
  const remembering = await createWorld({ send })
  try {
    const { tokens } = await remembering.tenant("acme")
    const listed = async () => {
      const ask = { token: tokens.tenant_admin }
      const { items } = (await must(remembering.call<{ items: Listed[] }>("GET", TOKENS, ask), 200)).body
      return new Map(items.map(({ subject, lastUsedAt }) => [subject, lastUsedAt]))
    }
    await must(remembering.call("GET", "/api/v1/tenants/acme", { token: tokens.viewer }), 200)
    const usedAt = remembering.platform.clock.now().toISOString()
    const uses = await listed()
    expect([uses.get("viewer@acme"), uses.get("engineer@acme")]).toEqual([usedAt, null])
    remembering.moveClock(90_000)
    const forged = tokens.viewer.slice(0, -1) + (tokens.viewer.endsWith("A") ? "B" : "A")
    await must(remembering.call("GET", "/api/v1/tenants/acme", { token: forged }), 401)
    expect((await listed()).get("viewer@acme")).toBe(usedAt)
    await must(remembering.call("GET", "/api/v1/tenants/acme", { token: tokens.viewer }), 200)
    expect((await listed()).get("viewer@acme")).toBe(remembering.platform.clock.now().toISOString())
  } finally {
    await remembering.close()
  }
  const { items } = (await must(world.call<{ items: Listed[] }>("GET", TOKENS), 200)).body
  for (const item of items) expect(item).not.toHaveProperty("lastUsedAt")
})
