import { afterAll, beforeAll, expect, test } from "vitest"
import { createProvisioner } from "../../../functions/router/provisioner.ts"
import { must } from "../manage/world.ts"
import { createProvisioningWorld, type ProvisioningWorld, type Shown } from "./provisioning-world.ts"
import { startUpstream, type Upstream } from "./world.ts"

let world: ProvisioningWorld
let backend: Upstream
/** What was written to it last. */
let written = ""
beforeAll(async () => {
  world = await createProvisioningWorld()
  backend = await startUpstream("backend")
  backend.answer = (response, { url, method, body }) => {
    if (method === "POST") written = body
    const [, nonce, ms] = /probe (\d+) (\d+)/.exec(written) ?? []
    const line = { metric: {}, values: [Number(nonce)], timestamps: [Number(ms)] }
    response.writeHead(200).end(url.includes("/export") ? `${JSON.stringify(line)}\n` : written)
  }
})
afterAll(async () => {
  await backend.stop()
  await world.close()
})

let tenants = 0
const tenantOf = async (tier: string) => {
  const tenantId = `provisioned-${++tenants}`
  const tenant = await world.tenant(tenantId, tier)
  const to = (prefix: string) => world.front.routes.set(prefix, backend.url)
  for (const part of ["metrics", "metrics-vminsert", "metrics-vmselect", "logs"]) to(`/t-${tenantId}-${part}`)
  to("/logs")
  const deployments = async () =>
    (await must(world.call<{ deployments: object }>("GET", `/api/v1/tenants/${tenantId}/deployments`), 200))
      .body.deployments
  const actions = async () =>
    (
      await must(
        world.call<{ items: { action: string }[] }>("GET", `/api/v1/audit?tenantId=${tenantId}&limit=50`),
        200,
      )
    ).body.items.map(({ action }) => action)
  return { ...tenant, deployments, actions }
}

const METRICS = { backends: ["metrics"] }
interface Planned {
  digest: string
  plan: Shown["plan"]
  difference: { added: string[]; altered: string[]; same: string[]; remains: string[] }
}
const plan = async (tenantId: string, body: object = METRICS) =>
  (await must(world.call<Planned>("POST", world.pathOf(tenantId, "/plan"), { body }), 200)).body
const codeOf = async (answer: Promise<{ status: number; body: object }>) => {
  const { status, body } = await answer
  return `${status} ${(body as { code?: string }).code}`
}

test("a plan alters nothing, and what is applied is what was looked at or nothing", async () => {
  const { tenantId, actions } = await tenantOf("Enterprise")
  const before = await actions()
  const { digest, plan: planned, difference } = await plan(tenantId)
  expect(difference).toMatchObject({ altered: [], same: [], remains: [] })
  expect(difference.added).toContain(`release hotswap-${tenantId}/t-${tenantId}-metrics`)
  expect(await codeOf(world.call("GET", world.pathOf(tenantId)))).toBe("404 PROVISIONING_NOT_FOUND")
  expect(await actions()).toEqual(before)
  await must(world.call("PATCH", `/api/v1/tenants/${tenantId}`, { body: { tier: "Pro" } }), 200)
  expect(await codeOf(world.post(tenantId, "apply", { ...METRICS, digest }))).toBe("409 PLAN_ALTERED")
  await must(world.call("PATCH", `/api/v1/tenants/${tenantId}`, { body: { tier: "Enterprise" } }), 200)
  const applied = await must(world.post(tenantId, "apply", { ...METRICS, digest }), 200)
  expect(applied.body).toMatchObject({ state: "applying", digest, plan: planned, outdated: false })
  expect(await plan(tenantId)).toMatchObject({ difference: { added: [], altered: [] } })
})

