import { afterAll, beforeAll, expect, test } from "vitest"
import { createWorld, must, type World } from "./world.ts"

let world: World
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.close())

interface Change {
  changeId: string
  state: string
  step: number | null
  weightBp: number
  contentHash: string
  stages: { role: string; required: number; approvals: { subject: string }[] }[]
  configs: { key: string; from: string; to: string }[]
  diff: { key: string; kind: string; after: unknown }[]
}

test("the quick start works as written, whatever content type curl sends, and time takes it live", async () => {
  const { call } = world
  const headers = { "content-type": "application/x-www-form-urlencoded" }
  const tenant = { tenantId: "acme-corp", name: "ACME Corporation", tier: "Enterprise" }
  await must(call("POST", "/api/v1/tenants", { headers, body: tenant }), 201)
  const config = {
    tenantId: "acme-corp",
    key: "feature.new_dashboard",
    value: "true",
    environment: "Staging",
  }
  const made = await must(call("POST", "/api/v1/configs", { headers, body: config }), 201)
  expect(made.body).toMatchObject({
    ...config,
    configId: "acme-corp:Staging:feature.new_dashboard",
    version: 1,
    type: "string",
  })
  expect(made.headers.get("etag")).toBe('"1"')

  const path = `/api/v1/configs/${made.body.configId}/promote`
  const body = { targetEnvironment: "Production", approvalRequired: true }
  const promoted = await must(call<Change>("POST", path, { headers, body }), 202)
  expect(promoted.body).toMatchObject({
    state: "awaiting_approval",
    configs: [
      {
        key: "feature.new_dashboard",
        from: "acme-corp:Staging:feature.new_dashboard",
        to: "acme-corp:Production:feature.new_dashboard",
      },
    ],
    stages: [
      { role: "engineer", required: 1, approvals: [] },
      { role: "manager", required: 1, approvals: [] },
      { role: "compliance", required: 1, approvals: [] },
    ],
    diff: [{ key: "feature.new_dashboard", kind: "added", after: "true" }],
  })
  const { changeId, contentHash } = promoted.body

  for (const role of ["engineer", "manager", "compliance"]) {
    const person = { subject: `${role}@acme`, roles: [role] }
    const { token } = (
      await must(call<{ token: string }>("POST", "/api/v1/tenants/acme-corp/tokens", { body: person }), 201)
    ).body
    const pending = await must(
      call<{ items: Change[] }>("GET", "/api/v1/approvals?tenantId=acme-corp&status=pending", { token }),
      200,
    )
    expect(pending.body.items.map((change) => change.changeId)).toEqual([changeId])
    await must(
      call("POST", `/api/v1/approvals/${changeId}/approve`, {
        token,
        body: { comment: "fine", contentHash },
      }),
      200,
    )
    const after = await must(
      call<{ items: Change[] }>("GET", "/api/v1/approvals?tenantId=acme-corp", { token }),
      200,
    )
    expect(after.body.items).toEqual([])
  }

  const started = await must(call<Change>("GET", `/api/v1/changes/${changeId}`), 200)
  expect(started.body).toMatchObject({ state: "rolling_out", step: 0, weightBp: 1_000 })
  expect(started.body.diff).toMatchObject([{ kind: "added", after: "true" }])

  expect(await world.advance.tick()).toBe(0)
  world.moveClock(120_000)
  expect(await world.advance.tick()).toBe(1)
  expect((await call<Change>("GET", `/api/v1/changes/${changeId}`)).body).toMatchObject({
    step: 1,
    weightBp: 5_000,
  })
  world.moveClock(120_000)
  expect(await world.advance.tick()).toBe(1)
  expect((await call<Change>("GET", `/api/v1/changes/${changeId}`)).body).toMatchObject({
    state: "live",
    weightBp: 10_000,
  })

  const live = await must(call("GET", "/api/v1/configs/acme-corp:Production:feature.new_dashboard"), 200)
  expect(live.body).toMatchObject({ value: "true", version: 1 })
  expect(world.published).toContain("acme-corp Production")

  const explained = await must(
    call("GET", "/api/v1/configs/acme-corp:Production:feature.new_dashboard/explain"),
    200,
  )
  expect(explained.body).toMatchObject({
    value: "true",
    layer: "tenant",
    version: 1,
    changeId,
    approvers: [{ subject: "engineer@acme" }, { subject: "manager@acme" }, { subject: "compliance@acme" }],
  })
  const verified = await must(call("POST", "/api/v1/audit/verify", { body: { tenantId: "acme-corp" } }), 200)
  expect(verified.body).toMatchObject({ ok: true })
  const audit = await must(
    call<{ items: { action: string }[] }>("GET", "/api/v1/audit?tenantId=acme-corp"),
    200,
  )
  expect(audit.body.items.length).toBe(verified.body.entries)
})
