import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createWhoWorld, type WhoWorld } from "../../security/who-world.ts"
import { must } from "../manage/world.ts"

let world: WhoWorld
beforeAll(async () => {
  world = await createWhoWorld()
})
afterAll(() => world.close())

const APPROVAL = { strategy: { type: "direct" }, comment: "please" }
let made = 0

/** A change to acme's Production that two people have to approve, as engineers; made by the start-up token. */
const changeFor = async (token: string): Promise<string> => {
  made++
  const body = {
    tenantId: "acme",
    environment: "Production",
    edits: [{ key: `key-${made}`, value: 1 }],
    ...APPROVAL,
  }
  const { changeId } = (
    await must(world.call<{ changeId: string }>("POST", "/api/v1/changes", { body, token }), 202)
  ).body
  return changeId
}
const approve = async (changeId: string, token: string) => {
  const answer = await world.call<{ code?: string }>("POST", `/api/v1/approvals/${changeId}/approve`, {
    token,
    body: {},
  })
  return answer.body.code ?? answer.status
}

describe("a person", () => {
  test("is called by the issuer and the subject, in what they make and in the audit", async () => {
    const token = world.corp.token({
      claims: { sub: "erin", jti: "login-7", roles: ["engineer", "compliance"] },
    })
    const changeId = await changeFor(token)
    const { text } = await must(
      world.call("GET", "/api/v1/audit?tenantId=acme&actor=corp%7Cerin", { token }),
      200,
    )
    expect(text).toContain(changeId)
    expect(text).toContain('"subject":"corp|erin"')
    expect(text).toContain('"tokenId":"jwt:corp|login-7"')
  })

  test("is let in under no name that is too long to be erased, or looked for in the audit", async () => {
    const token = (name: string) =>
      world.corp.token({ claims: { sub: name.slice("corp|".length), roles: ["tenant_admin"] } })
    const ask = async (name: string, path: string, body?: object) =>
      (await world.call(body ? "POST" : "GET", path, { token: token(name), ...(body ? { body } : {}) }))
        .status
    const longest = `corp|${"x".repeat(195)}`
    expect(await ask(longest, `/api/v1/audit?tenantId=acme&actor=${encodeURIComponent(longest)}`)).toBe(200)
    expect(await ask(longest, "/api/v1/tenants/acme/persons/export", { subject: longest })).toBe(200)
    expect(await ask(`${longest}x`, "/api/v1/tenants/acme")).toBe(401)
  })

  test("approves nothing of their own, whichever of their tokens they use", async () => {
    const first = world.corp.token({ claims: { sub: "max", jti: "1", roles: ["engineer"] } })
    const second = world.corp.token({ claims: { sub: "max", jti: "2", roles: ["engineer", "manager"] } })
    expect(await approve(await changeFor(first), second)).toBe("APPROVAL_OWN")
  })

  test("is not the person whom another issuer calls the same, nor whoever holds a token of that name", async () => {
    const author = world.corp.token({ claims: { sub: "sam", roles: ["engineer"] } })
    const another = world.ops.token({ claims: { sub: "sam", roles: ["engineer"] } })
    expect(await approve(await changeFor(author), another)).toBe(200)
    const namesake = await world.acme.issue("sam", ["engineer"])
    expect(await approve(await changeFor(author), namesake)).toBe(200)
  })

  test("stands behind the tokens they issue: the two are one", async () => {
    const admin = world.corp.token({ claims: { sub: "ada", roles: ["tenant_admin", "engineer"] } })
    const body = { subject: "somebody-else", roles: ["engineer"] }
    const child = (
      await must(
        world.call<{ token: string; issuedBy: string }>("POST", "/api/v1/tenants/acme/tokens", {
          body,
          token: admin,
        }),
        201,
      )
    ).body
    expect(child.issuedBy).toBe("corp|ada")
    expect(await approve(await changeFor(admin), child.token)).toBe("APPROVAL_RELATED")
  })

  test("whose issuer cannot be reached is told so, and nobody else is", async () => {
    world.server.documents.delete("/partner/keys")
    const token = world.partner.token({ claims: { tenant: "globex" } })
    const path = "/api/v1/tenants/globex"
    const answer = await must(world.call<{ code: string }>("GET", path, { token }), 503)
    expect(answer.body.code).toBe("ISSUER_UNAVAILABLE")
    expect(answer.headers.get("retry-after")).toBe("5")
    await must(world.call("GET", path, { token: world.ops.token({ claims: { tenant: "globex" } }) }), 200)
  })
})
