import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { ChangeListed, ChangeShown } from "../../../functions/manage/change-shapes.ts"
import { openChecksums } from "./checksums.ts"
import { createWorld, must, type World } from "./world.ts"

interface Change {
  changeId: string
  state: string
  reason: string | null
  step: number | null
  paused: boolean
  contentHash: string
  stages: { role: string; approvals: { subject: string; comment: string | null }[] }[]
  comments: { subject: string; text: string }[]
  versions: Record<string, number> | null
  affected: { changeId: string; state: string; reason: string | null }[]
  diff: { key: string; kind: string }[]
  review: { due: string; by?: string } | null
}

let world: World
let acme: Awaited<ReturnType<World["tenant"]>>
beforeAll(async () => {
  world = await createWorld()
  acme = await world.tenant("acme")
})
afterAll(() => world.close())

const CHANGES = "/api/v1/changes"
const submit = async (
  environment: string,
  edits: object[],
  more: object = {},
  token = acme.tokens.engineer,
) =>
  (
    await must(
      world.call<Change>("POST", CHANGES, { token, body: { tenantId: "acme", environment, edits, ...more } }),
      202,
    )
  ).body
const act = (changeId: string, name: string, body: object = {}, token?: string) =>
  world.call<Change & { code: string }>("POST", `${CHANGES}/${changeId}/${name}`, {
    body,
    ...(token ? { token } : {}),
  })
const approve = (changeId: string, token: string, body: object = {}) =>
  world.call<Change & { code: string }>("POST", `/api/v1/approvals/${changeId}/approve`, { token, body })
const read = async (changeId: string) =>
  (await must(world.call<Change>("GET", `${CHANGES}/${changeId}`), 200)).body

/** Approvals by three people who are nobody's relation. */
const approveAll = async (changeId: string) => {
  const engineer = await acme.issue(`second-engineer-${changeId}`, ["engineer"])
  for (const token of [engineer, acme.tokens.manager, acme.tokens.compliance])
    await must(approve(changeId, token), 200)
}

