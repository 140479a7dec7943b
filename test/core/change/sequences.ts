import fc from "fast-check"
import { expect } from "vitest"
import { isOpen } from "../../../core/change/change.ts"
import type { Command } from "../../../core/change/command.ts"
import { POLICY_KEY } from "../../../core/change/policy.ts"
import { type ChangeId, isTenant, PLATFORM, tierScope } from "../../../core/ids.ts"
import { isPolicy, Model } from "./model.ts"
import { CHAINS, commandOf, gradualFor, inherit, type Step, step } from "./model-steps.ts"
import { DIRECT, MINUTE_MS, World } from "./world.ts"

/** Does what the clock does: looks at all that is due until nothing is. */
const sweep = (world: World): void => {
  for (let round = 0; ; round++) {
    const due = [...world.changes].filter(([, { dueAt }]) => dueAt !== null && dueAt <= world.now)
    if (due.length === 0) return
    // What is due and does not move when looked at would keep the clock busy for ever.
    if (round > 20)
      throw new Error(`still due: ${due.map(([id]) => JSON.stringify(world.change(id).status))}`)
    for (const [id] of due) world.tick(id)
  }
}

const play = (world: World, model: Model, each: Step): void => {
  switch (each.what) {
    case "pass":
      world.pass([1, MINUTE_MS, 2 * MINUTE_MS, 30 * 3_600_000][each.number % 4]!)
      break
    case "sweep":
      sweep(world)
      break
    case "inherit":
      inherit(world, each)
      model.look()
      break
    case "elsewhere":
      // Another shared scope begins or ends a rollout; not while one is under way here.
      if (isTenant(world.scope) || world.pointer.candidate) break
      world.elsewhere = each.isFlagged
        ? { scope: tierScope("Pro"), changeId: `${tierScope("Pro")}:chg_1` as ChangeId }
        : null
      break
    default:
      playCommand(world, model, commandOf(world, each))
  }
}

/** The way back is always open: from a rollout, and from what has just gone live. */
const mustSucceed = ({ pointer, changes, policy, nowMs }: World, command: Command): boolean => {
  const newest = pointer.stableChangeId && changes.get(pointer.stableChangeId)?.change
  const isRecent =
    newest?.status.state === "live" &&
    !isPolicy(newest) &&
    Date.parse(newest.status.at) > nowMs - policy.rollbackWindowMs
  switch (command.type) {
    case "abort":
      return pointer.candidate?.changeId === command.changeId
    case "rollback":
      return isRecent && newest.content.changeId === command.changeId
    case "rollback_to":
      return isRecent && command.asOf === undefined && command.toRelease === undefined
    default:
      return false
  }
}

const playCommand = (world: World, model: Model, command: Command | null): void => {
  if (command === null) return
  const { rev } = world
  const before = world.entries()
  const isOwed = mustSucceed(world, command)
  const decision = world.run(command)
  if (isOwed) expect(decision.kind, JSON.stringify(decision)).toBe("commit")
  expect(world.rev).toBe(decision.kind === "commit" ? rev + 1 : rev)
  if (decision.kind === "refused") {
    model.reached.add(`refused: ${decision.code}`)
    expect(world.entries()).toEqual(before)
  }
  // The same messenger a second time finds nothing to do, but to look again later where there is a freeze.
  const isMessenger =
    command.type === "trip" ||
    ((command.type === "advance" || command.type === "abort") && command.by.kind === "clock")
  if (isMessenger) {
    const again = world.run(command)
    expect(again.kind === "nothing" || again.kind === "commit").toBe(true)
    if (again.kind === "commit") expect(again.commit).toMatchObject({ audit: [], notices: [], versions: [] })
    if (again.kind === "commit") expect(again.commit).not.toHaveProperty("pointer")
  }
  if (decision.kind !== "commit") return
  if (command.type === "rollback_to" && command.toRelease) {
    const there = world.entries(command.toRelease)
    there.delete(POLICY_KEY)
    const here = world.entries()
    here.delete(POLICY_KEY)
    expect(here).toEqual(there)
  }
  if (command.type !== "trip") return
  const { status } = decision.change!
  const count = "tripped" in status ? (status.tripped?.length ?? 0) : 0
  const isEnough = count >= Math.max(2, Math.min(3, command.reached))
  expect(status).toMatchObject(isEnough ? { state: "rolled_back", reason: "unhealthy" } : { paused: true })
  model.reached.add(isEnough ? "tripped: rolled back" : "tripped: taken out")
}

/** After all that, nothing that waits is forgotten: what cannot start any more is over in the end. */
const settle = (world: World): void => {
  sweep(world)
  world.elsewhere = null
  world.pass(91 * 24 * 3_600_000)
  sweep(world)
  for (const { change } of world.changes.values())
    if (isOpen(change)) expect(change.status).toMatchObject({ state: "rolling_out" })
}

/** Plays that many random sequences; `reached` is everything that happened in any of them. */
export const playSequences = (
  runs: number,
  seed: number,
  worldOf = (scope: string): World => new World({ scope }),
): Set<string> => {
  const reached = new Set<string>()
  fc.assert(
    fc.property(
      fc.nat(CHAINS.length - 1),
      fc.constantFrom("acme-corp", "acme-corp", PLATFORM),
      fc.boolean(),
      fc.array(step, { minLength: 10, maxLength: 60, size: "max" }),
      (chain, scope, isGradual, steps) => {
        const world = worldOf(scope)
        const strategy = isGradual ? gradualFor(world, chain) : DIRECT
        const model = new Model(world)
        // Staging asks nobody, so that the first policy is in force at once.
        world.setPolicy({ stages: CHAINS[chain]!, strategy })
        for (const each of steps) play(world, model, each)
        settle(world)
        for (const happened of model.reached) reached.add(happened)
      },
    ),
    { numRuns: runs, seed, endOnFailure: false },
  )
  return reached
}
