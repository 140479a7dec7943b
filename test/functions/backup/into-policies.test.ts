import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { must } from "../manage/world.ts"
import { createRestoreWorld, type RestoreWorld } from "./into-world.ts"

let world: RestoreWorld
beforeAll(async () => {
  world = await createRestoreWorld()
})
afterAll(() => world.close())

const STAGING = { environments: ["Staging"] }

/** A tenant with `a` and `b` at 1 in its backup and `a` at 2 since, under the policy of Staging. */
const scene = async (tenantId: string, policy: object | null = null) => {
  const made = await world.tenant(tenantId)
  await world.put(tenantId, "Staging", "a", 1)
  await world.put(tenantId, "Staging", "b", 1)
  const backup = await world.backUp(tenantId)
  await world.put(tenantId, "Staging", "a", 2)
  if (policy) {
    const path = `/api/v1/tenants/${tenantId}/environments/Staging/policy`
    await must(world.call("PUT", path, { body: policy }), 200)
  }
  return { ...made, backup }
}
const valueNow = async (tenantId: string, key = "a") => (await world.configs(tenantId, "Staging"))[key]?.value
const change = async (changeId: string | null) =>
  (await must(world.call("GET", `/api/v1/changes/${changeId}`), 200)).body

describe("a restore goes by the policy as any change", () => {
  test("it rolls out where the policy says so", async () => {
    const { backup } = await scene("canary", {
      strategy: { type: "canary", steps: [{ weightBp: 1_000, holdMs: null }] },
    })
    const { Staging } = await world.restore(backup, STAGING)
    expect(Staging).toMatchObject({ state: "rolling_out", set: 1 })
    expect(await valueNow("canary")).toBe(2)
    await must(world.call("POST", `/api/v1/changes/${Staging!.changeId}/advance`), 200)
    expect(await valueNow("canary")).toBe(1)
  })

  test("it waits in a freeze", async () => {
    const freeze = { name: "always", timeZone: "UTC", from: "2000-01-01T00:00", until: "2999-01-01T00:00" }
    const { backup } = await scene("frozen", { freezes: [freeze] })
    const { Staging } = await world.restore(backup, STAGING)
    expect(Staging!.state).toBe("scheduled")
    expect(await change(Staging!.changeId)).toMatchObject({ frozen: { name: "always" } })
    expect(await valueNow("frozen")).toBe(2)
  })

  test("it waits for a rollout of the same keys, and is overtaken when that goes live", async () => {
    const { backup } = await scene("busy")
    const strategy = { type: "canary", steps: [{ weightBp: 1_000, holdMs: null }] }
    const running = await must(
      world.call("POST", "/api/v1/changes", {
        body: { tenantId: "busy", environment: "Staging", edits: [{ key: "a", value: 3 }], strategy },
      }),
      202,
    )
    const { Staging } = await world.restore(backup, STAGING)
    expect(Staging!.state).toBe("scheduled")
    expect(await change(Staging!.changeId)).toMatchObject({ waitingFor: running.body.changeId })
    await must(world.call("POST", `/api/v1/changes/${running.body.changeId}/advance`), 200)
    expect(await change(Staging!.changeId)).toMatchObject({ state: "cancelled", reason: "base_moved" })
    expect(await valueNow("busy")).toBe(3)
  })

  test("it is live at once beside a rollout of other keys", async () => {
    const { backup } = await scene("beside")
    const strategy = { type: "canary", steps: [{ weightBp: 1_000, holdMs: null }] }
    const edits = [{ key: "b", value: 3 }]
    const body = { tenantId: "beside", environment: "Staging", edits, strategy }
    await must(world.call("POST", "/api/v1/changes", { body }), 202)
    expect((await world.restore(backup, STAGING)).Staging!.state).toBe("live")
    expect(await valueNow("beside")).toBe(1)
  })

  test("whoever asked for it cannot approve it; glass may be broken for it, and owes a review", async () => {
    const { backup, tokens, issue } = await scene("glass", { stages: [{ role: "engineer", required: 1 }] })
    const both = await issue("both@glass", ["tenant_admin", "engineer"])
    const { Staging } = await world.restore(backup, STAGING, both)
    expect(Staging!.state).toBe("awaiting_approval")
    const approve = `/api/v1/approvals/${Staging!.changeId}/approve`
    expect((await world.call("POST", approve, { token: both })).body).toMatchObject({ code: "APPROVAL_OWN" })
    const broken = await world.call("POST", `/api/v1/changes/${Staging!.changeId}/break-glass`, {
      token: tokens.manager,
      body: { comment: "the shop is down" },
    })
    expect(broken.body).toMatchObject({ state: "live", review: { due: expect.any(String) } })
    expect(await valueNow("glass")).toBe(1)
  })

  test("the policy in force stays, and what it was then is told as the body that would set it", async () => {
    const { backup } = await scene("policed", { stages: [{ role: "engineer", required: 1 }] })
    const { Staging } = await world.restore(backup, STAGING)
    expect(Staging).toMatchObject({ state: "awaiting_approval", set: 1 })
    expect(Staging!.policy).toEqual({ comment: expect.stringContaining(backup) })
    const path = "/api/v1/tenants/policed/environments/Staging/policy"
    expect((await world.call("GET", path)).body.own).toEqual({ stages: [{ role: "engineer", required: 1 }] })
    await must(world.call("PUT", path, { body: Staging!.policy }), 202)
  })
})

