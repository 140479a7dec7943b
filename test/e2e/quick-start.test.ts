import { afterAll, beforeAll, expect, test } from "vitest"
import { emptyHome, type RunningHotswap, removeHome, startHotswap } from "../support/hotswap.ts"

let hotswap: RunningHotswap
beforeAll(async () => {
  hotswap = await startHotswap({ home: await emptyHome() })
}, 90_000)
afterAll(async () => {
  await hotswap.stop()
  await removeHome(hotswap.home)
})

/** As curl sends it: JSON under the content type of a form. */
const AS_CURL = { "content-type": "application/x-www-form-urlencoded" }

test("the quick start works as it is written", async () => {
  const { call } = hotswap
  const tenant = await call("POST", "/api/v1/tenants", {
    body: { tenantId: "acme-corp", name: "ACME Corporation", tier: "Enterprise" },
    headers: AS_CURL,
  })
  expect(tenant.status).toBe(201)

  const config = await call<{ configId: string; version: number }>("POST", "/api/v1/configs", {
    body: { tenantId: "acme-corp", key: "feature.new_dashboard", value: "true", environment: "Staging" },
    headers: AS_CURL,
  })
  expect(config.status).toBe(201)
  expect(config.body).toMatchObject({ key: "feature.new_dashboard", value: "true", version: 1 })

  const promoted = await call<{ changeId: string; state: string; configs: unknown[] }>(
    "POST",
    `/api/v1/configs/${config.body.configId}/promote`,
    { body: { targetEnvironment: "Production", approvalRequired: true }, headers: AS_CURL },
  )
  expect(promoted.status).toBe(202)
  expect(promoted.body.state).toBe("awaiting_approval")

  for (const role of ["engineer", "manager", "compliance"]) {
    const token = await call<{ token: string }>("POST", "/api/v1/tenants/acme-corp/tokens", {
      body: { subject: `${role}@acme`, roles: [role] },
    })
    expect(token.status).toBe(201)
    const pending = await call<{ items: { changeId: string }[] }>(
      "GET",
      "/api/v1/approvals?tenantId=acme-corp&status=pending",
      {
        token: token.body.token,
      },
    )
    expect(pending.body.items.map(({ changeId }) => changeId)).toEqual([promoted.body.changeId])
    const approved = await call("POST", `/api/v1/approvals/${promoted.body.changeId}/approve`, {
      token: token.body.token,
      body: { comment: "looks right" },
    })
    expect(approved.status, JSON.stringify(approved.body)).toBe(200)
  }

  const change = await call<{ state: string; step: number }>(
    "GET",
    `/api/v1/changes/${promoted.body.changeId}`,
  )
  expect(change.body.state).toBe("rolling_out")
  let state = change.body
  while (state.state === "rolling_out") {
    const advanced = await call<{ state: string; step: number }>(
      "POST",
      `/api/v1/changes/${promoted.body.changeId}/advance`,
      { body: { step: state.step } },
    )
    expect(advanced.status, JSON.stringify(advanced.body)).toBe(200)
    state = advanced.body
  }
  expect(state.state).toBe("live")

  const read = await call("GET", "/api/v1/configs/tenant/acme-corp?environment=Production")
  expect(read.status).toBe(200)
  expect(read.body).toMatchObject({
    tenantId: "acme-corp",
    environment: "Production",
    arm: "stable",
    configs: { "feature.new_dashboard": "true" },
  })
})

test("an application reads at the edge with a token that it can check by itself", async () => {
  const { call } = hotswap
  await call("POST", "/api/v1/tenants", { body: { tenantId: "globex", name: "Globex" } })
  await call("POST", "/api/v1/configs", {
    body: { tenantId: "globex", key: "limit", value: 7, environment: "Development" },
  })
  const reader = await call<{ token: string }>("POST", "/api/v1/tenants/globex/tokens", {
    body: { subject: "shop", roles: ["reader"], environment: "Development" },
  })
  const path = "/api/v1/configs/tenant/globex?environment=Development"
  const first = await call("GET", path, { token: reader.body.token })
  expect(first.status, JSON.stringify(first.body)).toBe(200)
  expect(first.body.configs).toEqual({ limit: 7 })
  const again = await call("GET", path, {
    token: reader.body.token,
    headers: { "if-none-match": first.headers.get("etag")! },
  })
  expect(again.status).toBe(304)
  expect(again.headers.get("hotswap-revision")).toBe(first.headers.get("hotswap-revision"))
  expect(
    (
      await call("GET", "/api/v1/configs/tenant/acme-corp?environment=Development", {
        token: reader.body.token,
      })
    ).status,
  ).toBe(404)
})

test("whoever has just written something reads it back at once", async () => {
  const { call } = hotswap
  await call("POST", "/api/v1/tenants", { body: { tenantId: "hooli", name: "Hooli" } })
  await call("POST", "/api/v1/configs", {
    body: { tenantId: "hooli", key: "limit", value: 0, environment: "Development" },
  })
  for (let limit = 1; limit <= 10; limit++) {
    await call("PUT", "/api/v1/configs/hooli:Development:limit", { body: { value: limit } })
    const read = await call("GET", "/api/v1/configs/tenant/hooli?environment=Development")
    expect(read.body.configs).toEqual({ limit })
  }
})
