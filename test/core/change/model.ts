import fc from "fast-check"
import { expect } from "vitest"
import type { Change, Edit, Stage, Strategy } from "../../../core/change/change.ts"
import { isOpen } from "../../../core/change/change.ts"
import type { Command, EditInput } from "../../../core/change/command.ts"
import type { Commit } from "../../../core/change/scope-state.ts"
import type { ChangeId, ConfigKey, ReleaseId } from "../../../core/ids.ts"
import { compile } from "../../../core/release/compile.ts"
import type { Entry } from "../../../core/release/release.ts"
import { alice, alicesHelper, bob, bobsHelper, carol, dan, engineer, manager, officer } from "./people.ts"
import { DIRECT, key, MINUTE_MS, World } from "./world.ts"

const PEOPLE = [alice, bob, carol, dan, alicesHelper, bobsHelper, engineer, manager, officer]
const KEYS = ["a", "b", "c", "d"].map(key)
/** Must be found in no audit entry: values are configuration, and configuration is not for the audit. */
const SENTINEL = "not-for-the-audit"
const CANARY: Strategy = {
  type: "canary",
  steps: [
    { weightBp: 0, holdMs: null },
    { weightBp: 1_000, holdMs: MINUTE_MS },
    { weightBp: 5_000, holdMs: 2 * MINUTE_MS },
  ],
}
const CHAINS: readonly (readonly Stage[])[] = [
  [],
  [{ role: "manager", required: 1 }],
  [{ role: "engineer", required: 2 }],
  [
    { role: "engineer", required: 1 },
    { role: "compliance", required: 1 },
  ],
]

const step = fc.record({
  what: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom("submit", "submit", "approve", "approve", "approve") },
    { weight: 5, arbitrary: fc.constantFrom("tick", "sweep", "pass", "advance", "advance", "clock") },
    {
      weight: 4,
      arbitrary: fc.constantFrom(
        "reject",
        "cancel",
        "pause",
        "resume",
        "abort",
        "verdict",
        "rollback",
        "rollback",
      ),
    },
    { weight: 2, arbitrary: fc.constantFrom("break_glass", "review", "tier", "comment", "tighten") },
  ),
  who: fc.nat(PEOPLE.length - 1),
  /** Which change, counted from the newest. */
  which: fc.nat(4),
  keys: fc.uniqueArray(fc.nat(KEYS.length - 1), { minLength: 1, maxLength: 3 }),
  number: fc.nat(11),
  isFlagged: fc.boolean(),
})
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

/** The change a command is about: the one it makes sense for, or just any. */
const aim = ({ changes, pointer }: World, { what, which, isFlagged }: Step): ChangeId | undefined => {
  const any = [...changes.keys()].at(-1 - which)
  if (!isFlagged) return any
  if (what === "rollback") return pointer.stableChangeId ?? any
  if (what === "approve")
    return [...changes].find(([, { change }]) => change.status.state === "awaiting_approval")?.[0] ?? any
  const isOfRollout = ["advance", "clock", "pause", "resume", "abort", "verdict"].includes(what)
  return isOfRollout ? (pointer.candidate?.changeId ?? any) : any
}

const commandOf = (world: World, each: Step): Command | null => {
  const { what, who, keys, number, isFlagged } = each
  const { actor, roles } = PEOPLE[who]!
  if (what === "submit")
    return world.submitCommand(
      keys.map((index): EditInput => {
        const input = { key: KEYS[index]! }
        return number % 4 === 3 ? { ...input, delete: true } : { ...input, value: `${SENTINEL} ${number}` }
      }),
      {
        ...(number % 3 === 0 ? { strategy: CANARY } : number % 3 === 1 ? { strategy: DIRECT } : {}),
        ...(number > 9 ? { startAt: new Date(world.nowMs + MINUTE_MS).toISOString() } : {}),
        approvalRequired: isFlagged && number % 5 === 0,
      },
      PEOPLE[who],
    )
  if (what === "tier") return { type: "tier", tier: isFlagged ? "Free" : "Pro", actor }
  const changeId = aim(world, each)
  if (changeId === undefined) return null
  const stepSeen = isFlagged ? (world.pointer.candidate?.step ?? 0) : number % 3
  switch (what) {
    case "approve":
      return { type: "approve", changeId, actor, roles }
    case "advance":
      return { type: "advance", changeId, step: stepSeen, by: { kind: "person", actor } }
    case "clock":
      return { type: "advance", changeId, step: stepSeen, by: { kind: "clock" } }
    case "abort":
      return { type: "abort", changeId, by: { kind: "person", actor } }
    case "verdict":
      return { type: "abort", changeId, by: { kind: "clock" }, reason: "unhealthy" }
    case "comment":
      return { type: "comment", changeId, actor, text: `${SENTINEL}, says ${number}` }
    case "reject":
    case "cancel":
    case "pause":
    case "resume":
    case "rollback":
    case "break_glass":
    case "review":
      return { type: what, changeId, actor }
    case "tick":
      return { type: "tick", changeId }
    default:
      return null
  }
}

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