test("the tenant is led there once the service has seen for itself that it answers, and exactly once", async () => {
  const { tenantId, deployments, actions } = await tenantOf("Enterprise")
  await must(world.post(tenantId, "apply", METRICS), 200)
  await world.provisioner.sweep()
  expect(await deployments()).toEqual({})
  await must(world.post(tenantId, "confirm"), 200)
  expect(await deployments()).toEqual({})
  const both = [world.provisioner, createProvisioner(world.routerPlatform)]
  await world.until(tenantId, "active", async () => {
    await Promise.all(both.map((provisioner) => provisioner.sweep()))
  })
  const { plan: planned } = await world.shown(tenantId)
  expect(await deployments()).toEqual(planned.deployments)
  expect((await actions()).filter((action) => action.startsWith("provisioning."))).toEqual([
    "provisioning.activate",
    "provisioning.confirm",
    "provisioning.apply",
  ])
  const heard = backend.heard.map(({ method, url }) => `${method} ${url.split("?")[0]}`)
  // As a tenant's own requests go: written to one part of the cluster, asked of the other.
  expect(heard).toContain("POST /insert/0/prometheus/api/v1/import/prometheus")
  expect(heard).toContain("GET /select/0/prometheus/api/v1/export")
})

test("what does not answer is waited for, fails after its time with the reason, and can be tried again or given up", async () => {
  const { tenantId, deployments } = await tenantOf("Pro")
  await must(world.post(tenantId, "apply", { backends: ["metrics", "logs"] }), 200)
  const [answer] = [backend.answer]
  backend.answer = (response, heard, request) =>
    heard.url.includes("/health") ? response.writeHead(503).end() : answer(response, heard, request)
  await must(world.post(tenantId, "confirm"), 200)
  await world.provisioner.sweep()
  expect(await world.shown(tenantId)).toMatchObject({ state: "validating" })
  expect((await world.shown(tenantId)).words).toContain("It answered 503.")
  expect(await world.until(tenantId, "failed")).toMatchObject({
    failure: { state: "validating", reason: "unhealthy" },
  })
  expect(await deployments()).toEqual({})
  await must(world.post(tenantId, "retry"), 200)
  backend.answer = (response) => void response.writeHead(200).end()
  await world.provisioner.sweep()
  world.moveClock(3_000)
  await world.provisioner.sweep()
  expect((await world.shown(tenantId)).words).toContain("not there to be read yet")
  expect((await must(world.post(tenantId, "cancel"), 200)).body.state).toBe("cancelled")
  await world.provisioner.sweep()
  expect(await deployments()).toEqual({})
  expect(await codeOf(world.post(tenantId, "retry"))).toBe("409 PROVISIONING_STATE")
  backend.answer = answer
})

test("what somebody altered meanwhile is not written over", async () => {
  const { tenantId, deployments } = await tenantOf("Pro")
  await must(world.post(tenantId, "apply", METRICS), 200)
  const own = { metrics: { targets: [{ url: backend.url }] } }
  await must(world.put(tenantId, own), 200)
  await must(world.post(tenantId, "confirm"), 200)
  expect(await world.until(tenantId, "failed")).toMatchObject({ failure: { reason: "altered" } })
  expect(await deployments()).toEqual(own)
  // What is not the plan's is nobody's concern.
  await must(world.post(tenantId, "apply", METRICS), 200)
  const logs = { targets: [{ url: backend.url }] }
  await must(world.put(tenantId, { ...own, logs }), 200)
  await must(world.post(tenantId, "confirm"), 200)
  await world.until(tenantId, "active")
  expect(await deployments()).toMatchObject({ logs })
})

test("after another tier what is not needed any more is said, kept until it is told to be gone, and a plan of nothing takes all away", async () => {
  const { tenantId, deployments } = await tenantOf("Enterprise")
  const through = async (backends: string[]) => {
    const { state } = (await must(world.post(tenantId, "apply", { backends }), 200)).body
    if (state === "applying") await must(world.post(tenantId, "confirm"), 200)
  }
  await through(["metrics"])
  await world.until(tenantId, "active")
  await must(world.call("PATCH", `/api/v1/tenants/${tenantId}`, { body: { tier: "Pro" } }), 200)
  expect(await world.shown(tenantId)).toMatchObject({ state: "active", outdated: true })
  await through(["metrics"])
  const retiring = await world.until(tenantId, "retiring")
  expect(retiring.remains).toContain(`Namespace hotswap-${tenantId}`)
  expect(retiring.remains).not.toContain("Namespace hotswap-pro")
  expect((await must(world.post(tenantId, "retire"), 200)).body).toMatchObject({
    state: "active",
    remains: [],
  })
  await through([])
  expect((await world.until(tenantId, "retiring")).remains).toContain(
    `release hotswap-pro/t-${tenantId}-metrics`,
  )
  expect(await deployments()).toEqual({})
})

