import { afterAll, beforeAll, expect, test } from "vitest"
import type { ChangeId } from "../../../core/ids.ts"
import { parseTask, TaskInvalid } from "../../../functions/advance/tasks.ts"
import { createWorld, must, type World } from "../manage/world.ts"

let world: World
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.close())

const HOLD_MS = 60_000
const CHANGE = `acme:chg_${"0".repeat(32)}`

const submit = async (tenantId: string, environment: string, steps?: object[]): Promise<ChangeId> => {
  await world.tenant(tenantId)
  const edits = [{ key: "k", value: 1 }]
  const body = { tenantId, environment, edits, ...(steps ? { strategy: { type: "canary", steps } } : {}) }
  const { changeId } = (
    await must(world.call<{ changeId: ChangeId }>("POST", "/api/v1/changes", { body }), 202)
  ).body
  return changeId
}
const look = (changeId: ChangeId) => world.advance.task({ task: "look", changeId, round: 7 })
const inMs = (ms: number): string => new Date(world.platform.clock.nowMs() + ms).toISOString()

test.each([
  [null, "The task must be one of look, advance, wait, abort."],
  ["look", "The task must be one of look, advance, wait, abort."],
  [{ changeId: CHANGE }, "The task must be one of look, advance, wait, abort."],
  [{ task: "toString", changeId: CHANGE }, "The task must be one of look, advance, wait, abort."],
  [{ task: "look", changeId: CHANGE }, "The round of the task look is missing or wrong."],
  [{ task: "look", changeId: "nonsense", round: 0 }, "The changeId of the task look is missing or wrong."],
  [{ task: "look", changeId: CHANGE, round: 0, step: 1 }, "The task look has no step."],
  [{ task: "advance", changeId: CHANGE, round: 0 }, "The step of the task advance is missing or wrong."],
  [
    { task: "advance", changeId: CHANGE, round: 0, step: "0" },
    "The step of the task advance is missing or wrong.",
  ],
  [
    { task: "advance", changeId: CHANGE, round: -1, step: 0 },
    "The round of the task advance is missing or wrong.",
  ],
  [
    { task: "wait", changeId: CHANGE, taskToken: "", waitSeconds: 1 },
    "The taskToken of the task wait is missing or wrong.",
  ],
  [
    { task: "wait", changeId: CHANGE, taskToken: "t".repeat(2_049), waitSeconds: 1 },
    "The taskToken of the task wait is missing or wrong.",
  ],
  [
    { task: "abort", changeId: CHANGE, reason: "unhealthy" },
    "The reason of the task abort is missing or wrong.",
  ],
])(
  "a task that is none is told so in a sentence, by an error that is not tried again: %j",
  (event, words) => {
    expect(() => parseTask(event)).toThrow(TaskInvalid)
    expect(() => parseTask(event)).toThrow(expect.objectContaining({ name: "TaskInvalid", message: words }))
  },
)

test("a look tells what a change waits for and until when, and alters nothing", async () => {
  const owed = await submit("owed", "Production")
  const lookedAt = { state: "awaiting_approval", awaits: "somebody", waitSeconds: 86_400, round: 8 }
  expect(await look(owed)).toMatchObject({ changeId: owed, step: null, ...lookedAt })
  const steps = [
    { weightBp: 1_000, holdMs: HOLD_MS },
    { weightBp: 5_000, holdMs: null },
  ]
  const rollout = await submit("held", "QA", steps)
  const wakeAt = inMs(HOLD_MS)
  expect(await look(rollout)).toMatchObject({ state: "rolling_out", step: 0, awaits: "clock", wakeAt })
  world.moveClock(HOLD_MS)
  // Late already: whoever asks is still told to take a breath.
  expect(await look(rollout)).toMatchObject({ step: 0, awaits: "clock", wakeAt: inMs(1_000) })
  await world.advance.task({ task: "advance", changeId: rollout, round: 0, step: 0 })
  expect(await look(rollout)).toMatchObject({ step: 1, awaits: "somebody", waitSeconds: 86_400 })
  await must(world.call("POST", `/api/v1/changes/${rollout}/abort`, { body: {} }), 200)
  expect(await look(rollout)).toMatchObject({ state: "rolled_back", step: null, awaits: "nothing" })
})

test("a change whose tenant was deleted awaits nothing, whatever is asked", async () => {
  const changeId = await submit("gone", "QA", [{ weightBp: 1_000, holdMs: HOLD_MS }])
  await must(world.call("DELETE", "/api/v1/tenants/gone"), 200)
  world.moveClock(HOLD_MS)
  const asked = await Promise.all([
    world.advance.task({ task: "advance", changeId, round: 0, step: 0 }),
    world.advance.task({ task: "abort", changeId, reason: "timed_out" }),
  ])
  for (const told of asked) expect(told).toMatchObject({ awaits: "nothing" })
})
