import { expect } from "vitest"
import type { Change, Edit, Stage } from "../../../core/change/change.ts"
import { isOpen } from "../../../core/change/change.ts"
import { POLICY_KEY, type Policy } from "../../../core/change/policy.ts"
import type { Commit } from "../../../core/change/scope-state.ts"
import { type ChangeId, type ConfigKey, isTenant, type ReleaseId } from "../../../core/ids.ts"
import { compile } from "../../../core/release/compile.ts"
import type { Candidate, Entry } from "../../../core/release/release.ts"
import { isFrozen, SENTINEL } from "./model-steps.ts"
import type { World } from "./world.ts"

export const isPolicy = ({ content }: Change): boolean =>
  content.edits.some((edit) => edit.key === POLICY_KEY)

interface Before {
  order: number
  stable: Map<ConfigKey, Entry>
  release: ReleaseId
}

/** What stable has to hold, kept by the simplest means there are. */
export class Model {
  readonly world: World
  readonly reached = new Set<string>()
  stable = new Map<ConfigKey, Entry>()
  readonly #before = new Map<ChangeId, Before>()
  /** Changes that started as they had to; their edits, and no others, may be read. */
  readonly #permitted = new Set<ChangeId>()
  #release: ReleaseId
  #policy: Policy
  #candidate: Candidate | null = null

  constructor(world: World) {
    this.world = world
    this.#release = world.pointer.stable
    this.#policy = world.policy
    world.onCommit = (commit, before) => this.check(commit, before)
  }

  /** What is inherited may have changed since the last commit. */
  look(): void {
    this.#policy = this.world.policy
  }

  check(commit: Commit, before: ReadonlyMap<ChangeId, Change>): void {
    const { world } = this
    const isTold = commit.changes.every(({ change, isNew }) => {
      const was = before.get(change.content.changeId)
      return !isNew && was?.status.state === change.status.state
    })
    // Only what is merely looked at again, such as what waits for another scope, leaves no trace.
    if (!isTold) expect(commit.audit.length).toBeGreaterThan(0)
    expect(JSON.stringify([commit.audit, commit.notices])).not.toContain(SENTINEL)
    for (const { type } of commit.notices) this.reached.add(`notice: ${type}`)
    expect(world.pointer.seq).toBe(world.history.length)
    this.#checkPolicy(commit)
    this.#follow(commit, before)
    expect(world.entries()).toEqual(this.stable)
    this.#checkCandidate()
    for (const id of [world.pointer.stable, world.pointer.candidate?.release ?? world.pointer.stable])
      for (const [name, { version }] of world.entries(id)) {
        const { changeId } = world.rows.get(name)![version - 1]!
        expect(this.#permitted.has(changeId), `${name} of ${changeId} is permitted`).toBe(true)
      }
    for (const [id, { change, dueAt }] of world.changes) this.#checkWaiting(id, change, dueAt)
    this.#release = world.pointer.stable
    this.#policy = world.policy
    this.#candidate = world.pointer.candidate
  }

  /** The policy that is in force is the one in the release that everyone reads, and alone in its change. */
  #checkPolicy({ inherited }: Commit): void {
    const { world } = this
    const own = world.policies.find(({ scope }) => scope === world.scope)
    const entry = world.entries().get(POLICY_KEY)
    expect(own && [own.version, own.document]).toEqual(entry && [entry.version, entry.value])
    const others = world.policies.filter(({ scope }) => scope !== world.scope)
    expect(inherited).toEqual(Object.fromEntries(others.map(({ scope, version }) => [scope, version])))
  }

