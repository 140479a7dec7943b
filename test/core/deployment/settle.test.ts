import { expect, test } from "vitest"
import { type Deployments, readDeployments, targetUrl } from "../../../core/deployment/deployments.ts"
import { settled } from "../../../core/deployment/settle.ts"
import { inForce } from "../../../core/deployment/template.ts"
import type { TenantId } from "../../../core/ids.ts"
import type { Json } from "../../../core/json.ts"
import { markerOf } from "../../../core/secret/marker.ts"

const NONE = new Map<string, number>()
const bearer = (url: string, token: Json): Deployments => ({
  metrics: { targets: [{ url }], credentials: { type: "bearer", token } },
})
const codeOf = (work: () => unknown): string => {
  try {
    work()
    return "taken"
  } catch (error) {
    return (error as { code: string }).code
  }
}

test("a secret is kept as a marker whose number rises with every value, also after it was gone", () => {
  const first = settled({}, bearer("https://a", "one"), NONE, "Pro")
  expect(first.document.metrics?.credentials).toEqual({ type: "bearer", token: markerOf(1) })
  expect(first.fresh.map(({ key, version, value }) => [key, version, value.reveal()])).toEqual([
    ["metrics.token", 1, "one"],
  ])
  const later = settled({}, bearer("https://a", "two"), new Map([["metrics.token", 4]]), "Pro")
  expect(later.fresh[0]?.version).toBe(5)
})

test("a secret that is sent as its marker stays, but goes to nobody it did not go to before", () => {
  const before = bearer("https://a/path", markerOf(2))
  const put = (url: string, token: Json) =>
    settled(before, bearer(url, token), new Map([["metrics.token", 2]]), "Pro")
  expect(put("https://a/other", markerOf(2)).fresh).toEqual([])
  expect(codeOf(() => put("https://b", markerOf(2)))).toBe("SECRET_VALUE_NEEDED")
  expect(codeOf(() => put("https://a:8443", markerOf(2)))).toBe("SECRET_VALUE_NEEDED")
  expect(codeOf(() => put("http://a", markerOf(2)))).toBe("SECRET_VALUE_NEEDED")
  expect(codeOf(() => put("https://a", markerOf(1)))).toBe("SECRET_VALUE_NEEDED")
  expect(codeOf(() => put("https://a", { $secret: true }))).toBe("SECRET_MARKER")
  expect(codeOf(() => settled({}, bearer("https://a", markerOf(1)), NONE, "Pro"))).toBe("SECRET_VALUE_NEEDED")
})

test("a target is an address and no more", () => {
  expect(targetUrl("https://Vm.Example.com:443/base/")).toBe("https://vm.example.com/base")
  for (const odd of [
    "ftp://a",
    "a",
    "https://user:pass@a",
    "https://user@a",
    "https://a/?b",
    "https://a/#b",
    "https://a/b%2f",
    "https://a/b//c",
    "file:///etc/passwd",
  ])
    expect(targetUrl(odd), odd).toBeNull()
})

test("what would never be reached as it was meant is refused, each with where", () => {
  const put = (targets: { url: string; use?: "query" | "write" }[], more = {}) =>
    codeOf(() => settled({}, { logs: { targets, ...more } }, NONE, "Free"))
  expect(put([{ url: "https://a" }, { url: "https://a/" }])).toBe("DEPLOYMENT_INVALID")
  expect(put([{ url: "https://a" }, { url: "https://b" }, { url: "https://c" }])).toBe("DEPLOYMENT_INVALID")
  expect(put([{ url: "https://a", use: "query" }])).toBe("DEPLOYMENT_INVALID")
  expect(put([{ url: "http://a" }], { tls: { ca: "…" } })).toBe("DEPLOYMENT_INVALID")
  expect(put([{ url: "https://a" }], { tls: { key: "…" } })).toBe("DEPLOYMENT_INVALID")
  expect(
    put([
      { url: "https://a", use: "query" },
      { url: "https://b", use: "write" },
    ]),
  ).toBe("taken")
})

test("what a backend leaves to its tier is the template's, and what it says itself holds", () => {
  const tenantId = "acme" as TenantId
  const plain = inForce("Enterprise", tenantId, { targets: [{ url: "https://a" }] })
  expect(plain).toMatchObject({
    timeoutMs: 30_000,
    namespace: "hotswap-acme",
    health: { path: "/health", intervalSeconds: 30, unhealthyAfter: 1 },
    targets: [{ url: "https://a", priority: 0 }],
  })
  const own = {
    targets: [{ url: "https://a" }],
    namespace: "mine",
    timeoutMs: 5_000,
    health: { path: "/up" },
  }
  expect(inForce("Free", tenantId, own)).toMatchObject({
    timeoutMs: 5_000,
    namespace: "mine",
    health: { path: "/up", intervalSeconds: 30, unhealthyAfter: 2 },
  })
})

test("of what was kept by whomever, only what can be used is", () => {
  const targets = [{ url: "https://a" }]
  const good = { targets, credentials: { type: "bearer", token: markerOf(1) } } as unknown as Json
  for (const odd of [
    null,
    [],
    "x",
    { metrics: null },
    { metrics: { targets: "https://a" } },
    { metrics: { targets: [{ url: "file:///etc/passwd" }] } },
    { metrics: { targets: [{ url: "https://user@a" }] } },
    { metrics: { targets, timeoutMs: 0 } },
    { metrics: { targets, health: { intervalSeconds: 0 } } },
    { metrics: { targets, health: { path: "/../x" } } },
    { metrics: { targets, tenancy: { accountId: "7/../8" } } },
    { metrics: { targets, credentials: { type: "bearer", token: "plain" } } },
    { metrics: { targets, tls: { key: "plain" } } },
    { __proto__: null, other: good },
  ] as unknown as Json[])
    expect(readDeployments(odd), JSON.stringify(odd)).toEqual({})
  expect(readDeployments({ metrics: good, logs: 1, other: good })).toEqual({ metrics: good })
})
