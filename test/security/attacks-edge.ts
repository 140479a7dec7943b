import { expect } from "vitest"
import type { TenantId } from "../../core/ids.ts"
import { type Case, fresh, shows } from "./corpus.ts"
import type { World } from "./corpus-world.ts"

const HOT = "/api/v1/configs/tenant/"
const RIGHT = { a: "right" }

const victim = (world: World): string => {
  const tenantId = `victim-${fresh()}`
  world.origin.says({ tenantId, configs: RIGHT })
  return tenantId
}
const bearer = async ({ readerKeys }: World, claims = {}): Promise<Record<string, string>> => ({
  authorization: `Bearer ${await readerKeys.issue(claims)}`,
})
const configsOf = (text: string): unknown => (JSON.parse(text) as { configs?: unknown }).configs

/** An attacker comes first; whoever comes after gets what is right, and the origin was asked once for it. */
const poison =
  ({
    headers = {},
    query = "",
    method = "GET",
  }: {
    headers?: Record<string, string>
    query?: string
    method?: string
  }) =>
  async (world: World): Promise<void> => {
    const tenantId = victim(world)
    world.origin.says({ tenantId: "evil", configs: { a: "wrong" } })
    const own = await bearer(world)
    await world.through(`${HOT}${tenantId}${query}`, { ...own, ...headers }, method)
    for (const again of [1, 2]) {
      const { status, text } = await world.through(`${HOT}${tenantId}`, own)
      expect([again, status, configsOf(text)]).toEqual([again, 200, RIGHT])
    }
    expect(world.origin.paths(`/internal/pointer/${tenantId}/`).length).toBeLessThanOrEqual(2)
    expect(world.origin.paths(`/internal/view/${tenantId}/`)).toHaveLength(1)
  }

const HEADERS: Readonly<Record<string, Record<string, string>>> = {
  "X-Forwarded-Host": { "x-forwarded-host": "attacker.example" },
  "X-Forwarded-Proto": { "x-forwarded-proto": "http", "x-forwarded-scheme": "nothttps" },
  "X-Original-URL": { "x-original-url": `${HOT}evil` },
  "X-Rewrite-URL": { "x-rewrite-url": `${HOT}evil` },
  "X-HTTP-Method-Override": { "x-http-method-override": "POST" },
  "X-Tenant-ID": { "x-tenant-id": "evil" },
  Range: { range: "bytes=0-3" },
  "Cache-Control": { "cache-control": "no-cache, no-store", pragma: "no-cache" },
  "Surrogate-Control": { "surrogate-control": "max-age=1", "cdn-cache-control": "max-age=1" },
  Accept: { accept: "text/html" },
  "Accept-Language": { "accept-language": "xx" },
  "Accept-Encoding": { "accept-encoding": "gzip;q=0" },
  Cookie: { cookie: "tenant=evil" },
  Origin: { origin: "https://attacker.example" },
  "a forged word of the edge": { "hotswap-edge": "forged", "hotswap-client": "127.0.0.1" },
  "a revision that is far off": { "hotswap-at-least": "1.0.0.1" },
  "a trace with much in it": { traceparent: "00-evil-evil-00", tracestate: "a".repeat(500) },
}
const QUERIES: Readonly<Record<string, string>> = {
  "a parameter that nobody knows": "?cachebuster=1",
  "another tenant in the query": "?tenantId=evil&view=0.bad",
  "an environment in capitals": "?environment=PRODUCTION",
  "an order of its own": "?x=1&environment=Production&y=2",
  "a script for its key": "?targetingKey=%3Cscript%3E",
  "a semicolon": "?environment=Production;tenantId=evil",
  "a callback": "?callback=steal",
}

const poisoning = shows("Cache", "others get what is right", {
  ...Object.fromEntries(Object.entries(HEADERS).map(([name, headers]) => [name, poison({ headers })])),
  ...Object.fromEntries(Object.entries(QUERIES).map(([name, query]) => [name, poison({ query })])),
  HEAD: poison({ method: "HEAD" }),
  "a parameter twice": poison({ query: "?environment=Production&environment=Staging" }),
})

const SUFFIXES = [
  "/x.css",
  "%2fx.css",
  ";x.css",
  ".css",
  "%0ax.css",
  "%00.css",
  "%3fx.css",
  "/..%2fx.css",
  "/x.css?environment=Production",
]
const deceiving = shows(
  "Cache",
  "nothing of it is kept",
  Object.fromEntries(
    SUFFIXES.map((suffix) => [
      `a reader's own page as \`${suffix}\``,
      async (world: World) => {
        const tenantId = victim(world)
        const path = `${HOT}${tenantId}${suffix}`
        const before = world.origin.calls.length
        for (const who of [await bearer(world), {}]) {
          const { text } = await world.through(path, who)
          expect(text).not.toContain("right")
        }
        // Forwarded each time, and judged by the origin each time.
        expect(world.origin.calls.length - before).toBe(2)
      },
    ]),
  ),
)

