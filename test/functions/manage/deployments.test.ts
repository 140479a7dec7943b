import postgres from "postgres"
import { afterAll, beforeAll, expect, test } from "vitest"
import { createWorld, must, type World } from "./world.ts"

let world: World
beforeAll(async () => {
  world = await createWorld({ settings: { outboundAllow: ["127.0.0.0/8"] } })
})
afterAll(() => world.close())

interface Shown {
  code: string
  deployments: Record<string, { credentials?: Record<string, unknown>; targets: { url: string }[] }>
  inForce: Record<string, { vouched: boolean; timeoutMs: number; namespace: string }>
  errors: { path: string }[]
}

let tenants = 0
const newTenant = async (tier = "Pro") => {
  const tenant = await world.tenant(`owner-${++tenants}`, tier)
  const path = `/api/v1/tenants/${tenant.tenantId}/deployments`
  const { tenant_admin: own } = tenant.tokens
  return {
    ...tenant,
    path,
    put: (
      body: unknown,
      { token = own, headers = {} }: { token?: string; headers?: Record<string, string> } = {},
    ) => world.call<Shown>("PUT", path, { body, token, headers }),
    get: (token = own) => world.call<Shown>("GET", path, { token }),
  }
}

const PUBLIC = { targets: [{ url: "https://192.0.2.1" }] }
const vm = { targets: [{ url: "https://93.184.215.14" }] }
const withToken = (token: unknown, url = "https://93.184.215.14") => ({
  metrics: { targets: [{ url }], credentials: { type: "bearer", token } },
})

test("a tenant's admin sets its backends, everybody of the tenant reads them, and the tier fills them up", async () => {
  const { put, get, tokens, tenantId } = await newTenant("Enterprise")
  const made = await must(put({ metrics: { ...vm, timeoutMs: 5_000 }, traces: vm }), 200)
  const read = await must(get(tokens.viewer), 200)
  expect(read.body).toEqual(made.body)
  expect(read.body).toMatchObject({
    tenantId,
    deployments: { metrics: { targets: [{ url: "https://93.184.215.14" }], timeoutMs: 5_000 } },
    inForce: {
      metrics: { timeoutMs: 5_000, namespace: `hotswap-${tenantId}`, vouched: false },
      traces: { timeoutMs: 30_000 },
    },
  })
  const shown = await world.call<Shown>("GET", `/api/v1/tenants/${tenantId}`, { token: tokens.viewer })
  expect(shown.body.deployments).toEqual(read.body.deployments)
  await must(put({}), 200)
  expect((await get()).body.deployments).toEqual({})
})

test("credentials are told to nobody again, and lie sealed wherever they are kept", async () => {
  const { put, get, tenantId } = await newTenant()
  const secret = "a-token-that-nobody-else-has"
  const made = await must(put(withToken(secret)), 200)
  expect(made.body.deployments.metrics?.credentials).toEqual({
    type: "bearer",
    token: { $secret: true, version: 1 },
  })
  const again = await must(put((await get()).body.deployments), 200)
  expect(again.headers.get("etag")).toBe(made.headers.get("etag"))
  const all = postgres(world.url("postgres"), { max: 1 })
  const tables = await all`select relname as name from pg_class
    where relnamespace = 'hotswap'::regnamespace and relkind = 'r'`
  for (const { name } of tables) {
    const rows = await all`select t::text as row from hotswap.${all(name)} t`
    expect(JSON.stringify(rows), name).not.toContain(secret)
  }
  const kept = await all`select version from hotswap.secret_values
    where tenant_id = ${tenantId} and environment = '~deployments'`
  expect(kept.map(({ version }) => version)).toEqual([1])
  await all.end()
  expect(JSON.stringify(world.logged)).not.toContain(secret)
})