test("the platform provisions, the tenant's admin looks, and nobody else learns of it", async () => {
  const { tenantId, tokens } = await tenantOf("Pro")
  const other = await tenantOf("Pro")
  await must(world.post(tenantId, "apply", METRICS), 200)
  const get = (token: string) => codeOf(world.call("GET", world.pathOf(tenantId), { token }))
  expect(await get(tokens.tenant_admin)).toBe("200 undefined")
  expect(await get(tokens.manager)).toBe("403 FORBIDDEN")
  expect(await get(other.tokens.tenant_admin)).toBe("404 TENANT_NOT_FOUND")
  for (const name of ["plan", "apply"])
    expect(await codeOf(world.post(tenantId, name, METRICS, tokens.tenant_admin))).toBe("403 FORBIDDEN")
  for (const name of ["confirm", "retry", "cancel", "retire"])
    expect(await codeOf(world.post(tenantId, name, {}, tokens.tenant_admin))).toBe("403 FORBIDDEN")
  const path = "/api/v1/provisioning-template"
  expect(await codeOf(world.call("GET", path, { token: tokens.tenant_admin }))).toBe("403 FORBIDDEN")
})

test("a template is checked, and not written over by who has not read it", async () => {
  const put = (body: object, headers = {}) =>
    world.call("PUT", "/api/v1/provisioning-template", { body, headers })
  expect(await codeOf(put({ ...world.template, address: "http://one" }))).toBe("422 TEMPLATE_INVALID")
  expect(await codeOf(put({ ...world.template, callers: ["everybody"] }))).toBe("400 BODY_INVALID")
  const stale = { "if-match": '"0"' }
  expect(await codeOf(put(world.template, stale))).toBe("412 VERSION_STALE")
  const read = await must(world.call("GET", "/api/v1/provisioning-template"), 200)
  expect(read.body).toEqual(world.template)
  const fresh = { "if-match": read.headers.get("etag")! }
  expect((await must(put(world.template, fresh), 200)).body).toEqual(world.template)
})

test.each([
  ["there is nothing to bring over", { backends: ["metrics"], move: true }, "422 MOVE_IMPOSSIBLE"],
  ["a backend is named twice", { backends: ["metrics", "metrics"] }, "400 BODY_INVALID"],
  ["a backend is none", { backends: ["mails"] }, "400 BODY_INVALID"],
  ["a digest is none", { backends: ["metrics"], digest: "x" }, "400 BODY_INVALID"],
  ["the platform has none to share", { backends: ["traces"] }, "409 TEMPLATE_INCOMPLETE"],
])("nothing is applied where %s", async (_, body, code) => {
  const { tenantId } = await tenantOf("Free")
  expect(await codeOf(world.post(tenantId, "apply", body))).toBe(code)
  expect(await codeOf(world.call("GET", world.pathOf(tenantId)))).toBe("404 PROVISIONING_NOT_FOUND")
})

test("a repeat under the same key applies nothing twice", async () => {
  const { tenantId } = await tenantOf("Pro")
  const apply = () =>
    world.call<Shown>("POST", world.pathOf(tenantId, "/apply"), {
      body: METRICS,
      headers: { "idempotency-key": "once" },
    })
  const first = await must(apply(), 200)
  expect((await must(apply(), 200)).body).toEqual(first.body)
  expect((await world.shown(tenantId)).number).toBe(1)
})
