import { afterAll, beforeAll, expect, test } from "vitest"
import { openChecksums } from "../manage/checksums.ts"
import { createWorld, must, type World } from "../manage/world.ts"

let world: World
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.close())

const MINUTE = 60_000

interface Change {
  changeId: string
  state: string
  step: number | null
}

/** A canary in QA, which asks nobody: 10 % for a minute, 50 % for a minute. */
const canary = async (tenantId: string, key = "k"): Promise<string> => {
  const steps = [
    { weightBp: 1_000, holdMs: MINUTE },
    { weightBp: 5_000, holdMs: MINUTE },
  ]
  const edits = [{ key, value: 1 }]
  const body = { tenantId, environment: "QA", edits, strategy: { type: "canary", steps } }
  const submitted = await must(world.call<Change>("POST", "/api/v1/changes", { body }), 202)
  expect(submitted.body).toMatchObject({ state: "rolling_out", step: 0 })
  return submitted.body.changeId
}

test("a step that is named is ended when its hold is over, not before, and not twice", async () => {
  await world.tenant("stepped")
  const changeId = await canary("stepped")
  expect(await world.advance.step({ changeId, step: 0 })).toMatchObject({
    changeId,
    state: "rolling_out",
    step: 0,
  })
  world.moveClock(MINUTE)
  expect(await world.advance.step({ changeId, step: 0 })).toMatchObject({
    changeId,
    state: "rolling_out",
    step: 1,
  })
  world.moveClock(MINUTE)
  expect(await world.advance.step({ changeId, step: 0 })).toMatchObject({
    changeId,
    state: "rolling_out",
    step: 1,
  })
  expect(await world.advance.step({ changeId, step: 1 })).toMatchObject({
    changeId,
    state: "live",
    step: null,
  })
  expect(await world.advance.step({ changeId, step: 1 })).toMatchObject({
    changeId,
    state: "live",
    step: null,
  })
})

test("two messengers at once move a change once", async () => {
  await world.tenant("doubled")
  const changeId = await canary("doubled")
  world.moveClock(MINUTE)
  const moved = await Promise.all([
    world.advance.tick(),
    world.advance.tick(),
    world.advance.step({ changeId, step: 0 }),
  ])
  expect(moved[0] + moved[1]).toBeLessThanOrEqual(1)
  const { body } = await must(world.call<Change>("GET", `/api/v1/changes/${changeId}`), 200)
  expect(body).toMatchObject({ state: "rolling_out", step: 1 })
})

test("what is due in every tenant is done, a suspended one's too, and one tenant's trouble is not another's", async () => {
  const ids = ["due-a", "due-b", "due-c"]
  for (const id of ids) await world.tenant(id)
  const changes = await Promise.all(ids.map((id) => canary(id)))
  await must(world.call("POST", "/api/v1/tenants/due-b/suspend"), 200)
  await must(world.call("DELETE", "/api/v1/tenants/due-c"), 200)
  world.moveClock(MINUTE)
  await world.advance.tick()
  const steps = await Promise.all(
    changes
      .slice(0, 2)
      .map(async (changeId) => (await world.call<Change>("GET", `/api/v1/changes/${changeId}`)).body.step),
  )
  expect(steps).toEqual([1, 1])
})

test("a tick with nothing due writes nothing, nor does a task for what is not there", async () => {
  const sums = openChecksums(world.url("postgres"))
  try {
    world.moveClock(10 * MINUTE)
    for (let looks = 0; looks < 5; looks++) await world.advance.tick()
    const before = await sums.read()
    expect(await world.advance.tick()).toBe(0)
    const changeId = `stepped:chg_${"0".repeat(32)}`
    expect(await world.advance.step({ changeId, step: 0 })).toMatchObject({
      state: "unknown",
      step: null,
      awaits: "nothing",
    })
    expect(await sums.read()).toEqual(before)
  } finally {
    await sums.close()
  }
})