  /** Stable moves only as one change goes live, or as it goes back to what it was before some. */
  #follow({ changes, pointer, versions }: Commit, before: ReadonlyMap<ChangeId, Change>): void {
    const taken: Change[] = []
    let published = 0
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
      if ("frozen" in change.status) this.reached.add(`frozen: ${to}`)
      if (to !== from && (to === "rolling_out" || to === "live") && from !== "rolling_out")
        this.#checkStart(change)
      if (to === "live" && from !== "live") {
        published++
        const order = this.#before.size
        this.#before.set(changeId, { order, stable: new Map(this.stable), release: this.#release })
        for (const edit of edits) apply(this.stable, edit, change.versions![edit.key]!)
      }
      if (from === "live" && to === "rolled_back") {
        taken.push(change)
        expect(versions.map((row) => row.changeId)).not.toContain(changeId)
      }
    }
    if (taken.length > 1) this.reached.add("taken back together")
    expect(published + Math.min(1, taken.length)).toBeLessThanOrEqual(1)
    if (taken.length > 0) this.#takeBack(taken)
    else if (published === 0) expect(this.world.pointer.stable).toBe(this.#release)
  }

  /** Everything that went live since goes too, but for the policy: nothing gets back to one without approval. */
  #takeBack(taken: readonly Change[]): void {
    expect(taken.filter(isPolicy)).toEqual([])
    const { order, stable, release } = taken
      .map(({ content }) => this.#before.get(content.changeId)!)
      .reduce((oldest, one) => (one.order < oldest.order ? one : oldest))
    for (const [id, { change }] of this.world.changes)
      if (change.status.state === "live" && this.#before.get(id)!.order > order)
        expect(isPolicy(change), `${id} stands on nothing`).toBe(true)
    const inForce = this.stable.get(POLICY_KEY)
    const isKept = stable.get(POLICY_KEY)?.version === inForce?.version
    this.stable = new Map(stable)
    if (inForce) this.stable.set(POLICY_KEY, inForce)
    else this.stable.delete(POLICY_KEY)
    if (isKept) expect(this.world.pointer.stable).toBe(release)
    else this.reached.add("policy kept")
  }

  /** What readers come to see was approved under the policy in force, or broke glass; and never in a freeze. */
  #checkStart(change: Change): void {
    const { content, status } = change
    this.#permitted.add(content.changeId)
    if ("brokenGlassBy" in status && status.brokenGlassBy) {
      expect(status.review).toBeDefined()
      expect(isPolicy(change)).toBe(false)
      return
    }
    if (isPolicy(change)) expect([content.plan, content.edits.length]).toEqual([[], 1])
    // One that goes live in the same commit counts for what starts after it.
    const policies = isPolicy(change) ? [this.#policy] : [this.#policy, this.world.policy]
    const { nowMs } = this.world
    expect(policies.some(({ stages }) => isApproved(change, stages))).toBe(true)
    expect(isApproved(change, content.stages)).toBe(true)
    if (isPolicy(change)) return
    expect(policies.some(({ freezes }) => !isFrozen(freezes, nowMs))).toBe(true)
    const { type } = content.strategy
    expect(policies.some(({ allowedStrategies }) => allowedStrategies.includes(type))).toBe(true)
    const { elsewhere } = this.world
    if (status.state === "rolling_out") expect(elsewhere).toBeNull()
  }

  /** Candidate = stable ⊕ the edits of the one change that is rolling out. It only grows. */
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
    const { weightBp, tiers, tenants } = content.plan[candidate.step]!
    const excluded = (("tripped" in status && status.tripped) || []).map(({ tenantId }) => tenantId)
    const audience = isTenant(world.scope) ? {} : { audience: { tiers, tenants, excluded } }
    const { release, changeId, step: at } = candidate
    expect(candidate).toEqual({ release, changeId, step: at, weightBp, ...audience })
    this.#checkGrowth(candidate)
    const compiled = compile(
      world.release(),
      world.chunks,
      content.edits.map(({ key: name }) => ({ key: name, entry: expected.get(name) ?? null })),
    )
    expect(compiled).toMatchObject({ kind: "compiled", release: { id: candidate.release } })
  }

  #checkGrowth(candidate: Candidate): void {
    const was = this.#candidate
    if (was?.changeId !== candidate.changeId) return
    expect(candidate.weightBp).toBeGreaterThanOrEqual(was.weightBp)
    for (const name of ["tiers", "tenants", "excluded"] as const)
      expect(candidate.audience?.[name] ?? []).toEqual(
        expect.arrayContaining([...(was.audience?.[name] ?? [])]),
      )
    if (candidate.step === was.step) return
    expect(candidate.step).toBe(was.step + 1)
    expect(isFrozen(this.#policy.freezes, this.world.nowMs)).toBe(false)
  }

  /** What waits was made for what is stable, and is never forgotten. */
  #checkWaiting(id: ChangeId, { content, status }: Change, dueAt: string | null): void {
    const { candidate } = this.world.pointer
    if (status.state !== "awaiting_approval" && status.state !== "scheduled") return
    for (const { key: name } of content.edits)
      expect(content.base[name], `${id} ${name}`).toBe(this.stable.get(name)?.version ?? 0)
    expect(dueAt).not.toBeNull()
    expect(dueAt! <= content.expiresAt).toBe(true)
    // What has expired is only waiting to be told so.
    if (status.state === "awaiting_approval" || content.expiresAt <= this.world.now) return
    const isDue = (content.startAt ?? "") <= this.world.now
    // A freeze that is over is found out by looking, at once.
    if (status.frozen) expect(dueAt! <= status.frozen.until || dueAt! <= this.world.now).toBe(true)
    else if (status.waitingFor?.startsWith(`${content.scope}:`))
      expect(candidate?.changeId).toBe(status.waitingFor)
    else if (status.waitingFor) expect(Date.parse(dueAt!) - this.world.nowMs).toBeLessThanOrEqual(5_000)
    else expect(dueAt! <= (isDue ? this.world.now : content.startAt!)).toBe(true)
  }
}

/** Different people of the roles that are asked for, none of them the author or related to another. */
const isApproved = ({ content, approvals }: Change, stages: readonly Stage[]): boolean => {
  const left = approvals.filter(({ actor }) => actor.subject !== content.author.subject)
  const people = stages.flatMap(({ role, required }) =>
    Array.from({ length: required }, () => {
      const index = left.findIndex((approval) => approval.role === role)
      return index === -1 ? null : left.splice(index, 1)[0]!.actor
    }),
  )
  const given = people.filter((person) => person !== null)
  const everyone = [content.author.subject, ...given.map(({ subject }) => subject)]
  return (
    given.length === people.length &&
    new Set(everyone).size === everyone.length &&
    !given.some(({ ancestors }) => everyone.some((subject) => ancestors.includes(subject)))
  )
}

const apply = (entries: Map<ConfigKey, Entry>, edit: Edit, version: number): void => {
  if (edit.value === undefined) entries.delete(edit.key)
  else entries.set(edit.key, { value: edit.value, version })
}
