import { describe, expect, test } from "vitest"
import {
  byExternalId,
  byHeader,
  byHost,
  byPath,
  claimed,
  firstOf,
  type Incoming,
  type TenantResolver,
} from "../../sdk/src/middleware/resolve.ts"

const request = (path: string, headers: Record<string, string> = {}): Incoming => ({
  method: "GET",
  path,
  header: (name) => headers[name],
  raw: null,
})
const found = async (resolver: TenantResolver, path: string, headers?: Record<string, string>) => {
  try {
    return await resolver(request(path, headers))
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe("whose request it is", () => {
  test.each([
    ["acme.example.com", "acme"],
    ["ACME.Example.com:8080", "acme"],
    ["example.com", null],
    [".example.com", null],
    ["a.b.example.com", null],
    ["acme.example.org", null],
    ["acme.example.com.evil.org", null],
  ])("is said by the host %s: %s", async (host, tenantId) => {
    expect(await found(byHost(".example.com"), "/", { host })).toBe(tenantId)
  })

  test.each([
    ["/t/acme/orders", "acme"],
    ["/t/acme", "acme"],
    ["/t/", null],
    ["/t", null],
    ["/other/acme", null],
    ["/t/%2e%2e/x", "%2e%2e"],
  ])("is said by the path %s: %s", async (path, tenantId) => {
    expect(await found(byPath("/t/"), path)).toBe(tenantId)
  })

  test.each([
    [{ "x-tenant-id": "acme" }, "acme", "acme"],
    [{ "x-tenant-id": "acme" }, ["bolt", "acme"], "acme"],
    [{ "x-tenant-id": "acme" }, "*", "acme"],
    [{ "x-tenant-id": "acme" }, "bolt", "TENANT_FORBIDDEN"],
    [{ "x-tenant-id": "acme" }, null, "TENANT_FORBIDDEN"],
    [{ "x-tenant-id": "acme, bolt" }, ["acme", "bolt"], "TENANT_FORBIDDEN"],
    [{ "x-tenant-id": "" }, "acme", "TENANT_FORBIDDEN"],
    [{}, "acme", "acme"],
    [{}, ["acme", "bolt"], null],
    [{}, "*", null],
    [{}, null, null],
  ])("is said by the header %j where %j was authenticated: %s", async (headers, claim, tenantId) => {
    expect(await found(byHeader({ claim: () => claim }), "/", headers as Record<string, string>)).toBe(
      tenantId,
    )
  })

  test("is said by somebody else's id, if there is one that is known", async () => {
    const byGuild = byExternalId(
      (incoming) => incoming.header("x-guild"),
      async (guild) => ({ "guild-1": "acme" })[guild],
    )
    expect(await found(byGuild, "/", { "x-guild": "guild-1" })).toBe("acme")
    expect(await found(byGuild, "/", { "x-guild": "guild-2" })).toBe("TENANT_NOT_FOUND")
    expect(await found(byGuild, "/")).toBeNull()
  })

  test("is what the first says that says anything, and a refusal stands", async () => {
    const either = firstOf(byHeader({ claim: () => "acme" }), byPath("/t/"))
    expect(await found(either, "/t/bolt")).toBe("acme")
    expect(await found(either, "/t/acme", { "x-tenant-id": "bolt" })).toBe("TENANT_FORBIDDEN")
    expect(await found(firstOf(byHost(".x"), byPath("/t/")), "/t/bolt")).toBe("bolt")
    expect(await found(firstOf(byHost(".x"), byPath("/t/")), "/")).toBeNull()
  })

  test("is held to the claim, however it is said", async () => {
    const own = claimed(byPath("/t/"), () => ["acme"])
    expect(await found(own, "/t/acme")).toBe("acme")
    expect(await found(own, "/t/bolt")).toBe("TENANT_FORBIDDEN")
    expect(await found(own, "/")).toBeNull()
  })
})
