import { expect } from "vitest"
import { asks, type Case, SENTINEL, shows } from "./corpus.ts"
import type { World } from "./corpus-world.ts"

const request = (
  world: World,
  line: string,
  more: readonly string[] = [],
  host = "host: hotswap.example",
): string =>
  [
    line,
    host,
    `authorization: Bearer ${world.acme.tokens.tenant_admin}`,
    ...more,
    "connection: close\r\n\r\n",
  ]
    .filter((one) => one !== "")
    .join("\r\n")
export const statusesOf = (told: string): string[] =>
  [...told.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => status!)

/** Nothing of the other tenant, and no success. */
const nothingOf = (told: string): void => {
  expect(statusesOf(told).filter((status) => status.startsWith("5"))).toEqual([])
  expect(told).not.toContain(SENTINEL)
  expect(told).not.toContain('"tenantId":"globex"')
  expect(statusesOf(told).filter((status) => status.startsWith("2"))).toEqual([])
}

const OWN = "/api/v1/configs/acme:Staging:plan"
const PATHS: readonly string[] = [
  "/api/v1/tenants/acme/../globex",
  "/api/v1/tenants/acme/%2e%2e/globex",
  "/api/v1/tenants/acme/.%2E/globex",
  "/api/v1/tenants/acme%2f..%2fglobex",
  "/api/v1/tenants/acme%252f..%252fglobex",
  "/api/v1/tenants/acme%5c..%5cglobex",
  "/api/v1/tenants/acme\\..\\globex",
  "/api/v1/tenants/acme;/../globex",
  "/api/v1/tenants/acme;tenantId=globex/tokens",
  "/api/v1/tenants/globex;acme",
  "/api/v1/tenants/globex%00",
  "/api/v1/tenants/globex%00acme",
  "/api/v1/tenants/globex%20",
  "/api/v1/tenants/globex%0a",
  "/api/v1/tenants/globex.",
  "/api/v1/tenants/globex%2e",
  "/api/v1/tenants/GLOBEX",
  "/api/v1/tenants/%67lobex",
  "/api/v1/tenants/%2567lobex",
  "/api/v1/tenants/ｇｌｏｂｅｘ",
  "/api/v1/tenants/%c0%afglobex",
  "/api/v1/tenants/%e0%80%afglobex",
  "/api/v1/tenants/..%c0%af..%c0%afglobex",
  "/api/v1/tenants/%ff%fe",
  "/api/v1/tenants/%zz",
  "/api/v1//tenants/globex",
  "//api/v1/tenants/globex",
  "/api/v1/tenants//globex",
  "/api/v1/tenants/acme//globex",
  "/api/v1/./tenants/globex",
  "/API/V1/TENANTS/globex",
  "/api/v1/configs/acme:Staging:plan/../globex:Staging:plan",
  "/api/v1/configs/globex%3AStaging%3Aplan",
  "/api/v1/configs/acme%2f..%2fglobex:Staging:plan",
  "/api/v1/configs/acme:Staging:..%2f..%2fglobex:Staging:plan",
  "/health/../api/v1/tenants/globex",
  "/docs/..%2f..%2f..%2fetc%2fpasswd",
  "/docs/%2e%2e/%2e%2e/package.json",
  "/docs/....//....//etc/passwd",
  "/internal/pointer/globex/Staging",
]

const control: Case["control"] = async (world) => {
  expect(statusesOf(await world.write(request(world, `GET ${OWN} HTTP/1.1`)))).toEqual(["200"])
}
const atTheOrigin = shows(
  "Paths",
  "nothing of another tenant, at the function",
  Object.fromEntries(
    PATHS.map((path) => [
      `\`${path}\``,
      async (world: World) =>
        nothingOf(await world.write(request(world, `GET ${Buffer.from(path).toString("latin1")} HTTP/1.1`))),
    ]),
  ),
  control,
)
const bearerOf = ({ acme }: World) => ({ authorization: `Bearer ${acme.tokens.tenant_admin}` })
const atTheWorker = shows(
  "Paths",
  "nothing of another tenant, through the Worker",
  Object.fromEntries(
    PATHS.map((path) => [
      `\`${path}\` through the Worker`,
      async (world: World) => {
        const { status, text } = await world.through(Buffer.from(path).toString("latin1"), bearerOf(world))
        expect(text).not.toContain(SENTINEL)
        expect(text).not.toContain('"tenantId":"globex"')
        expect(status).toBeGreaterThanOrEqual(400)
        expect(status).toBeLessThan(500)
        expect(world.origin.paths("/internal/")).toEqual([])
      },
    ]),
  ),
  async (world) => expect((await world.through(OWN, bearerOf(world))).status).toBe(200),
)
const INTERNAL: readonly string[] = [
  "/internal/pointer/acme/Production",
  "/INTERNAL/pointer/acme/Production",
  "//internal/pointer/acme/Production",
  "/./internal/pointer/acme/Production",
  "/health/../internal/pointer/acme/Production",
  "/%69nternal/pointer/acme/Production",
  "/%2569nternal/pointer/acme/Production",
  "/%69nternal/pointer/acme/Production%zz",
  "/\\internal/pointer/acme/Production",
  "/api/v1/configs/tenant/../../../../internal/pointer/acme/Production",
  "/api/v1/configs/tenant/..%2f..%2f..%2f..%2finternal/pointer/acme/Production",
  "/api/v1/configs/tenant/..%2f..%2f..%2f..%2finternal/pointer/acme/Production%zz",
  "/api/v1/configs/tenant/..%5c..%5c..%5c..%5cinternal/pointer/acme/Production",
]
/** The Worker's own secret goes with what it forwards: such a path must not be forwarded at all. */
const hidden = shows(
  "Paths",
  "ROUTE_UNKNOWN",
  Object.fromEntries(
    INTERNAL.map((path) => [
      `an internal route as \`${path}\``,
      async (world: World) => {
        const before = world.origin.calls.length
        const told = await world.through(path, bearerOf(world))
        expect(told.text).toContain('"ROUTE_UNKNOWN"')
        expect(world.origin.calls.slice(before)).toEqual([])
      },
    ]),
  ),
)

