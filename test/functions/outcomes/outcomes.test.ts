import { afterAll, beforeAll, expect, test } from "vitest"
import type { Environment } from "../../../core/environment.ts"
import type { TenantId, TokenId } from "../../../core/ids.ts"
import { recordOutcomes } from "../../../db/queries/gate.ts"
import { openChecksums } from "../manage/checksums.ts"
import { must } from "../manage/world.ts"
import { type Canary, createGateWorld, type GateWorld, HOLD_MS } from "./world.ts"

let world: GateWorld
beforeAll(async () => {
  world = await createGateWorld()
})
afterAll(() => world.close())

/** Half of the candidate's requests fail, and none of stable's. */
const failing = async (rollout: Canary) => [
  await rollout.report("stable", { ok: 180, errors: 0 }),
  await rollout.report("candidate", { ok: 10, errors: 10 }),
]

const fine = async (rollout: Canary) => [
  await rollout.report("stable", { ok: 898, errors: 2 }),
  await rollout.report("candidate", { ok: 100, errors: 0 }),
]

test("a candidate that fails is rolled back in the very request that tells so, and the audit says why", async () => {
  const rollout = await world.canary("unwell")
  const before = rollout.publishedTimes()
  const answer = await world.send(rollout.reader, { reports: await failing(rollout) })
  expect(answer.status, answer.text).toBe(202)
  expect(answer.body).toMatchObject({
    accepted: 2,
    ignored: [],
    verdict: { changeId: rollout.changeId, step: 0, kind: "unhealthy" },
  })
  expect(rollout.publishedTimes()).toBe(before + 1)
  const change = await rollout.show()
  expect(change).toMatchObject({ state: "rolled_back", reason: "unhealthy" })
  expect(change.gate).toMatchObject({
    current: null,
    steps: [
      {
        step: 0,
        kind: "unhealthy",
        words:
          "The candidate fails more than chance explains: on the candidate 10 of 20 requests failed, on stable 0 of 180 requests failed.",
        numbers: {
          candidateRequests: 20,
          candidateErrors: 10,
          stableRequests: 180,
          stableErrors: 0,
          rollBackAt: 2_000,
        },
      },
    ],
  })
  const [entry] = await rollout.audit()
  expect(entry).toMatchObject({
    action: "change.rolled_back",
    actor: { subject: "clock" },
    detail: { reason: "unhealthy", gate: { kind: "unhealthy", numbers: { candidateErrors: 10 } } },
  })
})

test("a healthy candidate goes on at the end of the hold, not before, and what the gate said is kept", async () => {
  const rollout = await world.canary("well")
  expect((await world.send(rollout.reader, { reports: await fine(rollout) })).body.verdict).toMatchObject({
    kind: "healthy",
  })
  await world.advance.tick()
  expect(await rollout.show()).toMatchObject({ step: 0, gate: { current: { kind: "healthy" }, steps: [] } })
  world.moveClock(HOLD_MS)
  await world.advance.tick()
  expect(await rollout.show()).toMatchObject({ step: 1, gate: { steps: [{ step: 0, kind: "healthy" }] } })
  await world.send(rollout.reader, { reports: await fine(rollout) })
  world.moveClock(HOLD_MS)
  await world.advance.tick()
  expect(await rollout.show()).toMatchObject({
    state: "live",
    gate: {
      steps: [
        { step: 0, kind: "healthy" },
        { step: 1, kind: "healthy" },
      ],
    },
  })
})

test("where nobody reports, time alone goes on, and the step is marked unwatched", async () => {
  const rollout = await world.canary("unheard")
  world.moveClock(HOLD_MS)
  await world.advance.tick()
  expect(await rollout.show()).toMatchObject({ step: 1, gate: { steps: [{ step: 0, kind: "unwatched" }] } })
  expect((await rollout.audit())[0]).toMatchObject({
    action: "change.advance",
    detail: { gate: { kind: "unwatched" } },
  })
})