describe("a change", () => {
  test("waits for each stage in order, and its last approval starts it", async () => {
    const { changeId } = await submit("Production", [{ key: "staged", value: 1 }])
    expect((await approve(changeId, acme.tokens.compliance)).body.code).toBe("APPROVAL_ROLE")
    const engineer = await acme.issue("other-engineer", ["engineer"])
    const approved = await must(approve(changeId, engineer, { comment: "looks right" }), 200)
    expect(approved.body.stages[0]).toMatchObject({
      approvals: [{ subject: "other-engineer", comment: "looks right" }],
    })
    expect((await approve(changeId, engineer)).body.code).toBe("APPROVAL_TWICE")
    await must(approve(changeId, acme.tokens.manager), 200)
    expect((await must(approve(changeId, acme.tokens.compliance), 200)).body.state).toBe("rolling_out")
    await must(act(changeId, "abort"), 200)
  })

  test("is started once by two approvers at the same moment", async () => {
    const { changeId } = await submit("Production", [{ key: "raced", value: 1 }])
    const engineer = await acme.issue("race-engineer", ["engineer"])
    const last = await Promise.all(
      ["x", "y"].map((name) => acme.issue(`race-compliance-${name}`, ["compliance"])),
    )
    await must(approve(changeId, engineer), 200)
    await must(approve(changeId, acme.tokens.manager), 200)
    const answers = await Promise.all(last.map((token) => approve(changeId, token)))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409])
    const change = await read(changeId)
    expect(change).toMatchObject({ state: "rolling_out", step: 0, versions: { raced: 1 } })
    expect(change.stages[2]!.approvals.length).toBe(1)
    await must(act(changeId, "abort"), 200)
  })

  test("is not approved by its author, nor by a token the author issued, nor twice by one person", async () => {
    const { tokens } = acme
    const admin = tokens.tenant_admin
    const body = { subject: "puppet", roles: ["engineer"] }
    const issued = await must(
      world.call<{ token: string }>("POST", "/api/v1/tenants/acme/tokens", { token: admin, body }),
      201,
    )
    const { changeId } = await submit("Production", [{ key: "own", value: 1 }], {}, admin)
    expect((await approve(changeId, issued.body.token)).body.code).toBe("APPROVAL_RELATED")
    const both = await acme.issue("both", ["engineer", "manager"])
    await must(approve(changeId, both), 200)
    expect((await approve(changeId, both)).body.code).toBe("APPROVAL_TWICE")
    const rejected = await must(
      world.call<Change>("POST", `/api/v1/approvals/${changeId}/reject`, {
        token: tokens.manager,
        body: { comment: "no" },
      }),
      200,
    )
    expect(rejected.body.state).toBe("rejected")
    expect((await approve(changeId, tokens.compliance)).body.code).toBe("CHANGE_STATE")
  })

  test("is paused, resumed, advanced from the step one saw, and aborted", async () => {
    const { changeId } = await submit("Production", [{ key: "steered", value: 1 }])
    await approveAll(changeId)
    expect((await must(act(changeId, "pause"), 200)).body.paused).toBe(true)
    world.moveClock(3_600_000)
    await world.advance.tick()
    expect(await read(changeId)).toMatchObject({ step: 0, paused: true })
    expect((await must(act(changeId, "resume"), 200)).body.paused).toBe(false)
    expect((await act(changeId, "advance", { step: 1 })).body.code).toBe("CHANGE_STEP")
    expect((await must(act(changeId, "advance", { step: 0 }), 200)).body.step).toBe(1)
    const aborted = await must(act(changeId, "abort", { comment: "enough" }), 200)
    expect(aborted.body).toMatchObject({ state: "rolled_back", reason: "aborted" })
    await must(world.call("GET", "/api/v1/configs/acme:Production:steered"), 404)
  })

  test("that is live is rolled back at the head, and drafted back when it is buried", async () => {
    const first = await submit("QA", [{ key: "buried", value: 1 }])
    expect(first.state).toBe("live")
    await submit("QA", [{ key: "above", value: 1 }])
    const buried = await act(first.changeId, "rollback")
    expect(buried.body).toMatchObject({
      code: "ROLLBACK_BURIED",
      draft: { tenantId: "acme", edits: [{ key: "buried", delete: true }] },
    })
    const draft = (buried.body as unknown as { draft: object }).draft
    expect((await must(world.call<Change>("POST", CHANGES, { body: draft }), 202)).body.state).toBe("live")
    const head = await submit("QA", [{ key: "above", value: 2 }])
    expect((await must(act(head.changeId, "rollback"), 200)).body).toMatchObject({
      state: "rolled_back",
      reason: "rolled_back",
    })
    expect((await world.call("GET", "/api/v1/configs/acme:QA:above")).body).toMatchObject({
      value: 1,
      version: 1,
    })
  })

  test("that breaks glass is live at once and owes a review by somebody else", async () => {
    const { changeId } = await submit("Production", [{ key: "urgent", value: 1 }])
    const broken = await must(act(changeId, "break-glass", { comment: "fire" }, acme.tokens.manager), 200)
    expect(broken.body).toMatchObject({ state: "live", review: { due: expect.any(String) } })
    await must(act(changeId, "review", {}, acme.tokens.manager), 403)
    const reviewed = await must(act(changeId, "review", { comment: "it was" }, acme.tokens.compliance), 200)
    expect(reviewed.body.review).toMatchObject({ by: "compliance@acme" })
  })

  test("is cancelled, commented on, and expires", async () => {
    const { changeId } = await submit("Production", [{ key: "dropped", value: 1 }])
    const { manager } = acme.tokens
    const commented = await must(act(changeId, "comments", { comment: "why?" }, manager), 200)
    expect(commented.body.comments).toMatchObject([{ subject: "manager@acme", text: "why?" }])
    await must(act(changeId, "comments", { text: "as it was called at first" }, manager), 200)
    for (const body of [{}, { comment: "why?", text: "why?" }, { comment: "" }]) {
      const refused = await must(act(changeId, "comments", body, manager), 400)
      expect(refused.body).toMatchObject({
        code: "BODY_INVALID",
        detail: expect.stringContaining("comment"),
      })
    }
    expect((await must(act(changeId, "cancel"), 200)).body).toMatchObject({
      state: "cancelled",
      reason: "cancelled",
    })
    const late = await submit("Production", [{ key: "late", value: 1 }])
    world.moveClock(8 * 24 * 3_600_000)
    await world.advance.tick()
    expect((await read(late.changeId)).state).toBe("expired")
  })

  test("whose key moved is cancelled by what moved it, and is told so", async () => {
    const waiting = await submit("QA", [{ key: "moving", value: 1 }], { approvalRequired: true })
    expect(waiting.state).toBe("awaiting_approval")
    const direct = await submit("QA", [{ key: "moving", value: 2 }])
    expect(direct.affected).toEqual([
      { changeId: waiting.changeId, state: "cancelled", reason: "base_moved" },
    ])
    expect(await read(waiting.changeId)).toMatchObject({ state: "cancelled", reason: "base_moved" })
  })

  test("takes the place of one that has not started", async () => {
    const old = await submit("Production", [{ key: "again", value: 1 }])
    const next = await submit("Production", [{ key: "again", value: 2 }], { replaces: old.changeId })
    expect(await read(old.changeId)).toMatchObject({ state: "cancelled" })
    expect(next).toMatchObject({ state: "awaiting_approval", replaces: old.changeId })
  })

  test("promotes a set of keys, or all that differ", async () => {
    await submit("Development", [
      { key: "set.a", value: 1 },
      { key: "set.b", value: { b: true } },
      { key: "set.c", value: 3 },
    ])
    const body = { tenantId: "acme", environment: "QA" }
    const some = await must(
      world.call<Change>("POST", CHANGES, {
        body: { ...body, promote: { from: "Development", keys: ["set.a", "set.b"] } },
      }),
      202,
    )
    expect(some.body).toMatchObject({
      state: "live",
      diff: [
        { key: "set.a", kind: "added" },
        { key: "set.b", kind: "added" },
      ],
    })
    const rest = await must(
      world.call<Change>("POST", CHANGES, { body: { ...body, promote: { from: "Development" } } }),
      202,
    )
    expect(rest.body.diff.map(({ key }) => key)).toEqual(["set.c"])
  })

  test("waits for its start", async () => {
    const startAt = new Date(world.platform.clock.nowMs() + 3_600_000).toISOString()
    const { changeId, state } = await submit("QA", [{ key: "later", value: 1 }], { startAt })
    expect(state).toBe("scheduled")
    expect(await world.advance.step({ changeId })).toMatchObject({ state: "scheduled" })
    world.moveClock(3_600_001)
    expect(await world.advance.step({ changeId })).toMatchObject({ state: "live" })
    expect(await world.advance.step({ changeId })).toMatchObject({ state: "live" })
  })
})

