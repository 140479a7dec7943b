import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createWorld, must, type World } from "./world.ts"

interface Change {
  changeId: string
  state: string
  reason: string | null
  remindedAt: string | null
  stages: { role: string; approvals: { subject: string }[] }[]
  code: string
  conflict: { keys: object[]; draft: Record<string, unknown> } | null
}

let world: World
let acme: Awaited<ReturnType<World["tenant"]>>
beforeAll(async () => {
  world = await createWorld()
  acme = await world.tenant("acme")
})
afterAll(() => world.close())

const submit = async (environment: string, value: unknown, more: object = {}) => {
  const body = { tenantId: "acme", environment, edits: [{ key: "k", value }], ...more }
  const { token } = { token: acme.tokens.tenant_admin }
  return (await must(world.call<Change>("POST", "/api/v1/changes", { token, body }), 202)).body
}
const decide = (changeId: string, verdict: string, token: string, body: object = {}) =>
  world.call<Change>("POST", `/api/v1/approvals/${changeId}/${verdict}`, { token, body })
const act = (changeId: string, name: string, token: string, body: object = {}) =>
  world.call<Change>("POST", `/api/v1/changes/${changeId}/${name}`, { token, body })
const read = async (changeId: string) =>
  (await must(world.call<Change>("GET", `/api/v1/changes/${changeId}`), 200)).body

describe("an approval", () => {
  test("is taken back by who gave it, until the change starts; what was scheduled on it waits again", async () => {
    const startAt = new Date(world.platform.clock.nowMs() + 3_600_000).toISOString()
    const { changeId } = await submit("Production", 1, { startAt })
    const { engineer, manager, compliance } = acme.tokens
    for (const token of [engineer, manager, compliance]) await must(decide(changeId, "approve", token), 200)
    expect((await read(changeId)).state).toBe("scheduled")
    const stranger = await acme.issue("stranger@acme", ["manager"])
    expect((await must(decide(changeId, "withdraw", stranger), 409)).body.code).toBe("APPROVAL_NONE")
    const { body } = await must(decide(changeId, "withdraw", manager, { comment: "wait" }), 200)
    expect(body).toMatchObject({ state: "awaiting_approval" })
    expect(body.stages.map(({ approvals }) => approvals.length)).toEqual([1, 0, 1])
    await must(decide(changeId, "approve", manager), 200)
    world.moveClock(3_600_001)
    await world.advance.tick()
    expect((await must(decide(changeId, "withdraw", manager), 409)).body.code).toBe("CHANGE_STATE")
    await must(act(changeId, "abort", engineer), 200)
  })

  test("that is due is asked for again by whoever wants it on", async () => {
    const { changeId } = await submit("Production", 2)
    expect((await read(changeId)).remindedAt).toBeNull()
    world.moveClock(60_000)
    const { body } = await must(act(changeId, "remind", acme.tokens.engineer), 200)
    expect(body.remindedAt).toBe(world.platform.clock.now().toISOString())
    await must(act(changeId, "remind", acme.tokens.viewer), 403)
    await must(act(changeId, "cancel", acme.tokens.engineer), 200)
    expect((await must(act(changeId, "remind", acme.tokens.engineer), 409)).body.code).toBe("CHANGE_STATE")
  })
})

describe("breaking glass", () => {
  test("is for the roles that the policy names, and for nobody at all where it names none", async () => {
    const path = "/api/v1/tenants/acme/environments/QA/policy"
    const stages = [{ role: "engineer", required: 1 }]
    await must(world.call("PUT", path, { body: { stages, breakGlass: ["compliance"] } }), 200)
    const { changeId } = await submit("QA", 1)
    for (const role of ["engineer", "manager"] as const) {
      const { body } = await must(act(changeId, "break-glass", acme.tokens[role]), 403)
      expect(body.code).toBe("BREAK_GLASS_FORBIDDEN")
    }
    await must(act(changeId, "break-glass", acme.tokens.compliance), 200)
    await must(act(changeId, "review", acme.tokens.manager), 200)
    const none = (await must(world.call<Change>("PUT", path, { body: { stages, breakGlass: [] } }), 202)).body
    await must(decide(none.changeId, "approve", acme.tokens.engineer), 200)
    const next = await submit("QA", 2)
    const refused = await must(world.call("POST", `/api/v1/changes/${next.changeId}/break-glass`), 403)
    expect(refused.body.code).toBe("BREAK_GLASS_FORBIDDEN")
  })
})