test("too few reports hold a step for a while; a person may go on all the same, and that is written down", async () => {
  const rollout = await world.canary("thin")
  const few = [await rollout.report("candidate", { ok: 3, errors: 0 })]
  expect((await world.send(rollout.reader, { reports: few })).body.verdict).toMatchObject({ kind: "waiting" })
  world.moveClock(HOLD_MS)
  for (let looks = 0; looks < 3; looks++) await world.advance.tick()
  expect(await rollout.show()).toMatchObject({ step: 0, gate: { steps: [{ step: 0, kind: "waiting" }] } })
  const held = (await rollout.audit()).filter(({ action }) => action === "change.hold")
  expect(held).toMatchObject([{ detail: { gate: { kind: "waiting" } } }])
  // Looked at again a little later, and no second entry for the same.
  world.moveClock(10_000)
  await world.advance.tick()
  expect((await rollout.audit()).filter(({ action }) => action === "change.hold").length).toBe(1)
  const path = `/api/v1/changes/${rollout.changeId}/advance`
  expect((await world.call("POST", path, { token: rollout.tokens.engineer, body: { step: 0 } })).status).toBe(
    200,
  )
  expect((await rollout.show()).gate.steps).toMatchObject([
    { step: 0, kind: "waiting", overriddenBy: "engineer@thin" },
  ])
})

test("a rollout with too few reports goes on by itself in the end, marked unwatched", async () => {
  const rollout = await world.canary("patient")
  await world.send(rollout.reader, { reports: [await rollout.report("candidate", { ok: 3, errors: 0 })] })
  world.moveClock(HOLD_MS)
  await world.advance.tick()
  world.moveClock(5 * 60_000)
  await world.advance.tick()
  expect(await rollout.show()).toMatchObject({ step: 1, gate: { steps: [{ step: 0, kind: "unwatched" }] } })
})

test("a candidate that went silent while stable reports is held back, then rolled back", async () => {
  const rollout = await world.canary("silenced")
  await world.send(rollout.reader, { reports: await fine(rollout) })
  world.moveClock(HOLD_MS)
  const stable = async () => [await rollout.report("stable", { ok: 900, errors: 0 })]
  expect((await world.send(rollout.reader, { reports: await stable() })).body.verdict).toMatchObject({
    kind: "hold",
  })
  await world.advance.tick()
  expect(await rollout.show()).toMatchObject({ state: "rolling_out", step: 0 })
  world.moveClock(3 * 60_000)
  await world.send(rollout.reader, { reports: await stable() })
  expect(await rollout.show()).toMatchObject({ state: "rolled_back", reason: "unhealthy" })
})

test("a slower candidate is held and not rolled back", async () => {
  const rollout = await world.canary("slow")
  const reports = [
    await rollout.report(
      "stable",
      { ok: 900, errors: 0 },
      {
        latency: [
          [20, 850],
          [500, 50],
        ],
      },
    ),
    await rollout.report(
      "candidate",
      { ok: 200, errors: 0 },
      {
        latency: [
          [20, 100],
          [500, 100],
        ],
      },
    ),
  ]
  const { verdict } = (await world.send(rollout.reader, { reports })).body
  expect(verdict).toMatchObject({ kind: "hold" })
  expect(verdict?.words).toMatch(
    /^The candidate is slower: 50 % of its requests take longer than 2\d ms, 5\.\d+ % of stable's\.$/,
  )
  world.moveClock(HOLD_MS)
  await world.advance.tick()
  expect(await rollout.show()).toMatchObject({ state: "rolling_out", step: 0 })
})

test("a client that can read stable and not the candidate ends the rollout at once", async () => {
  const rollout = await world.canary("broken")
  const report = await rollout.report("candidate", { ok: 0, errors: 0 }, { guard: "unparsable" })
  await world.send(rollout.reader, { reports: [report] })
  expect(await rollout.show()).toMatchObject({ state: "rolled_back", reason: "unhealthy" })
})

test("a paused rollout is rolled back as well", async () => {
  const rollout = await world.canary("paused")
  await world.call("POST", `/api/v1/changes/${rollout.changeId}/pause`, {
    token: rollout.tokens.manager,
    body: {},
  })
  await world.send(rollout.reader, { reports: await failing(rollout) })
  expect(await rollout.show()).toMatchObject({ state: "rolled_back", reason: "unhealthy" })
})

test("the same reports again, in one batch or in another, alter nothing but the count of what came late", async () => {
  const rollout = await world.canary("repeated")
  const reports = await fine(rollout)
  const first = await world.send(rollout.reader, { reports: [...reports, ...reports] })
  expect(first.body).toMatchObject({
    accepted: 2,
    ignored: [
      { index: 2, reason: "seen" },
      { index: 3, reason: "seen" },
    ],
  })
  const sums = openChecksums(world.url("postgres"))
  try {
    const before = await sums.read()
    const again = await world.send(rollout.reader, { reports })
    expect(again.body).toMatchObject({ accepted: 0, verdict: { kind: "healthy" } })
    expect(await sums.read()).toEqual(before)
  } finally {
    await sums.close()
  }
})

