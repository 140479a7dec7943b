import { describe, expect, test } from "vitest"
import { NO_WAVE_EVIDENCE } from "../../../core/gate/waves.ts"
import { type ChangeId, PLATFORM, type TenantId, tierScope } from "../../../core/ids.ts"
import { actor, clock, person, started } from "./rollouts.ts"
import { MINUTE_MS, World } from "./world.ts"

const tenant = (name: string) => name as TenantId
const WAVES = {
  strategy: {
    type: "rolling",
    waves: [
      { tenants: [tenant("one"), tenant("two")] },
      { tier: "Pro", holdMs: MINUTE_MS },
      { weightBp: 10_000, holdMs: MINUTE_MS },
    ],
  },
} as const
const rolling = () => {
  const world = new World({ scope: PLATFORM })
  const id = world.set({ a: 1 }, WAVES as never)
  const trip = (name: string, reached: number, step = 0) =>
    world.run({ type: "trip", changeId: id, tenantId: tenant(name), step, words: "It fails.", reached })
  return { world, id, trip }
}

describe("waves", () => {
  test("reach tenants by name, then by tier, then everyone; each wave on top of those before", () => {
    const { world, id } = rolling()
    const audience = { tiers: [], tenants: ["one", "two"], excluded: [] }
    expect(world.pointer.candidate).toMatchObject({ step: 0, weightBp: 0, audience })
    world.pass(MINUTE_MS)
    world.tick(id)
    expect(world.pointer.candidate).toMatchObject({
      step: 1,
      weightBp: 0,
      audience: { ...audience, tiers: ["Pro"] },
    })
    for (const step of [1, 2]) world.do({ type: "advance", changeId: id, step, by: person })
    expect(world.pointer.candidate).toBeNull()
    expect(world.value("a")).toBe(1)
  })

  test("one tenant that the candidate fails is taken out and the rollout paused; resumed, it goes on without", () => {
    const { world, id, trip } = rolling()
    expect(trip("one", 2).kind).toBe("commit")
    expect(world.change(id).status).toMatchObject({ paused: true, tripped: [{ tenantId: "one" }] })
    expect(world.pointer.candidate!.audience!.excluded).toEqual(["one"])
    expect(trip("one", 2).kind).toBe("nothing")
    world.do({ type: "resume", changeId: id, actor })
    world.do({ type: "advance", changeId: id, step: 0, by: person })
    expect(world.pointer.candidate!.audience!.excluded).toEqual(["one"])
    expect(trip("two", 9, 0).kind).toBe("nothing")
    for (const step of [1, 2]) world.do({ type: "advance", changeId: id, step, by: person })
    expect(world.change(id).status).toMatchObject({ state: "live", tripped: [{ tenantId: "one" }] })
  })

  test.each([
    [1, 2],
    [2, 2],
    [3, 3],
    [1_000, 3],
  ])("of %i tenants reached, %i that fail take the rollout back", (reached, enough) => {
    const { world, id, trip } = rolling()
    for (let i = 1; i < enough; i++) trip(`t${i}`, reached)
    expect(world.stateOf(id)).toBe("rolling_out")
    trip("last", reached)
    expect(world.change(id).status).toMatchObject({ state: "rolled_back", reason: "unhealthy" })
    expect(world.pointer.candidate).toBeNull()
  })

  test("the clock goes on only as the reports of tenants allow", () => {
    const { world, id } = rolling()
    world.pass(MINUTE_MS)
    const since = world.now
    const reached = { tenants: 1, requests: 1, lastAt: since, sample: [] }
    world.waves = { ...NO_WAVE_EVIDENCE, since, reached }
    world.tick(id)
    expect(world.change(id).status).toMatchObject({ step: 0, gate: [{ kind: "waiting" }] })
    world.waves = NO_WAVE_EVIDENCE
    world.run({ type: "advance", changeId: id, step: 0, by: clock })
    expect(world.change(id).status).toMatchObject({ step: 1 })
  })

  test("one at a time among the platform and its tiers: another waits, and looks again in five seconds", () => {
    const world = new World({ scope: PLATFORM })
    const other = `${tierScope("Pro")}:chg_1` as ChangeId
    world.elsewhere = { scope: tierScope("Pro"), changeId: other }
    const id = world.set({ a: 1 }, WAVES as never)
    expect(world.change(id).status).toMatchObject({ state: "scheduled", waitingFor: other })
    expect(Date.parse(world.dueAt(id)!) - world.nowMs).toBe(5_000)
    expect(world.stateOf(world.set({ b: 1 }))).toBe("live")
    world.pass(5_000)
    expect(world.tick(id)).toBe("commit")
    expect(Date.parse(world.dueAt(id)!) - world.nowMs).toBe(5_000)
    world.elsewhere = null
    world.tick(id)
    expect(world.stateOf(id)).toBe("rolling_out")
  })
})

describe("blue and green", () => {
  const BLUE_GREEN = { strategy: { type: "blue_green", bakeMs: MINUTE_MS } } as const

  test("nobody reads the candidate until a person switches everyone, and back is as quick", () => {
    const world = new World()
    const { stable } = world.pointer
    const id = world.set({ a: 1 }, BLUE_GREEN)
    expect(world.pointer.candidate).toMatchObject({ weightBp: 0 })
    expect(world.dueAt(id)).toBeNull()
    world.do({ type: "advance", changeId: id, step: 0, by: person })
    expect(world.pointer.candidate).toMatchObject({ weightBp: 10_000 })
    world.do({ type: "abort", changeId: id, by: person })
    expect(world.pointer).toMatchObject({ stable, candidate: null })
  })

  test("the switch is for good when the bake is over", () => {
    const world = new World()
    const id = world.set({ a: 1 }, BLUE_GREEN)
    world.do({ type: "advance", changeId: id, step: 0, by: person })
    world.pass(MINUTE_MS)
    world.tick(id)
    expect([world.stateOf(id), world.value("a")]).toEqual(["live", 1])
  })
})

describe("an alarm outside", () => {
  const raise = (changeId: ChangeId, verdict: "unhealthy" | "hold" | "healthy", summary = "Slow.") =>
    ({ type: "signal", changeId, actor, verdict, source: "alarms", summary }) as const

  test("takes a rollout back, or holds it until somebody resumes; that all is well is nothing", () => {
    const { world, id } = started()
    expect(world.run(raise(id, "healthy")).kind).toBe("nothing")
    world.do(raise(id, "hold"))
    expect(world.change(id).status).toMatchObject({ paused: true, signal: { source: "alarms" } })
    expect(world.run(raise(id, "hold")).kind).toBe("nothing")
    world.do({ type: "resume", changeId: id, actor })
    expect(world.change(id).status).not.toHaveProperty("signal")
    world.do(raise(id, "unhealthy", "Down."))
    expect(world.change(id).status).toMatchObject({
      state: "rolled_back",
      reason: "unhealthy",
      signal: { summary: "Down." },
    })
    expect(world.refuse(raise(id, "unhealthy")).code).toBe("CHANGE_STATE")
    expect(JSON.stringify(world.audit)).not.toContain("Down.")
  })
})
