import validate from "asl-validator"
import { afterAll, afterEach, beforeAll, expect, test } from "vitest"
import type { Environment } from "../../core/environment.ts"
import type { ChangeId, TenantId, TokenId } from "../../core/ids.ts"
import { recordOutcomes } from "../../db/queries/gate.ts"
import { keepTaskToken, takeTaskToken } from "../../db/queries/workflows.ts"
import { must } from "../functions/manage/world.ts"
import { HOLD_MS } from "../functions/outcomes/world.ts"
import { ADVANCE_ARN, deployedDefinition } from "./deployed-definition.ts"
import { type Change, createPacedWorld, TO_LIVE } from "./paced-world.ts"
import { type StepFunctions, startStepFunctions } from "./step-functions.ts"

const definition = deployedDefinition()
let world: Awaited<ReturnType<typeof createPacedWorld>>
let machines: StepFunctions
beforeAll(async () => {
  world = await createPacedWorld(definition)
  machines = world.machines
})
afterEach(() => world.heal())
afterAll(() => world.close())

test("what is deployed is valid in the States Language, and asks one function only", () => {
  const { isValid, errorsText } = validate(structuredClone(definition))
  expect(errorsText("\n")).toBe("")
  expect(isValid).toBe(true)
  const asked = JSON.stringify(definition).match(/arn:aws:lambda[^"]*/g) ?? []
  expect(new Set(asked)).toEqual(new Set([ADVANCE_ARN]))
})

test("the last approval is heard, and the rollout goes live step by step", async () => {
  const { changeId, approve, approvers, execution } = await world.owed("approved")
  for (const approver of approvers) {
    expect(execution.waiting?.state).toBe("WaitForSomebody")
    await approve(approver)
    await machines.rest()
  }
  expect(execution.waiting?.state).toBe("WaitUntilDue")
  await machines.untilEnded(execution)
  expect(execution.path).toEqual([
    ...["Begin", "Look", "WhatNext", "WaitForSomebody"],
    ...["Look", "WhatNext", "WaitUntilDue", "Advance"],
    ...["WhatNext", "WaitUntilDue", "Advance"],
    ...["WhatNext", "Done"],
  ])
  expect(await world.read(changeId)).toMatchObject({ state: "live" })
  const approvals = ["change.approve", "change.approve", "change.approve"]
  expect(await world.history(changeId)).toEqual(["change.submit", ...approvals, ...TO_LIVE.slice(1)])
})

test("what ends the wait otherwise, a rejection or a cancellation, ends the execution at once", async () => {
  for (const verdict of ["reject", "cancel"] as const) {
    const { changeId, tokens, execution } = await world.owed(`${verdict}-ed`)
    const by = verdict === "reject" ? { token: tokens.manager } : {}
    const path = verdict === "reject" ? `approvals/${changeId}/reject` : `changes/${changeId}/cancel`
    await must(world.call("POST", `/api/v1/${path}`, { ...by, body: {} }), 200)
    await machines.rest()
    expect(execution).toMatchObject({ ended: { failure: null } })
    expect(execution.path.at(-1)).toBe("Done")
    expect((await world.read(changeId)).state).toBe(verdict === "reject" ? "rejected" : "cancelled")
  }
})

test("an approval that never comes lets the change expire when its time is over", async () => {
  const { changeId, execution } = await world.owed("forgotten")
  await machines.untilEnded(execution)
  expect(execution.path.slice(-4)).toEqual(["WaitForSomebody", "Advance", "WhatNext", "Done"])
  expect(await world.read(changeId)).toMatchObject({ state: "expired" })
  expect((await world.history(changeId)).at(-1)).toBe("change.expire")
})

test("a candidate that the gate finds unhealthy is rolled back, and nothing is left to pace", async () => {
  const rollout = await world.canary("unwell")
  const tokenId = "unwell:tok_00000000000000000000000000000001" as TokenId
  const tenantId = "unwell" as TenantId
  const reports = [
    await rollout.report("stable", { ok: 180, errors: 0 }),
    await rollout.report("candidate", { ok: 10, errors: 10 }),
  ]
  const at = world.platform.clock.now().toISOString()
  await recordOutcomes(world.app, { tenantId, environment: "QA" as Environment, tokenId, reports, at })
  await machines.untilEnded(rollout.execution)
  expect(rollout.execution.path.slice(-3)).toEqual(["Advance", "WhatNext", "Done"])
  expect(await rollout.show()).toMatchObject({ state: "rolled_back", reason: "unhealthy" })
})

test("a function that fails for good is tried again, then what it should watch is rolled back", async () => {
  const rollout = await world.canary("unlucky")
  let tries = 0
  machines.faults.before = async ({ task }) => {
    if (task !== "advance") return
    tries += 1
    throw new Error("no memory left")
  }
  await machines.untilEnded(rollout.execution)
  expect(tries).toBe(11)
  expect(rollout.execution.path.slice(-2)).toEqual(["RollBack", "Failed"])
  expect(rollout.execution.ended?.failure).toContain("no memory left")
  expect(await rollout.show()).toMatchObject({ state: "rolled_back", reason: "timed_out" })
  expect((await world.history(rollout.changeId)).at(-1)).toBe("change.rolled_back")
})

test("a function that fails for a while costs nothing but that while", async () => {
  const rollout = await world.canary("shaky")
  let failures = 0
  machines.faults.before = async () => {
    failures += 1
    if (failures % 3 !== 0) throw new Error("the database is not there")
  }
  await machines.untilEnded(rollout.execution)
  expect(rollout.execution).toMatchObject({ ended: { failure: null } })
  expect(await world.history(rollout.changeId)).toEqual(TO_LIVE)
})

test("what fails while a change awaits approval leaves it as it is", async () => {
  machines.faults.before = async ({ task }) => {
    if (task === "wait") throw new Error("no memory left")
  }
  const { changeId, execution } = await world.owed("unwatched")
  expect(execution.path.slice(-2)).toEqual(["RollBack", "Failed"])
  expect(await world.read(changeId)).toMatchObject({ state: "awaiting_approval" })
})

test("a paused rollout waits until it is resumed, however long that takes", async () => {
  const { changeId, execution } = await world.canary("paused")
  await world.act(changeId, "pause")
  await machines.passTime(HOLD_MS)
  expect(execution.waiting?.state).toBe("WaitForSomebody")
  await machines.passTime(3 * 24 * 60 * HOLD_MS)
  expect(await world.read(changeId)).toMatchObject({ state: "rolling_out", step: 0 })
  expect(execution.waiting?.state).toBe("WaitForSomebody")
  await world.act(changeId, "resume")
  expect(execution.waiting?.state).toBe("WaitUntilDue")
  await machines.untilEnded(execution)
  expect(await world.read(changeId)).toMatchObject({ state: "live" })
})

test("a rollout that waits behind another goes on when that has ended", async () => {
  const first = await world.canary("queued")
  const body = {
    tenantId: "queued",
    environment: "QA",
    edits: [{ key: "other", value: 2 }],
    strategy: { type: "canary", steps: [{ weightBp: 1_000, holdMs: HOLD_MS }] },
  }
  const { changeId } = (await must(world.call<Change>("POST", "/api/v1/changes", { body }), 202)).body
  await machines.rest()
  const second = world.onlyExecution(changeId)
  expect(second.waiting?.state).toBe("WaitForSomebody")
  await world.act(first.changeId, "abort")
  expect(second.waiting?.state).toBe("WaitUntilDue")
  await machines.untilEnded(second)
  await machines.untilEnded(first.execution)
  expect(await world.read(changeId)).toMatchObject({ state: "live" })
})

test("two executions for one change, and the sweeper besides, take every step once", async () => {
  const { changeId, execution } = await world.canary("thronged")
  const twin = machines.start("by-hand", execution.changeId)
  machines.faults.before = async ({ task }) => {
    if (task === "advance") await world.advance.tick()
  }
  await machines.rest()
  await machines.untilEnded(execution)
  await machines.untilEnded(twin)
  expect(await world.history(changeId)).toEqual(TO_LIVE)
  expect([execution, twin]).toMatchObject([{ ended: { failure: null } }, { ended: { failure: null } }])
})

test("a change begins one execution, however often it is begun, and none if it is live at once", async () => {
  const { execution } = await world.canary("begun")
  await machines.pacer.begin(execution.changeId)
  await machines.untilEnded(execution)
  await machines.pacer.begin(execution.changeId)
  expect(machines.of(execution.changeId)).toHaveLength(1)
  const body = { tenantId: "begun", environment: "Development", edits: [{ key: "k", value: 1 }] }
  const { changeId } = (await must(world.call<Change>("POST", "/api/v1/changes", { body }), 202)).body
  expect(machines.of(changeId)).toEqual([])
})

test("a service that is down fails no request, and the sweeper says later what was not heard", async () => {
  const { changeId, approve, approvers, execution } = await world.owed("unheard")
  machines.faults.fails = () => true
  for (const approver of approvers) await approve(approver)
  expect(execution.waiting?.state).toBe("WaitForSomebody")
  await world.advance.tick()
  await world.platform.background.settled()
  expect(execution.waiting?.state).toBe("WaitForSomebody")
  machines.faults.fails = () => false
  await world.advance.tick()
  await world.platform.background.settled()
  await machines.rest()
  expect(execution.waiting?.state).toBe("WaitUntilDue")
  await machines.untilEnded(execution)
  expect(await world.read(changeId)).toMatchObject({ state: "live" })
})

test("a token whose wait is over is let go without a word", async () => {
  const { changeId, execution } = await world.canary("late")
  await machines.untilEnded(execution)
  await keepTaskToken(world.app, "late" as TenantId, execution.changeId, "a-token-of-yesterday")
  await world.advance.tick()
  await world.platform.background.settled()
  expect(await takeTaskToken(world.app, "late" as TenantId, execution.changeId)).toBe(null)
  await keepTaskToken(world.app, "late" as TenantId, execution.changeId, "a-token-of-yesterday")
  await expect(machines.pacer.moved(execution.changeId)).resolves.toBeUndefined()
  expect(await world.history(changeId)).toEqual(TO_LIVE)
})

test("what can never go well is not tried again", async () => {
  const execution = machines.start("for-nothing", "nonsense" as ChangeId)
  await machines.untilEnded(execution)
  expect(execution).toMatchObject({ asked: 2, ended: { failure: expect.stringContaining("changeId") } })
})

test("an approval between the look and the wait is not missed", async () => {
  const { tokens, issue } = await world.tenant("quick")
  const approvers = [await issue("another-engineer", ["engineer"]), tokens.manager, tokens.compliance]
  machines.faults.before = async ({ task, changeId }) => {
    if (task !== "wait") return
    for (const token of approvers)
      await must(world.call("POST", `/api/v1/approvals/${changeId}/approve`, { token, body: {} }), 200)
  }
  const body = { tenantId: "quick", environment: "Production", edits: [{ key: "k", value: 1 }] }
  const { tenant_admin: token } = tokens
  const submitted = await must(world.call<Change>("POST", "/api/v1/changes", { token, body }), 202)
  await machines.rest()
  const execution = world.onlyExecution(submitted.body.changeId)
  expect(execution.waiting?.state).toBe("WaitUntilDue")
  await machines.untilEnded(execution)
})

test("an execution that has gone round too often ends, and the sweeper goes on with what it left", async () => {
  const { changeId, execution } = await world.canary("long-lived")
  const aged = structuredClone(definition)
  aged.States.Begin.Parameters.Payload.round = 998
  const others = await startStepFunctions(aged, world)
  const old = others.start("old", execution.changeId)
  await others.untilEnded(old)
  expect(old.path.slice(-3)).toEqual(["Advance", "WhatNext", "LeftToTheSweeper"])
  expect(old.ended).toEqual({ failure: null })
  world.moveClock(HOLD_MS)
  await world.advance.tick()
  expect(await world.read(changeId)).toMatchObject({ state: "live" })
  await machines.untilEnded(execution)
  await others.close()
  expect(await world.history(changeId)).toEqual(TO_LIVE)
})