/** As if whoever took the reports had died before it could act on them. */
const recordOnly = async (rollout: Canary, reports: Awaited<ReturnType<typeof failing>>) => {
  const tokenId = `${rollout.tenantId}:tok_${"0".repeat(32)}` as TokenId
  const environment = "QA" as Environment
  const at = world.platform.clock.now().toISOString()
  const tenantId = rollout.tenantId as TenantId
  await recordOutcomes(world.app, { tenantId, environment, tokenId, reports, at })
}

test("evidence that nobody lived to act on is acted on by the next report, though it says nothing new", async () => {
  const rollout = await world.canary("orphaned")
  const reports = await failing(rollout)
  await recordOnly(rollout, reports)
  expect(await rollout.show()).toMatchObject({
    state: "rolling_out",
    gate: { current: { kind: "unhealthy" } },
  })
  expect((await world.send(rollout.reader, { reports })).body).toMatchObject({ accepted: 0 })
  expect(await rollout.show()).toMatchObject({ state: "rolled_back", reason: "unhealthy" })
})

test("nor does the clock take on what the evidence is against, whichever way it comes", async () => {
  for (const way of ["swept", "stepped"]) {
    const rollout = await world.canary(way)
    await recordOnly(rollout, await failing(rollout))
    world.moveClock(HOLD_MS)
    if (way === "swept") await world.advance.tick()
    else await world.advance.step({ changeId: rollout.changeId, step: 0 })
    expect(await rollout.show()).toMatchObject({ state: "rolled_back", reason: "unhealthy" })
  }
})

test("a state machine that names its step is told to wait like anybody else", async () => {
  const rollout = await world.canary("machine")
  await world.send(rollout.reader, { reports: [await rollout.report("candidate", { ok: 3, errors: 0 })] })
  world.moveClock(HOLD_MS)
  const { changeId } = rollout
  expect(await world.advance.step({ changeId, step: 0 })).toMatchObject({ state: "rolling_out", step: 0 })
  await world.send(rollout.reader, { reports: await fine(rollout) })
  expect(await world.advance.step({ changeId, step: 0 })).toMatchObject({ state: "rolling_out", step: 1 })
})

test("a batch that brings the tipping reports twice, by two at once, rolls back once", async () => {
  const rollout = await world.canary("raced")
  const reports = await failing(rollout)
  const before = world.told.length
  const answers = await Promise.all([1, 2, 3].map(() => world.send(rollout.reader, { reports })))
  expect(answers.map(({ status }) => status)).toEqual([202, 202, 202])
  const entries = (await rollout.audit()).filter(({ action }) => action === "change.rolled_back")
  expect(entries.length).toBe(1)
  expect(world.told.slice(before)).toEqual([{ RolloutsTakenBack: 1 }])
})

test("a rollout that a person takes back is none that was taken back by itself", async () => {
  const rollout = await world.canary("aborted")
  const before = world.told.length
  await must(world.call("POST", `/api/v1/changes/${rollout.changeId}/abort`, { body: {} }), 200)
  expect(await rollout.show()).toMatchObject({ state: "rolled_back", reason: "aborted" })
  expect(world.told.slice(before)).toEqual([])
})

test("what is reported of a step that is over is told so and judges nothing", async () => {
  const rollout = await world.canary("over")
  const late = await failing(rollout)
  world.moveClock(HOLD_MS)
  await world.advance.tick()
  const answer = await world.send(rollout.reader, { reports: late })
  expect(answer.body).toMatchObject({
    accepted: 0,
    ignored: [
      { index: 0, reason: "step_over" },
      { index: 1, reason: "step_over" },
    ],
    verdict: { step: 1, kind: "unwatched" },
  })
  expect(await rollout.show()).toMatchObject({ state: "rolling_out", step: 1 })
  await world.call("POST", `/api/v1/changes/${rollout.changeId}/abort`, { body: {} })
  const after = [await rollout.report("candidate", { ok: 0, errors: 9 })]
  expect((await world.send(rollout.reader, { reports: after })).body).toMatchObject({
    accepted: 0,
    ignored: [{ index: 0, reason: "no_rollout" }],
    verdict: null,
  })
})

test("a step advanced without its reports is not judged by those of the step before", async () => {
  const rollout = await world.canary("separate")
  await world.send(rollout.reader, { reports: await fine(rollout) })
  world.moveClock(HOLD_MS)
  await world.advance.tick()
  expect((await rollout.show()).gate.current).toMatchObject({ kind: "unwatched" })
})