/** What stable has to hold, kept by the simplest means there are. */
class Model {
  readonly world: World
  readonly reached = new Set<string>()
  stable = new Map<ConfigKey, Entry>()
  readonly #before = new Map<ChangeId, { stable: Map<ConfigKey, Entry>; release: ReleaseId }>()
  #release: ReleaseId

  constructor(world: World) {
    this.world = world
    this.#release = world.pointer.stable
    world.onCommit = (commit, before) => this.check(commit, before)
  }

  check(commit: Commit, before: ReadonlyMap<ChangeId, Change>): void {
    const { world } = this
    expect(commit.audit.length).toBeGreaterThan(0)
    expect(JSON.stringify(commit.audit)).not.toContain(SENTINEL)
    expect(world.pointer.seq).toBe(world.history.length)
    this.#follow(commit, before)
    expect(world.entries()).toEqual(this.stable)
    this.#checkCandidate()
    for (const id of [world.pointer.stable, world.pointer.candidate?.release ?? world.pointer.stable])
      for (const [name, { version }] of world.entries(id))
        this.#checkPermitted(world.change(world.rows.get(name)![version - 1]!.changeId))
    for (const [id, { change, dueAt }] of world.changes) this.#checkWaiting(id, change, dueAt)
    this.#release = world.pointer.stable
  }

  /** Stable moves only as changes go live and are taken back, one at a time. */
  #follow({ changes, pointer, versions }: Commit, before: ReadonlyMap<ChangeId, Change>): void {
    let moves = 0
    if (pointer) this.reached.add(`pointer: ${pointer.cause}`)
    for (const { change } of changes) {
      const { changeId, edits } = change.content
      const was = before.get(changeId)
      const from = was?.status.state ?? "nothing"
      const to = change.status.state
      if (was && from !== to) expect(isOpen(was) || from === "live").toBe(true)
      if (from !== to)
        this.reached.add(
          "reason" in change.status ? `${from} → ${to}: ${change.status.reason}` : `${from} → ${to}`,
        )
      if (was) expect(change.content).toEqual(was.content)
      if (to === "live" && from !== "live") {
        moves++
        this.#before.set(changeId, { stable: new Map(this.stable), release: this.#release })
        for (const edit of edits) apply(this.stable, edit, change.versions![edit.key]!)
      }
      if (from === "live" && to === "rolled_back") {
        moves++
        const { stable, release } = this.#before.get(changeId)!
        this.stable = new Map(stable)
        expect(this.world.pointer.stable).toBe(release)
        expect(versions.map((row) => row.changeId)).not.toContain(changeId)
      }
    }
    expect(moves).toBeLessThanOrEqual(1)
    if (moves === 0) expect(this.world.pointer.stable).toBe(this.#release)
  }