describe("what the platform grants", () => {
  const LIMIT = { key: "limit.command", value: { max: 3, windowMs: 60_000 } }
  const granted = async (tenantId: string) => {
    const made = await world.tenant(tenantId)
    await world.put(tenantId, "Staging", "a", 1)
    await world.put(tenantId, "Staging", LIMIT.key, LIMIT.value)
    const backup = await world.backUp(tenantId)
    await world.put(tenantId, "Staging", LIMIT.key, { max: 1, windowMs: 60_000 })
    await world.put(tenantId, "Staging", "feature.unlimitedCommands", false)
    await world.put(tenantId, "Staging", "a", 2)
    return { ...made, backup }
  }

  test("stays when the tenant restores, and is named", async () => {
    const { backup, tokens } = await granted("taken")
    const { Staging } = await world.restore(backup, STAGING, tokens.tenant_admin)
    expect(Staging).toMatchObject({ state: "live", set: 1, deleted: 0, grants: null })
    expect(Staging!.left).toEqual(["feature.unlimitedCommands", LIMIT.key])
    expect(await valueNow("taken", LIMIT.key)).toMatchObject({ max: 1 })
    expect(await valueNow("taken")).toBe(1)
  })

  test("comes back as a change of its own when a platform admin restores", async () => {
    const { backup } = await granted("given")
    const { Staging } = await world.restore(backup, STAGING)
    expect(Staging).toMatchObject({ state: "live", set: 1, left: [], grants: { state: "live", set: 1 } })
    expect(Staging!.grants!.changeId).not.toBe(Staging!.changeId)
    expect(await valueNow("given", LIMIT.key)).toEqual(LIMIT.value)
    expect(await valueNow("given", "feature.unlimitedCommands")).toBeUndefined()
  })
})

describe("who asks", () => {
  test("has to be allowed when it is done, too: a token that was revoked meanwhile does nothing", async () => {
    const { backup } = await scene("revoked")
    const issued = await must(
      world.call<{ token: string; tokenId: string }>("POST", "/api/v1/tenants/revoked/tokens", {
        body: { subject: "gone", roles: ["tenant_admin"] },
      }),
      201,
    )
    const path = `/api/v1/backups/${backup}/restore`
    const asked = await must(world.call("POST", path, { token: issued.body.token, body: STAGING }), 202)
    await must(world.call("DELETE", `/api/v1/tenants/revoked/tokens/${issued.body.tokenId}`), 200)
    await world.work()
    expect(await world.jobSeen(String(asked.body.jobId))).toMatchObject({
      state: "failed",
      problem: { code: "FORBIDDEN" },
    })
    expect(await valueNow("revoked")).toBe(2)
  })

  test("has to be an admin of the tenant, in all environments or in the one that is named", async () => {
    const { backup, tokens, issue } = await scene("who")
    const path = `/api/v1/backups/${backup}/restore`
    const ask = async (token: string, body: object) =>
      (await world.call("POST", path, { token, body })).status
    for (const role of ["viewer", "engineer", "manager", "compliance"] as const)
      expect([role, await ask(tokens[role], STAGING)]).toEqual([role, 403])
    const bound = await issue("bound", ["tenant_admin"], "Staging")
    expect(await ask(bound, {})).toBe(403)
    expect(await ask(bound, { environments: ["Production"] })).toBe(403)
    expect(await ask(bound, STAGING)).toBe(202)
    await world.work()
    expect(await valueNow("who")).toBe(1)
  })

  test("a suspended tenant is restored by the platform alone", async () => {
    const { backup, tokens } = await scene("resting")
    const path = `/api/v1/backups/${backup}/restore`
    const asked = await must(world.call("POST", path, { token: tokens.tenant_admin, body: STAGING }), 202)
    await must(world.call("POST", "/api/v1/tenants/resting/suspend"), 200)
    await world.work()
    expect(await world.jobSeen(String(asked.body.jobId))).toMatchObject({
      problem: { code: "TENANT_SUSPENDED" },
    })
    expect((await world.restore(backup, STAGING)).Staging!.state).toBe("live")
  })
})

test("where one environment is refused none is restored, and a dry run tells which", async () => {
  await world.tenant("halves")
  await world.put("halves", "Development", "a", 1)
  await world.put("halves", "Staging", "gone", "plain")
  const backup = await world.backUp("halves")
  await world.put("halves", "Development", "a", 2)
  await world.remove("halves", "Staging", "gone")
  await must(
    world.call("PUT", "/api/v1/tenants/halves/flags/gone?environment=Staging", { body: { enabled: true } }),
    201,
  )
  const told = await world.restore(backup, { dryRun: true })
  expect(told.Staging).toMatchObject({ state: "refused", problem: { code: "FLAG_INVALID" } })
  expect(told.Development).toMatchObject({ set: 1, problem: null })
  const done = await world.done(world.call("POST", `/api/v1/backups/${backup}/restore`, { body: {} }))
  expect(done).toMatchObject({
    state: "failed",
    problem: { code: "FLAG_INVALID", detail: expect.stringMatching(/^Staging: gone is a flag/) },
  })
  expect((await world.configs("halves", "Development")).a).toMatchObject({ value: 2 })
})
