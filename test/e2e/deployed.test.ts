import { randomBytes } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"
import { signedHeaders } from "../../functions/platform/keys/aws-request.ts"
import { PATIENTLY } from "../support/edge.ts"
import { type DeployedWorld, openDeployed } from "./deployed-world.ts"

let deployed: DeployedWorld
beforeAll(async () => {
  deployed = await openDeployed()
}, 180_000)
afterAll(() => deployed?.close())

/** A tenant with a value in QA, and an application that reads it there. */
const tenantWith = async (tenantId: string, value: string) => {
  const { call, admin } = deployed
  const asked = { token: admin, body: { tenantId, name: tenantId } }
  expect((await call("POST", "/api/v1/tenants", asked)).status).toBe(201)
  const config = { tenantId, environment: "QA", key: "k", value }
  expect((await call("POST", "/api/v1/configs", { token: admin, body: config })).status).toBe(201)
  const reader = { subject: "app", roles: ["reader"], environment: "QA" }
  const path = `/api/v1/tenants/${tenantId}/tokens`
  const { body } = await call<{ token: string }>("POST", path, { token: admin, body: reader })
  return { token: body.token, path: `/api/v1/configs/tenant/${tenantId}`, value }
}

test("what is written through manage is read through the Worker, by a function that takes signed requests only", async () => {
  const { call, urls, key } = deployed
  const { token, path, value } = await tenantWith("written", "new")
  // A function that has just started on a busy machine may be too late for its own deadline.
  await expect
    .poll(() => call("GET", path, { token }))
    .toMatchObject({ status: 200, body: { configs: { k: value } } })
  const asked = urls.read.events.find(({ rawPath }) => rawPath === "/internal/pointer/written/QA")
  expect(asked?.requestContext).toMatchObject({ authorizer: { iam: { accessKey: key.accessKeyId } } })
})

test("what the function alone can answer comes to the reader whose token stands beside the signature", async () => {
  const { call, urls } = deployed
  const { token, path, value } = await tenantWith("beside", "old")
  const asOf = `${path}?asOf=${new Date().toISOString()}`
  expect(await call("GET", asOf, { token })).toMatchObject({ status: 200, body: { configs: { k: value } } })
  const { headers } = urls.read.events.at(-1)!
  expect(headers.authorization).toMatch(/^AWS4-HMAC-SHA256 /)
  expect(headers["hotswap-authorization"]).toBe(`Bearer ${token}`)
  // What is encoded in an address is signed encoded once more.
  expect(await call("GET", "/api/v1/configs/tenant/crm%3A42%2F%C3%A4", { token })).toMatchObject({
    body: { code: "TENANT_NOT_FOUND" },
  })
})

test("nobody gets in by a header that only the edge may write", async () => {
  const { call, urls, admin } = deployed
  const { token, path } = await tenantWith("smuggled", "x")
  for (const stolen of [token, admin]) {
    const headers = { "hotswap-authorization": `Bearer ${stolen}` }
    const asOf = `${path}?asOf=${new Date().toISOString()}`
    for (const [method, where] of [
      ["GET", asOf],
      ["POST", "/api/v1/outcomes"],
      ["GET", "/api/v1/tenants"],
      ["GET", "/api/v1/route/metrics/api/v1/query"],
    ] as const) {
      const answer = await call(method, where, { headers, ...(method === "POST" ? { body: {} } : {}) })
      expect([where, answer.status]).toEqual([where, 401])
      expect(answer.headers.get("www-authenticate")).toContain("Bearer")
      expect(await call(method, where, { headers, token: "guessed" })).toMatchObject({ status: 401 })
    }
    const open = await fetch(`${urls.manage.url}/api/v1/tenants`, { headers })
    expect(open.status).toBe(401)
    await open.body?.cancel()
  }
})

test("a request of our own key is nobody's without the edge's secret, and one without the key gets nowhere", async () => {
  const { urls, key, edgeSecret, admin } = deployed
  const { path } = await tenantWith("direct", "x")
  const [internal, view] = ["/internal/pointer/direct/QA", `${path}?environment=QA`]
  const ask = async (where: string, headers: Record<string, string>, credentials = key, at = new Date()) => {
    const url = urls.read.url + where
    const asked = { method: "GET", url, service: "lambda", region: "eu-central-1", headers: {}, body: "" }
    const answer = await fetch(url, { headers: { ...headers, ...signedHeaders(asked, credentials, at) } })
    return { status: answer.status, code: ((await answer.json()) as { code?: string }).code }
  }
  const [edge, caller] = [{ "hotswap-edge": edgeSecret }, { "hotswap-authorization": `Bearer ${admin}` }]
  expect((await ask(internal, edge)).status).toBe(200)
  expect((await ask(view, { ...edge, ...caller })).status).toBe(200)
  for (const shown of [caller, { ...caller, "hotswap-edge": "guessed" }]) {
    expect(await ask(internal, shown)).toEqual({ status: 404, code: "ROUTE_UNKNOWN" })
    expect(await ask(view, shown)).toEqual({ status: 401, code: "UNAUTHENTICATED" })
  }
  const invoked = urls.read.events.length
  expect((await ask(internal, edge, { ...key, secretAccessKey: "guessed" })).status).toBe(403)
  expect((await ask(internal, edge, key, new Date(Date.now() - 6 * 60_000))).status).toBe(403)
  const unsigned = await fetch(urls.read.url + internal, {
    headers: { ...edge, authorization: `Bearer ${admin}` },
  })
  expect([unsigned.status, await unsigned.json()]).toEqual([403, { Message: "Forbidden" }])
  expect(urls.read.events.length).toBe(invoked)
})