  /** Candidate = stable ⊕ the edits of the one change that is rolling out. */
  #checkCandidate(): void {
    const { world } = this
    const rolling = [...world.changes.values()].filter(({ change }) => change.status.state === "rolling_out")
    const { candidate } = world.pointer
    expect(rolling.map(({ change }) => change.content.changeId)).toEqual(
      candidate ? [candidate.changeId] : [],
    )
    if (!candidate) return
    const { content, status, versions } = rolling[0]!.change
    const expected = new Map(this.stable)
    for (const edit of content.edits) apply(expected, edit, versions![edit.key]!)
    expect(world.entries(candidate.release)).toEqual(expected)
    expect(status).toMatchObject({ step: candidate.step })
    expect(content.plan[candidate.step]!.weightBp).toBe(candidate.weightBp)
    const compiled = compile(
      world.release(),
      world.chunks,
      content.edits.map(({ key: name }) => ({ key: name, entry: expected.get(name) ?? null })),
    )
    expect(compiled).toMatchObject({ kind: "compiled", release: { id: candidate.release } })
  }

  /** Nobody reads an edit that was not approved as it had to be when it was submitted. */
  #checkPermitted(change: Change): void {
    if ("brokenGlassBy" in change.status && change.status.brokenGlassBy) {
      expect(change.status.review).toBeDefined()
      return
    }
    const { author, stages } = change.content
    const left = [...change.approvals]
    const people = stages.flatMap(({ role, required }) =>
      Array.from({ length: required }, () => {
        const index = left.findIndex((approval) => approval.role === role)
        expect(index).toBeGreaterThanOrEqual(0)
        return left.splice(index, 1)[0]!.actor
      }),
    )
    const everyone = [author, ...people]
    expect(new Set(everyone.map(({ subject }) => subject)).size).toBe(everyone.length)
    for (const { ancestors } of people)
      expect(everyone.some(({ subject }) => ancestors.includes(subject))).toBe(false)
  }

  /** What waits was made for what is stable, and is never forgotten. */
  #checkWaiting(id: ChangeId, { content, status }: Change, dueAt: string | null): void {
    const { candidate } = this.world.pointer
    if (status.state !== "awaiting_approval" && status.state !== "scheduled") return
    for (const { key: name } of content.edits)
      expect(content.base[name], `${id} ${name}`).toBe(this.stable.get(name)?.version ?? 0)
    expect(dueAt).not.toBeNull()
    if (status.state === "awaiting_approval") return
    const isDue = (content.startAt ?? "") <= this.world.now
    if (status.waitingFor !== undefined) expect(candidate?.changeId).toBe(status.waitingFor)
    else expect(dueAt! <= (isDue ? this.world.now : content.startAt!)).toBe(true)
  }
}

const apply = (entries: Map<ConfigKey, Entry>, edit: Edit, version: number): void => {
  if (edit.value === undefined) entries.delete(edit.key)
  else entries.set(edit.key, { value: edit.value, version })
}

const play = (world: World, each: Step): void => {
  switch (each.what) {
    case "pass":
      world.pass([1, MINUTE_MS, 2 * MINUTE_MS, 30 * 3_600_000][each.number % 4]!)
      break
    case "sweep":
      sweep(world)
      break
    case "tighten":
      world.policy = { ...world.policy, stages: CHAINS[each.number % CHAINS.length]! }
      break
    default:
      playCommand(world, commandOf(world, each))
  }
}

const playCommand = (world: World, command: Command | null): void => {
  if (command === null) return
  const { rev } = world
  const decision = world.run(command)
  expect(world.rev).toBe(decision.kind === "commit" ? rev + 1 : rev)
  // The same messenger a second time finds nothing to do.
  const isMessenger = (command.type === "advance" || command.type === "abort") && command.by.kind === "clock"
  if (isMessenger) expect(world.run(command).kind).toBe("nothing")
}

/** Plays that many random sequences; `reached` is everything that happened in any of them. */
export const playSequences = (runs: number, seed: number): Set<string> => {
  const reached = new Set<string>()
  fc.assert(
    fc.property(
      fc.nat(CHAINS.length - 1),
      fc.boolean(),
      fc.array(step, { minLength: 10, maxLength: 60, size: "max" }),
      (chain, isCanary, steps) => {
        const world = new World({
          policy: {
            stages: CHAINS[chain]!,
            strategy: isCanary ? CANARY : DIRECT,
          },
        })
        const model = new Model(world)
        for (const each of steps) play(world, each)
        sweep(world)
        for (const happened of model.reached) reached.add(happened)
      },
    ),
    { numRuns: runs, seed, endOnFailure: false },
  )
  return reached
}