test("a credential that would go to another host has to be sent again", async () => {
  const { put } = await newTenant()
  await must(put(withToken("one")), 200)
  const moved = await put(withToken({ $secret: true, version: 1 }, "https://93.184.215.15"))
  expect([moved.status, moved.body.code]).toEqual([422, "SECRET_VALUE_NEEDED"])
  const made = await must(put(withToken("two", "https://93.184.215.15")), 200)
  expect(made.body.deployments.metrics?.credentials?.token).toEqual({ $secret: true, version: 2 })
})

test("whoever read an older version overwrites nothing, and a repeat under the same key is answered the same", async () => {
  const { put, get } = await newTenant()
  const first = await must(put({ metrics: vm }), 200)
  const etag = first.headers.get("etag")!
  const headers = { "if-match": etag, "idempotency-key": "one" }
  const second = await must(put({ logs: vm }, { headers }), 200)
  const stale = await put({ traces: vm }, { headers: { "if-match": etag } })
  expect([stale.status, stale.body.code]).toEqual([412, "VERSION_STALE"])
  const repeated = await put({ logs: vm }, { headers })
  expect(repeated.text).toBe(second.text)
  expect(Object.keys((await get()).body.deployments)).toEqual(["logs"])
})

test("of many who set them at once, one after the other wins, each told which", async () => {
  const { put, get } = await newTenant()
  const answers = await Promise.all(["a", "b", "c", "d"].map((token) => put(withToken(token))))
  const won = answers.filter(({ status }) => status === 200)
  expect(won.length).toBeGreaterThanOrEqual(1)
  for (const { status, body } of answers) expect([200, 409], body.code).toContain(status)
  const versions = won.map(
    ({ body }) => (body.deployments.metrics!.credentials!.token as { version: number }).version,
  )
  expect(new Set(versions).size).toBe(won.length)
  const { version } = (await get()).body.deployments.metrics!.credentials!.token as { version: number }
  expect(version).toBe(Math.max(...versions))
})

test("what is set is audited, without what is secret in it", async () => {
  const { put, tenantId } = await newTenant()
  await must(put(withToken("audited-secret")), 200)
  const audit = await world.call<{ items: { action: string; detail: object }[] }>(
    "GET",
    `/api/v1/audit?tenantId=${tenantId}`,
  )
  expect(audit.text).not.toContain("audited-secret")
  expect(audit.body.items).toContainEqual(
    expect.objectContaining({
      action: "deployments.set",
      target: tenantId,
      detail: { backends: ["metrics"] },
    }),
  )
})

test("a tenant's own backend is on the internet and speaks TLS; only the platform names one where just this network reaches", async () => {
  const { put } = await newTenant()
  for (const url of [
    "https://127.0.0.1:8428",
    "https://169.254.169.254",
    "https://10.0.0.1",
    "https://[::ffff:127.0.0.1]",
    "https://[fe80::1]",
    "https://localhost",
    "http://93.184.215.14",
    "https://93.184.215.14:22",
  ]) {
    const refused = await put({ metrics: { targets: [{ url }] } })
    expect([refused.status, refused.body.code, refused.body.errors[0]?.path], url).toEqual([
      422,
      "ADDRESS_FORBIDDEN",
      "/metrics/targets/0/url",
    ])
  }
  const token = world.adminToken
  const made = await must(put({ metrics: { targets: [{ url: "http://127.0.0.1:8428" }] } }, { token }), 200)
  expect(made.body.inForce.metrics?.vouched).toBe(true)
  const metadata = await put({ metrics: { targets: [{ url: "http://169.254.169.254" }] } }, { token })
  expect(metadata.body.code).toBe("ADDRESS_FORBIDDEN")
})

