import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createWorld, type World } from "../functions/manage/world.ts"
import { ATTACKS, BESIDE, breakGlassAlone, tryToBypass } from "./unbypassable.ts"

let world: World
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.close())

test("every route that alters something is tried", async () => {
  const altering = (await world.manage.routes())
    .filter(({ method }) => method !== "get")
    .map(({ reference }) => reference.operationId)
  expect([...Object.keys(ATTACKS), ...BESIDE].sort()).toEqual(altering.sort())
})

test("one person with every role, and friends she mints tokens for, bring nothing to Production", {
  timeout: 90_000,
}, async () => {
  const { taken, refused } = await tryToBypass({ sequences: 4, calls: 25, seed: 20_260_901 })
  expect(taken, "some of what she does is allowed").toBeGreaterThan(10)
  expect(refused).toBeGreaterThan(10)
})

describe("breaking glass alone", () => {
  test("is live, and loud: neither she nor her friend reviews it, and overdue it lets nobody break glass again", async () => {
    const { changeId, friend, due } = await breakGlassAlone(world)
    const review = await world.call("POST", `/api/v1/changes/${changeId}/review`, { token: friend, body: {} })
    expect(review.body).toMatchObject({ code: "APPROVAL_RELATED" })
    world.moveClock(Date.parse(due) - world.platform.clock.nowMs() + 1)
    const body = { tenantId: "mallory", environment: "Production", edits: [{ key: "limit", value: 667 }] }
    const next = await world.call("POST", "/api/v1/changes", { body })
    const again = await world.call("POST", `/api/v1/changes/${next.body.changeId}/break-glass`, { body: {} })
    expect(again.body).toMatchObject({ code: "REVIEW_OVERDUE" })
  })
})