describe("a change that was overtaken", () => {
  test("shows what its keys were, are and would have been, and what to submit in its place", async () => {
    await submit("Staging", 1)
    const waiting = await submit("Staging", 2, { approvalRequired: true })
    await submit("Staging", 3)
    const { state, reason, conflict } = await read(waiting.changeId)
    expect([state, reason]).toEqual(["cancelled", "base_moved"])
    expect(conflict).toMatchObject({
      keys: [
        { key: "k", base: { value: 1, version: 1 }, now: { value: 3, version: 2 }, yours: { value: 2 } },
      ],
      draft: { tenantId: "acme", environment: "Staging", edits: [{ key: "k", value: 2 }] },
    })
    const late = await must(decide(waiting.changeId, "approve", acme.tokens.engineer), 409)
    expect(late.body).toMatchObject({ code: "CHANGE_STATE", conflict })
    const again = await must(world.call<Change>("POST", "/api/v1/changes", { body: conflict!.draft }), 202)
    expect(again.body).toMatchObject({ state: "live" })
    expect(await read(again.body.changeId)).toMatchObject({ conflict: null })
  })

  test("is not replaced, and who tries is told what became of it", async () => {
    const live = await submit("Staging", 4)
    const body = { tenantId: "acme", environment: "Staging", edits: [{ key: "k", value: 5 }] }
    const refused = await must(
      world.call("POST", "/api/v1/changes", { body: { ...body, replaces: live.changeId } }),
      409,
    )
    expect(refused.body).toMatchObject({
      code: "CHANGE_STATE",
      detail: `${live.changeId} is live; only a change that has not started is replaced.`,
    })
    const nobody = `acme:chg_${"0".repeat(32)}`
    const absent = await world.call("POST", "/api/v1/changes", { body: { ...body, replaces: nobody } })
    expect(absent.body.code).toBe("CHANGE_NOT_FOUND")
  })
})

describe("an edit that says it restores a version", () => {
  test("is that version, or is refused", async () => {
    const set = (edit: object) =>
      world.call<Change & { errors: object[] }>("POST", "/api/v1/changes", {
        body: { tenantId: "acme", environment: "Development", edits: [{ key: "r", ...edit }] },
      })
    await must(set({ value: 0, schema: { type: "integer" }, owner: "o" }), 202)
    await must(set({ value: 1, schema: null, locked: true }), 202)
    for (const wrong of [
      { value: 1, restores: 1 },
      { value: null, restores: 1 },
      { value: 0, schema: null, restores: 1 },
      { value: 0, schema: { type: "integer" }, locked: true, restores: 1 },
      { value: 0, schema: { type: "integer" }, restores: 9 },
      { delete: true, restores: 1 },
      { locked: false, restores: 1 },
    ]) {
      const { body } = await must(set(wrong), 400)
      expect(body).toMatchObject({ code: "BODY_INVALID", errors: [{ path: "/edits/0/restores" }] })
    }
    await must(set({ value: 0, schema: { type: "integer" }, locked: false, restores: 1 }), 202)
    const path = "/api/v1/configs/acme:Development:r/versions?limit=1"
    expect((await world.call("GET", path)).body).toMatchObject({
      items: [{ version: 3, restores: 1, value: 0 }],
    })
  })
})

test("nothing of all that was unforeseen", () => {
  expect(world.logged).toEqual([])
})