test("what the platform set is the platform's to alter, and what the tenant set does not become the platform's", async () => {
  const { put, get } = await newTenant()
  const token = world.adminToken
  const inside = {
    targets: [{ url: "http://127.0.0.1:8428" }],
    credentials: { type: "bearer", token: "ours" },
  }
  await must(put({ logs: vm }), 200)
  await must(put({ logs: vm, metrics: inside }, { token }), 200)
  const kept = (await get()).body
  expect([kept.inForce.logs?.vouched, kept.inForce.metrics?.vouched]).toEqual([false, true])
  await must(put({ ...kept.deployments, traces: vm }), 200)
  for (const altered of [
    { logs: vm },
    { ...kept.deployments, metrics: vm },
    { ...kept.deployments, metrics: { ...kept.deployments.metrics, timeoutMs: 1_000 } },
  ]) {
    const refused = await put(altered)
    expect([refused.status, refused.body.code]).toEqual([403, "FORBIDDEN"])
  }
})

test("a new tenant may bring its backends along, and a PATCH sets them by the same rules; credentials come later", async () => {
  const create = (tenantId: string, deployments: unknown) =>
    world.call<Shown>("POST", "/api/v1/tenants", { body: { tenantId, name: tenantId, deployments } })
  const made = await must(create("brought", { logs: vm }), 201)
  expect(made.body.deployments).toEqual({ logs: vm })
  const early = await create("early", withToken("x"))
  expect([early.status, early.body.code]).toEqual([422, "DEPLOYMENT_INVALID"])
  expect((await world.call("GET", "/api/v1/tenants/early")).status).toBe(404)

  const { tenantId, tokens, get } = await newTenant()
  const patch = (deployments: unknown) =>
    world.call<Shown>("PATCH", `/api/v1/tenants/${tenantId}`, {
      body: { deployments },
      token: tokens.tenant_admin,
    })
  await must(patch(withToken("patched")), 200)
  expect((await get()).body.deployments.metrics?.credentials?.token).toEqual({ $secret: true, version: 1 })
  expect((await patch({ metrics: { targets: [{ url: "https://10.0.0.1" }] } })).body.code).toBe(
    "ADDRESS_FORBIDDEN",
  )
})

test("nobody else of the tenant sets them, and a token for one environment does not read them", async () => {
  const { put, get, tokens, issue } = await newTenant()
  for (const role of ["viewer", "engineer", "manager", "compliance"] as const)
    expect((await put({ metrics: vm }, { token: tokens[role] })).status, role).toBe(403)
  expect((await get(await issue("bound", ["viewer"], "QA"))).body.code).toBe("FORBIDDEN")
  expect((await get(await issue("app", ["reader"], "QA"))).body.code).toBe("FORBIDDEN")
})

test("what is not as it should be is refused with where, and alters nothing", async () => {
  const { put, get } = await newTenant("Free")
  const before = (await get()).text
  for (const [body, code] of [
    [{ metrics: { targets: [] } }, "BODY_INVALID"],
    [{ metric: vm }, "BODY_INVALID"],
    [{ metrics: { ...vm, timeoutMs: 0 } }, "BODY_INVALID"],
    [{ metrics: { ...vm, health: { path: "../x" } } }, "BODY_INVALID"],
    [{ metrics: { ...vm, tenancy: { accountId: -1 } } }, "BODY_INVALID"],
    [{ metrics: { ...vm, credentials: { type: "bearer", token: "a\r\nx: y" } } }, "BODY_INVALID"],
    [{ metrics: { ...vm, credentials: { type: "basic", username: "a:b", password: "c" } } }, "BODY_INVALID"],
    [{ metrics: { ...vm, tls: { ca: "none" } } }, "BODY_INVALID"],
    [{ metrics: { targets: [{ url: "vm.example.com" }] } }, "DEPLOYMENT_INVALID"],
    [
      { metrics: { targets: [...vm.targets, ...PUBLIC.targets, { url: "https://192.0.2.2" }] } },
      "DEPLOYMENT_INVALID",
    ],
    [
      { metrics: { ...vm, credentials: { type: "bearer", token: { $secret: true, version: 1 } } } },
      "SECRET_VALUE_NEEDED",
    ],
  ] as const) {
    const refused = await put(body)
    expect(refused.body.code, JSON.stringify(body)).toBe(code)
  }
  expect((await get()).text).toBe(before)
})