const ELSEWHERE = "attacker.example"
const reflected = (told: string): void => expect(told.toLowerCase()).not.toContain(ELSEWHERE)
const hosts = shows("Host and method", "another host is nowhere in the answer", {
  ...Object.fromEntries(
    [
      ["an unknown host", `host: ${ELSEWHERE}`, ""],
      ["a host and a port", `host: ${ELSEWHERE}:8080`, ""],
      ["a host with a path", `host: ${ELSEWHERE}/x`, ""],
      ["a host with a user", `host: hotswap.example@${ELSEWHERE}`, ""],
      ["X-Forwarded-Host", "host: hotswap.example", `x-forwarded-host: ${ELSEWHERE}`],
      ["X-Host", "host: hotswap.example", `x-host: ${ELSEWHERE}`],
      ["Forwarded", "host: hotswap.example", `forwarded: host=${ELSEWHERE};proto=http`],
      ["X-Forwarded-Server", "host: hotswap.example", `x-forwarded-server: ${ELSEWHERE}`],
      ["X-Forwarded-Proto", "host: hotswap.example", `x-forwarded-proto: http://${ELSEWHERE}`],
    ].map(([name, host, more]) => [
      `${name}`,
      async (world: World) => {
        for (const path of ["/docs", "/openapi.json", "/api/v1/tenants/nobody", "/nowhere", OWN])
          reflected(await world.write(request(world, `GET ${path} HTTP/1.1`, [more!], host)))
      },
    ]),
  ),
  ...Object.fromEntries(
    ["X-Original-URL", "X-Rewrite-URL", "X-Override-URL", "X-Forwarded-Prefix", "X-Original-Host"].map(
      (name) => [
        name,
        async (world: World) => {
          const told = await world.write(
            request(world, `GET ${OWN} HTTP/1.1`, [`${name}: /api/v1/configs/globex:Staging:plan`]),
          )
          expect(told).not.toContain(SENTINEL)
          expect(told).toContain('"gold"')
        },
      ],
    ),
  ),
})
const absolute = shows("Host and method", "its own tenant only", {
  "an absolute URL of another host": async (world) =>
    reflected(await world.write(request(world, `GET http://${ELSEWHERE}/api/v1/tenants/acme HTTP/1.1`))),
  "an asterisk": async (world) =>
    expect(statusesOf(await world.write(request(world, "OPTIONS * HTTP/1.1")))).toEqual(["404"]),
  "an absolute URL of a tenant that is another's": async (world) =>
    nothingOf(await world.write(request(world, "GET http://hotswap.example/api/v1/tenants/globex HTTP/1.1"))),
})

const overridden =
  (name: string) =>
  async (world: World): Promise<void> => {
    const told = await world.ask({ path: OWN, headers: { [name]: "DELETE" } })
    expect(told.status).toBe(200)
    const posted = await world.ask({ method: "POST", path: OWN, headers: { [name]: "DELETE" }, body: {} })
    expect(posted.code).toBe("METHOD_NOT_ALLOWED")
    expect((await world.ask({ path: OWN })).status, "it is still there").toBe(200)
  }
const methods: Case[] = [
  ...shows(
    "Host and method",
    "the method of the request line",
    Object.fromEntries(
      ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "_method"].map((name) => [
        name,
        overridden(name),
      ]),
    ),
  ),
  ...asks(
    "Host and method",
    "METHOD_NOT_ALLOWED",
    {
      "a method in the query": { method: "POST", path: `${OWN}?_method=DELETE` },
      PROPFIND: { method: "PROPFIND", path: OWN },
      "a method in lower case": { method: "patch", path: OWN, body: {} },
    },
    { path: OWN },
  ),
  ...shows("Host and method", "nothing is told", {
    TRACE: async (world) => {
      const told = await world.write(request(world, `TRACE ${OWN} HTTP/1.1`))
      expect(told).not.toContain(world.acme.tokens.tenant_admin)
      expect(statusesOf(told)).toEqual(["405"])
    },
    "CONNECT to a metadata service": async (world) =>
      expect(
        statusesOf(await world.write(request(world, "CONNECT 169.254.169.254:80 HTTP/1.1"))),
      ).not.toContain("200"),
    "a change of protocol": async (world) => {
      const told = await world.write(
        request(world, `GET ${OWN} HTTP/1.1`, ["upgrade: h2c", "http2-settings: AAMAAABkAAQAAP__"]),
      )
      expect(statusesOf(told)).not.toContain("101")
    },
  }),
]

export const PLACE_CASES: readonly Case[] = [
  ...atTheOrigin,
  ...atTheWorker,
  ...hidden,
  ...hosts,
  ...absolute,
  ...methods,
]