describe("a preview", () => {
  test("tells the diff and the stages, or what is wrong, and writes nothing", async () => {
    const sums = openChecksums(world.url("postgres"))
    try {
      const before = await sums.read()
      const body = {
        tenantId: "acme",
        environment: "Production",
        edits: [{ key: "seen", value: 1, schema: { type: "integer" } }],
      }
      const good = await must(world.call("POST", `${CHANGES}/preview`, { body }), 200)
      expect(good.body).toMatchObject({
        valid: true,
        change: {
          state: "awaiting_approval",
          diff: [{ key: "seen", kind: "added" }],
          plan: [{ weightBp: 1_000 }, { weightBp: 5_000 }],
        },
      })
      const wrong = { ...body, edits: [{ key: "seen", value: "one", schema: { type: "integer" } }] }
      const bad = await must(world.call("POST", `${CHANGES}/preview`, { body: wrong }), 200)
      expect(bad.body).toMatchObject({
        valid: false,
        problem: { code: "SCHEMA_VIOLATION", errors: [{ path: "seen" }] },
      })
      expect(await sums.read()).toEqual(before)
    } finally {
      await sums.close()
    }
  })
})

describe("the list of changes", () => {
  test("goes from the newest on, by state and environment, each once", async () => {
    interface Page {
      items: Change[]
      nextCursor: string | null
    }
    const seen: string[] = []
    let cursor: string | null = ""
    while (cursor !== null) {
      const path: string = `${CHANGES}?tenantId=acme&limit=4${cursor ? `&cursor=${cursor}` : ""}`
      const { items, nextCursor }: Page = (await must(world.call<Page>("GET", path), 200)).body
      seen.push(...items.map(({ changeId }) => changeId))
      cursor = nextCursor
    }
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen.toSorted().toReversed()).toEqual(seen)
    const path = `${CHANGES}?tenantId=acme&environment=QA&state=live,cancelled`
    const { items } = (await must(world.call<Page>("GET", path), 200)).body
    expect(new Set(items.map(({ state }) => state))).toEqual(new Set(["live", "cancelled"]))
  })
})

test("every answer that shows a change has what the reference names, and nothing else", async () => {
  const shown: unknown[] = [await submit("QA", [{ key: "shown", value: 1 }])]
  const configs = "/api/v1/configs/acme:QA:shown/promote"
  const promoted = await must(
    world.call<Change>("POST", configs, { body: { targetEnvironment: "Staging" } }),
    202,
  )
  const waiting = await submit("Production", [{ key: "shown", value: 1 }], { comment: "why" })
  const glass = await submit("Production", [{ key: "glass", value: 1 }])
  await act(waiting.changeId, "comments", { text: "hm" })
  const broken = await must(act(glass.changeId, "break-glass"), 200)
  await approveAll(waiting.changeId)
  shown.push(promoted.body, broken.body, (await must(act(waiting.changeId, "pause"), 200)).body)
  for (const { changeId } of [promoted.body, waiting, glass]) shown.push(await read(changeId))
  await must(act(waiting.changeId, "abort"), 200)
  for (const body of shown) expect(ChangeShown.strict().safeParse(body).error).toBeUndefined()
  const list = await must(world.call<{ items: unknown[] }>("GET", `${CHANGES}?tenantId=acme&limit=100`), 200)
  for (const item of list.body.items) expect(ChangeListed.strict().safeParse(item).error).toBeUndefined()
})

test("nothing of all that was unforeseen", () => {
  expect(world.logged).toEqual([])
})