const apart = shows("Cache", "each reader is judged anew", {
  "a page that another may read": async (world) => {
    const tenantId = victim(world)
    expect((await world.through(`${HOT}${tenantId}`, await bearer(world))).status).toBe(200)
    const stranger = await bearer(world, { tenants: ["other" as TenantId] })
    expect((await world.through(`${HOT}${tenantId}`, stranger)).status).toBe(404)
  },
  "a page that another may read, with a token that is spoilt": async (world) => {
    const tenantId = victim(world)
    const { authorization = "" } = await bearer(world)
    expect((await world.through(`${HOT}${tenantId}`, { authorization })).status).toBe(200)
    const spoilt = { authorization: `${authorization.slice(0, -6)}AAAAAA` }
    expect((await world.through(`${HOT}${tenantId}`, spoilt)).status).toBe(401)
  },
  "a page that another may read, by its tag": async (world) => {
    const tenantId = victim(world)
    const { headers } = await world.through(`${HOT}${tenantId}`, await bearer(world))
    const stranger = await bearer(world, { tenants: ["other" as TenantId] })
    for (const tag of [String(headers.etag), "*"]) {
      const told = await world.through(`${HOT}${tenantId}`, { ...stranger, "if-none-match": tag })
      expect(told.status).toBe(404)
    }
  },
  "another tenant's tag for the same content": async (world) => {
    const [one, other] = [victim(world), victim(world)]
    const own = await bearer(world)
    const { headers } = await world.through(`${HOT}${one}`, own)
    const told = await world.through(`${HOT}${other}`, { ...own, "if-none-match": String(headers.etag) })
    expect([told.status, configsOf(told.text)]).toEqual([200, RIGHT])
  },
  "an error with leave to be kept": async (world) => {
    const tenantId = `victim-${fresh()}`
    world.origin.answers(`/internal/pointer/${tenantId}/Production`, (_, response) => {
      const headers = { "cache-control": "public, max-age=3600", "content-type": "application/json" }
      response.writeHead(404, headers).end('{"code":"SOMETHING_ELSE"}')
    })
    const told = await world.through(`${HOT}${tenantId}`, await bearer(world))
    expect(told.status).toBe(503)
    expect(told.headers["cache-control"]).toBe("no-store")
  },
  "a pointer of another tenant": async (world) => {
    const tenantId = `victim-${fresh()}`
    const { stable } = world.origin.says({ tenantId: "evil", configs: { a: "wrong" } })
    world.origin.answers(`/internal/pointer/${tenantId}/Production`, (_, response) => {
      const pointer = {
        tenantId: "evil",
        environment: "Production",
        tier: "Free",
        status: "active",
        revision: "1.0.0.1",
      }
      response.end(
        JSON.stringify({
          ...pointer,
          stable,
          candidate: null,
          moving: false,
          revoked: [],
          ageMs: 0,
          pollMs: 1,
        }),
      )
    })
    const told = await world.through(`${HOT}${tenantId}`, await bearer(world))
    expect([told.status, told.text.includes("wrong")]).toEqual([503, false])
  },
  "a view with another's text": async (world) => {
    const tenantId = `victim-${fresh()}`
    const { stable } = world.origin.says({ tenantId, configs: RIGHT })
    world.origin.answers(`/internal/view/${tenantId}/Production/${stable}`, (_, response) => {
      response.end('{"a":"wrong"}')
    })
    const told = await world.through(`${HOT}${tenantId}`, await bearer(world))
    expect([told.status, told.text.includes("wrong")]).toEqual([503, false])
  },
})

/** Of every kind of answer: nothing is to be run, framed, guessed or kept. */
const safe = (headers: Headers): void => {
  expect(headers.get("x-content-type-options")).toBe("nosniff")
  expect(headers.get("content-security-policy")).toContain("default-src 'none'")
  expect(headers.get("content-security-policy")).toContain("frame-ancestors 'none'")
  expect(headers.get("x-frame-options")).toBe("DENY")
  expect(headers.get("referrer-policy")).toBe("no-referrer")
  expect(headers.get("strict-transport-security")).toContain("max-age=")
  expect(headers.get("access-control-allow-origin")).toBeNull()
  expect(headers.get("set-cookie")).toBeNull()
}
const ANSWERS: Readonly<Record<string, string>> = {
  "a document for people": "/docs",
  "the OpenAPI document": "/openapi.json",
  "a tenant": "/api/v1/tenants/acme",
  "a tenant that is not there": "/api/v1/tenants/nobody",
  "a route that is not there": "/nowhere",
  "a query that is wrong": "/api/v1/tenants/acme?x=1",
}
const asHeaders = (headers: object): Headers =>
  new Headers(Object.entries(headers).map(([name, value]) => [name, String(value)] as [string, string]))
const shown = shows("Answers", "told to run nothing", {
  ...Object.fromEntries(
    Object.entries(ANSWERS).flatMap(([name, path]) => [
      [name, async (world: World) => safe((await world.ask({ path })).headers)],
      [
        `${name}, through the Worker`,
        async (world: World) => {
          const authorization = `Bearer ${world.acme.tokens.tenant_admin}`
          safe(asHeaders((await world.through(path, { authorization })).headers))
        },
      ],
    ]),
  ),
  "a request without a token": async (world) =>
    safe((await world.ask({ path: "/api/v1/tenants", by: null })).headers),
  "a method that is none": async (world) => safe((await world.ask({ method: "PUT", path: "/docs" })).headers),
  "a read at the Worker": async (world) =>
    safe(asHeaders((await world.through(`${HOT}${victim(world)}`, await bearer(world))).headers)),
  "a read that the Worker passes on": async (world) =>
    safe(
      asHeaders((await world.through(`${HOT}acme?detail=full`, { authorization: "Bearer hs_x" })).headers),
    ),
  "a refusal of the Worker": async (world) =>
    safe(asHeaders((await world.through("/internal/pointer/acme/Production")).headers)),
  "a refusal before any function": async (world) => {
    const told = await world.write(
      "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999\r\nconnection: close\r\n\r\n",
    )
    expect(told.toLowerCase()).toContain("x-content-type-options: nosniff")
  },
  "a read at the function": async ({ read }) => {
    for (const path of ["/health", "/nowhere", `${HOT}acme-corp?environment=Staging`]) {
      const { headers } = await read.call(path, await read.reader())
      expect(headers["x-content-type-options"]).toBe("nosniff")
    }
  },
})

export const EDGE_CASES: readonly Case[] = [...poisoning, ...deceiving, ...apart, ...shown]