test("a Worker whose key is not taken any more reads what was last known, and says of the rest that it is away", async () => {
  const { urls, worker } = deployed
  const [known, other] = [await tenantWith("known", "kept"), await tenantWith("unknown", "x")]
  const kept = await mkdtemp(join(tmpdir(), "hotswap-kv-"))
  onTestFinished(() => rm(kept, { recursive: true, force: true }))
  const before = await worker({}, kept)
  expect((await before.call("GET", known.path, known)).status).toBe(200)
  await expect
    .poll(async () => [...(await before.edge.lastKnownGood()).keys()], PATIENTLY)
    .toEqual(["known/QA"])
  await before.edge.dispose()

  const { call } = await worker({ AWS_SECRET_ACCESS_KEY: randomBytes(20).toString("hex") }, kept)
  expect(await call("GET", known.path, known)).toMatchObject({
    status: 200,
    body: { configs: { k: "kept" } },
  })
  const asOf = `${known.path}?asOf=${new Date().toISOString()}`
  for (const [path, token] of [
    [other.path, other.token],
    [asOf, known.token],
  ] as const) {
    const answer = await call("GET", path, { token })
    expect(answer).toMatchObject({ status: 503, body: { code: "ORIGIN_UNAVAILABLE" } })
    expect(answer.headers.get("content-type")).toContain("application/problem+json")
  }
  expect(urls.read.refused.at(-1)).toBe("SignatureDoesNotMatch")
})

test("what a client reports through the Worker is counted, and takes back what fails it", async () => {
  const { call, urls, admin } = deployed
  const { token, path } = await tenantWith("reporting", "old")
  const change = await call<{ changeId: string }>("POST", "/api/v1/changes", {
    token: admin,
    body: {
      tenantId: "reporting",
      environment: "QA",
      edits: [{ key: "k", value: "new" }],
      strategy: { type: "canary", steps: [{ weightBp: 1_000, holdMs: 600_000 }] },
    },
  })
  const { revision } = (await call<{ revision: string }>("GET", `${path}?environment=QA`, { token: admin }))
    .body
  const report = (arm: string, ok: number, errors: number) => ({
    revision,
    arm,
    instance: "one",
    seq: 1,
    ok,
    errors,
  })
  const body = { reports: [report("stable", 90, 0), report("candidate", 5, 5)] }
  expect(await call("POST", "/api/v1/outcomes", { token, body })).toMatchObject({
    status: 202,
    body: { accepted: 2, ignored: [], verdict: { kind: "unhealthy" } },
  })
  expect(urls.outcomes.events.at(-1)!.headers.authorization).toBeUndefined()
  const shown = await call("GET", `/api/v1/changes/${change.body.changeId}`, { token: admin })
  expect(shown.body).toMatchObject({ state: "rolled_back", reason: "unhealthy" })
})

test("what is for a tenant's own backend goes to the function that routes, and no other", async () => {
  const { call, urls, admin } = deployed
  await tenantWith("routed", "x")
  const who = { subject: "vera", roles: ["viewer"] }
  const issued = await call("POST", "/api/v1/tenants/routed/tokens", { token: admin, body: who })
  const { token } = issued.body as { token: string }
  const path = "/api/v1/route/metrics/api/v1/query?query=up%7B%7D"
  const headers = { "x-tenant-id": "routed" }
  expect(await call("GET", path, { token, headers })).toMatchObject({
    status: 404,
    body: { code: "BACKEND_NOT_FOUND" },
  })
  const { rawQueryString, headers: heard } = urls.router.events.at(-1)!
  expect(rawQueryString).toBe("query=up%7B%7D")
  expect(heard["hotswap-authorization"]).toBe(`Bearer ${token}`)
  // What speaks to addresses that tenants name does not hold what opens every door.
  expect(await call("GET", path, { token: admin, headers })).toMatchObject({ status: 401 })
})

test("whatever goes wrong, no answer and no log says anything of what the Worker signs with", async () => {
  const { call, worker, told, key, edgeSecret, admin } = deployed
  const { token, path } = await tenantWith("silent", "x")
  const wrong = randomBytes(20).toString("hex")
  const without = await worker({ AWS_SECRET_ACCESS_KEY: wrong })
  for (const asked of [call, without.call]) {
    await asked("GET", `${path}?asOf=never`, { token })
    await asked("GET", "/internal/pointer/silent/QA", { token: admin })
    await asked("POST", "/api/v1/outcomes", { token, body: { reports: "none" } })
    await asked("DELETE", "/api/v1/outcomes", { token })
    await asked("GET", path, { token })
  }
  expect(told.logs.join("\n")).toContain("origin answered uselessly")
  expect(told.answers.length).toBeGreaterThan(10)
  const all = [...told.logs, ...told.answers].join("\n")
  for (const secret of [
    key.accessKeyId,
    key.secretAccessKey,
    wrong,
    edgeSecret,
    admin,
    "AWS4-HMAC",
    "Signature=",
  ])
    expect(all.includes(secret), secret).toBe(false)
})
