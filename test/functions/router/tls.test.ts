import { afterAll, beforeAll, expect, test } from "vitest"
import { selfSigned } from "../../support/certificate.ts"
import { must } from "../manage/world.ts"
import { createRouterWorld, type RouterWorld, startUpstream, type Upstream } from "./world.ts"

const server = selfSigned(["localhost"])
const client = selfSigned(["hotswap"])
const stranger = selfSigned(["localhost"])

let world: RouterWorld
let backend: Upstream
beforeAll(async () => {
  world = await createRouterWorld()
  backend = await startUpstream("mutual", {
    ...server,
    ca: client.cert,
    requestCert: true,
    rejectUnauthorized: true,
  })
})
afterAll(async () => {
  await backend.stop()
  await world.close()
})

const QUERY = "/metrics/api/v1/labels"
const own = { certificate: client.cert, key: client.key }
const tenantWith = (tenantId: string, tls?: object) =>
  world.tenantWith(tenantId, [{ url: backend.url }], tls === undefined ? {} : { tls })

test("a backend that wants a certificate is shown the tenant's, whose key nobody reads again", async () => {
  const { tokens, tenantId } = await tenantWith("mutual", { ca: server.cert, ...own })
  const answer = await world.route(tokens.viewer, QUERY)
  expect([answer.status, answer.text]).toEqual([200, '"mutual"'])
  expect(backend.heard.at(-1)!.shown).toMatch(/^[0-9A-F:]{95}$/)
  const shown = await must(world.call("GET", `/api/v1/tenants/${tenantId}/deployments`), 200)
  expect(shown.text).not.toContain("PRIVATE KEY")
  expect(shown.body.deployments).toMatchObject({
    metrics: { tls: { ca: server.cert, certificate: { $secret: true }, key: { $secret: true } } },
  })
})

test.each([
  ["that nobody vouches for is not spoken to", undefined],
  ["that shows another certificate than the tenant trusts is not spoken to", { ca: stranger.cert, ...own }],
])("a backend %s", async (words, tls) => {
  const heard = backend.heard.length
  const { tokens } = await tenantWith(`tls-${words.length}`, tls)
  const write = { method: "POST", body: "{}" }
  const answer = await world.route(tokens.engineer, "/metrics/api/v1/import", write)
  expect([answer.status, answer.body.code]).toEqual([503, "BACKEND_UNREACHABLE"])
  expect(answer.text).not.toContain("localhost")
  expect(backend.heard).toHaveLength(heard)
})

test("who shows no certificate where one is wanted is let in nowhere", async () => {
  const heard = backend.heard.length
  const { tokens } = await tenantWith("showing-none", { ca: server.cert })
  const answer = await world.route(tokens.viewer, QUERY)
  // TLS 1.3: the server's refusal comes after the client has begun to speak.
  expect([502, 503]).toContain(answer.status)
  expect(backend.heard).toHaveLength(heard)
})
