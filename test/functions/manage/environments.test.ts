import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createWorld, must, type World } from "./world.ts"

interface Release {
  release: string
  at: string
  until: string | null
  changeId: string | null
  cause: string
  endedBy: string | null
  returnable: boolean
}
interface Rolled {
  stable: string
  seq: number
  rolledBack: string[]
  code: string
  draft?: { edits: object[] }
}

let world: World
beforeAll(async () => {
  world = await createWorld()
  await world.tenant("acme")
})
afterAll(() => world.close())

const BASE = (environment: string) => `/api/v1/tenants/acme/environments/${environment}`
const set = async (environment: string, value: unknown) => {
  const body = { tenantId: "acme", environment, edits: [{ key: "k", value }] }
  const made = await must(world.call<{ changeId: string }>("POST", "/api/v1/changes", { body }), 202)
  return made.body.changeId
}
const valueIn = async (environment: string) =>
  (await must(world.call("GET", `/api/v1/configs/acme:${environment}:k`), 200)).body.value
const releases = async (environment: string, query = "") =>
  (
    await must(
      world.call<{ items: Release[]; nextCursor: string | null }>(
        "GET",
        `${BASE(environment)}/releases${query}`,
      ),
      200,
    )
  ).body
const rollBack = (environment: string, body: object = {}) =>
  world.call<Rolled>("POST", `${BASE(environment)}/rollback`, { body })

describe("what was stable", () => {
  test("is listed from the newest on, each from when to when, and whether one may return to it", async () => {
    const changeIds = [await set("QA", 1), await set("QA", 2), await set("QA", 3)]
    const { items } = await releases("QA")
    expect(items.map(({ changeId }) => changeId)).toEqual([...changeIds.toReversed(), null])
    expect(items.map(({ returnable }) => returnable)).toEqual([false, true, true, true])
    expect(items[0]).toMatchObject({ until: null, endedBy: null, cause: "live" })
    for (const [index, { until }] of items.entries()) expect(until).toBe(items[index - 1]?.at ?? null)
    const first = await releases("QA", "?limit=3")
    const rest = await releases("QA", `?limit=3&cursor=${first.nextCursor}`)
    expect([...first.items, ...rest.items]).toEqual(items)
    expect(rest.nextCursor).toBeNull()
  })

  test("a rollout that only moves the candidate is no release", async () => {
    const strategy = { type: "canary", steps: [{ weightBp: 1_000, holdMs: null }] }
    const body = { tenantId: "acme", environment: "QA", edits: [{ key: "c", value: 1 }], strategy }
    const { changeId } = (await must(world.call("POST", "/api/v1/changes", { body }), 202)).body
    const before = await releases("QA")
    expect(before.items.length).toBe(4)
    await must(world.call("POST", `/api/v1/changes/${String(changeId)}/abort`), 200)
    expect((await releases("QA")).items).toEqual(before.items)
  })
})

describe("an environment", () => {
  test("goes back to the release before, which takes the newest change back with it", async () => {
    await set("Staging", 1)
    const second = await set("Staging", 2)
    const { body } = await must(rollBack("Staging", { comment: "no" }), 200)
    expect(body.rolledBack).toEqual([second])
    expect(await valueIn("Staging")).toBe(1)
    const path = `/api/v1/changes/${second}`
    expect((await world.call("GET", path)).body).toMatchObject({
      state: "rolled_back",
      reason: "rolled_back",
    })
  })

  test("goes back to a release further down, and to what it was at a time", async () => {
    const third = await set("Staging", 3)
    const fourth = await set("Staging", 4)
    const { items } = await releases("Staging")
    const one = items.find(({ returnable, cause }) => returnable && cause === "live")!
    expect(one.changeId).toBe(third)
    const first = items.find(({ release }) => release === items.at(-2)!.release)!
    const back = await must(rollBack("Staging", { toRelease: first.release }), 200)
    expect(back.body).toMatchObject({ stable: first.release })
    expect(back.body.rolledBack.toSorted()).toEqual([third, fourth].toSorted())
    expect(await valueIn("Staging")).toBe(1)
    // What was passed over has been taken back as well.
    const after = await releases("Staging")
    expect(after.items.find(({ changeId }) => changeId === third)).toMatchObject({ returnable: false })
    const [now] = after.items
    await set("Staging", 5)
    await must(rollBack("Staging", { asOf: now!.at }), 200)
    expect(await valueIn("Staging")).toBe(1)
  })

  test("is refused what is past the window, with a draft; what never was; and what is so already", async () => {
    await set("Development", 1)
    const [old] = (await releases("Development")).items
    await set("Development", 2)
    expect((await rollBack("Development", { toRelease: "0".repeat(64) })).body.code).toBe("RELEASE_NOT_FOUND")
    const [now] = (await releases("Development")).items
    expect((await rollBack("Development", { toRelease: now!.release })).body.code).toBe("ROLLBACK_NOTHING")
    const both = { toRelease: old!.release, asOf: old!.at }
    expect((await rollBack("Development", both)).body.code).toBe("BODY_INVALID")
    const ahead = new Date(world.platform.clock.nowMs() + 3_600_000).toISOString()
    expect((await rollBack("Development", { asOf: ahead })).body.code).toBe("AS_OF_INVALID")
    world.moveClock(25 * 3_600_000)
    expect((await releases("Development")).items.some(({ returnable }) => returnable)).toBe(false)
    expect((await rollBack("Development")).body.code).toBe("ROLLBACK_WINDOW")
    expect(await valueIn("Development")).toBe(2)
  })
})

test("nothing of all that was unforeseen", () => {
  expect(world.logged).toEqual([])
})
