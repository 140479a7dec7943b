import type { AuditBody } from "../../../core/audit/entry.ts"
import type { Edit } from "../../../core/change/change.ts"
import { type Change, isOpen, owedReview } from "../../../core/change/change.ts"
import type { Command, DecideContext, Decision, EditInput, Submit } from "../../../core/change/command.ts"
import { decide } from "../../../core/change/decide.ts"
import { effectivePolicy } from "../../../core/change/effective-policy.ts"
import { POLICY_KEY, type Policy, type PolicyDocument } from "../../../core/change/policy.ts"
import type { Commit, LayerPolicy, Notice, ScopeState, VersionRow } from "../../../core/change/scope-state.ts"
import { DEFAULT_ENVIRONMENTS, type Environment } from "../../../core/environment.ts"
import type { WaveEvidence } from "../../../core/gate/waves.ts"
import {
  type ChangeId,
  type ChunkId,
  type ConfigKey,
  changeIdOf,
  isTenant,
  type ReleaseId,
  type ScopeId,
  type Tier,
} from "../../../core/ids.ts"
import type { Json } from "../../../core/json.ts"
import { allEntries, chunksFor, EMPTY_CHUNK, EMPTY_RELEASE } from "../../../core/release/compile.ts"
import type { Entry, Manifest, Pointer, Release } from "../../../core/release/release.ts"
import type { LayerEntries } from "../../../core/release/view.ts"
import type { Rule } from "../../../core/rule/rule.ts"
import { type More, moreFor } from "./more.ts"
import { movesSince } from "./moves.ts"
import { alice, type Person } from "./people.ts"

export const key = (name: string): ConfigKey => name as ConfigKey
export const DIRECT = { type: "direct" } as const
export const MINUTE_MS = 60_000

export interface WorldOptions {
  scope?: string
  environment?: "Development" | "QA" | "Staging" | "Production"
  /** Of a policy somewhere farther away, whatever its own says. */
  policy?: Partial<Policy>
  tier?: Tier | null
}

type Committed = Extract<Decision, { kind: "commit" }>

/**
 * One scope × environment in memory: loads no more than the contract promises, decides, and applies
 * what comes out as the database does. Time stands still unless a test moves it.
 */
export class World {
  readonly scope: ScopeId
  readonly environment: Environment
  /** Lies over what the layers' policies say. */
  overriding: Partial<Policy>
  /** The layers' own policies, farthest first. */
  policies: readonly LayerPolicy[] = []
  elsewhere: ScopeState["elsewhere"] = null
  /** What the layers have that it stands on, farthest first. */
  farther: readonly LayerEntries[] = []
  /** What was reported of waves. */
  waves: WaveEvidence | undefined
  nowMs = Date.parse("2026-03-01T12:00:00.000Z")

  rev = 0
  pointer: Pointer = {
    seq: 0,
    at: null,
    tier: null,
    stable: EMPTY_RELEASE.id,
    stableChangeId: null,
    candidate: null,
  }
  readonly history: Pointer[] = []
  readonly moves: NonNullable<Commit["pointer"]>[] = []
  readonly notices: Notice[] = []
  readonly manifests = new Map<ReleaseId, Manifest>([[EMPTY_RELEASE.id, EMPTY_RELEASE.manifest]])
  readonly chunks = new Map<ChunkId, string>([[EMPTY_CHUNK.id, EMPTY_CHUNK.text]])
  readonly versions: VersionRow[] = []
  readonly rows = new Map<ConfigKey, readonly VersionRow[]>()
  readonly changes = new Map<ChangeId, { change: Change; dueAt: string | null }>()
  readonly audit: AuditBody[] = []
  /** Called with every commit once it has been applied. */
  onCommit: (commit: Commit, before: ReadonlyMap<ChangeId, Change>) => void = () => undefined
  #ids = 0

  constructor({ scope = "acme-corp", environment = "Staging", policy = {}, tier }: WorldOptions = {}) {
    this.scope = scope as ScopeId
    this.environment = environment as Environment
    this.overriding = policy
    this.pointer.tier = tier ?? (isTenant(this.scope) ? "Pro" : null)
  }

  get policy(): Policy {
    const { scope, environment, policies, overriding } = this
    return { ...effectivePolicy(scope, environment, DEFAULT_ENVIRONMENTS, policies), ...overriding }
  }

  /** Lays it over everything, whole. */
  set policy(policy: Policy) {
    this.overriding = policy
  }

  get now(): string {
    return new Date(this.nowMs).toISOString()
  }
  pass(ms: number): void {
    this.nowMs += ms
  }

  context({ inherited }: Partial<More> = {}): DecideContext {
    return {
      now: this.now,
      environments: DEFAULT_ENVIRONMENTS,
      policy: this.policy,
      requestId: "request-1",
      waves: this.waves,
      moves: movesSince(this, this.nowMs - this.policy.rollbackWindowMs),
      ...(inherited ? { inherited: { keys: new Set(inherited), layers: this.#of(inherited) } } : {}),
    }
  }

  #of(keys: readonly ConfigKey[]): LayerEntries[] {
    return this.farther.map(({ layer, entries }) => ({
      layer,
      entries: new Map([...entries].filter(([key]) => keys.includes(key))),
    }))
  }

  newId(): ChangeId {
    return changeIdOf(this.scope, (++this.#ids).toString(16).padStart(32, "0"))
  }

  release(id: ReleaseId = this.pointer.stable): Release {
    return { id, manifest: this.manifests.get(id)! }
  }
  entries(id: ReleaseId = this.pointer.stable): Map<ConfigKey, Entry> {
    return allEntries(this.release(id).manifest, this.chunks)
  }
  value(name: string, id: ReleaseId = this.pointer.stable): Json | undefined {
    return this.entries(id).get(key(name))?.value
  }
  change(id: ChangeId): Change {
    return this.changes.get(id)!.change
  }
  stateOf(id: ChangeId): string {
    return this.change(id).status.state
  }
  dueAt(id: ChangeId): string | null {
    return this.changes.get(id)!.dueAt
  }

  load(more: More) {
    const { candidate, stable } = this.pointer
    const changes = new Map(
      [...this.changes]
        .filter(
          ([id, { change }]) => more.changeIds.includes(id) || isOpen(change) || owedReview(change) !== null,
        )
        .map(([id, { change }]) => [id, change]),
    )
    const rollout = candidate ? changes.get(candidate.changeId)! : null
    const releases = new Set([stable, candidate?.release ?? stable, ...more.releases])
    const manifests = new Map([...releases].map((id) => [id, this.manifests.get(id)!]))
    const keys = new Set([...more.keys, ...(rollout?.content.edits ?? []).map((edit) => edit.key)])
    const chunkIds = [...manifests.values()].flatMap((manifest) =>
      more.all ? manifest.chunks : [...chunksFor(manifest, keys)],
    )
    const asked = new Set([
      ...more.keys,
      ...[...changes.values()].flatMap(({ content }) => keysOf(content.edits)),
    ])
    const entries = this.entries()
    const state: ScopeState = {
      scope: this.scope,
      environment: this.environment,
      status: "active",
      tier: this.pointer.tier,
      rev: this.rev,
      pointer: this.pointer,
      policies: this.policies,
      elsewhere: this.elsewhere,
      manifests,
      chunks: new Map(chunkIds.map((id) => [id, this.chunks.get(id)!])),
      lastVersions: new Map(
        [...asked].flatMap((k) => (this.lastVersion(k) ? [[k, this.lastVersion(k)]] : [])),
      ),
      metadata: new Map(more.keys.map((k) => [k, this.metadata(k, entries)])),
      changes,
    }
    return state
  }

  lastVersion(k: ConfigKey): number {
    return this.rows.get(k)?.length ?? 0
  }
  metadata(k: ConfigKey, entries = this.entries()): { description?: string; owner?: string } {
    const version = entries.get(k)?.version
    const edit: Partial<Edit> = this.rows.get(k)?.[(version ?? 0) - 1]?.edit ?? {}
    return {
      ...(edit.description === undefined ? {} : { description: edit.description }),
      ...(edit.owner === undefined ? {} : { owner: edit.owner }),
    }
  }

  /** Decides as a caller does: loading again with what the decision asks for, each kind at most once. */
  decide(command: Command): Exclude<Decision, { kind: `needs_${string}` }> {
    const named = "changeId" in command && this.changes.has(command.changeId) ? [command.changeId] : []
    let more: More = {
      keys: command.type === "submit" ? keysOf(command.edits) : [],
      changeIds: named,
      releases: [],
      all: false,
    }
    const asked: string[] = []
    for (;;) {
      const decision = decide(this.load(more), command, this.context(more))
      if (asked.filter((kind) => kind === decision.kind).length > 1) throw new Error(`asked: ${asked}`)
      asked.push(decision.kind)
      const next = moreFor(decision, more)
      if (next === null) return decision as Exclude<Decision, { kind: `needs_${string}` }>
      more = next
    }
  }

  /** Decides and applies. */
  run(command: Command): Exclude<Decision, { kind: `needs_${string}` }> {
    const decision = this.decide(command)
    if (decision.kind === "commit") this.apply(decision)
    return decision
  }

  /** Runs a command that has to succeed. */
  do(command: Command): Committed {
    const decision = this.run(command)
    if (decision.kind !== "commit") throw new Error(`${command.type}: ${JSON.stringify(decision)}`)
    return decision
  }

  /** Runs a command that has to be refused, and leaves everything as it was. */
  refuse(command: Command): Extract<Decision, { kind: "refused" }> {
    const decision = this.run(command)
    if (decision.kind !== "refused") throw new Error(`${command.type} was not refused: ${decision.kind}`)
    return decision
  }

  apply({ commit }: Committed): void {
    if (commit.expectedRev !== this.rev) throw new Error("conflict")
    const before = new Map([...this.changes].map(([id, { change }]) => [id, change]))
    this.rev++
    for (const { id, manifest } of commit.releases) this.manifests.set(id, manifest)
    for (const { id, text } of commit.chunks) this.chunks.set(id, text)
    if (commit.pointer) {
      const { changeId: _, cause: __, ...served } = commit.pointer
      this.pointer = { ...served, seq: this.pointer.seq + 1, at: this.now }
      this.history.push(this.pointer)
      this.moves.push(commit.pointer)
    }
    for (const row of commit.versions) {
      const rows = this.rows.get(row.key) ?? []
      this.rows.set(row.key, [...rows, row])
      if (row.version !== rows.length + 1) throw new Error(`${row.key} has a gap before ${row.version}`)
      this.versions.push(row)
    }
    for (const { change, isNew, dueAt } of commit.changes) {
      if (isNew === this.changes.has(change.content.changeId)) throw new Error("isNew is wrong")
      // What is stored is JSON: a member that is `undefined` would be lost.
      this.changes.set(change.content.changeId, { change: structuredClone(change), dueAt })
    }
    if (commit.policy !== undefined) {
      const inherited = this.policies.filter(({ scope }) => scope !== this.scope)
      this.policies = commit.policy
        ? [...inherited, { scope: this.scope, ...structuredClone(commit.policy) }]
        : inherited
    }
    this.notices.push(...commit.notices)
    this.audit.push(...commit.audit)
    this.onCommit(commit, before)
  }

  // short ways

  submitCommand(edits: readonly EditInput[], rest: Partial<Submit> = {}, by: Person = alice): Submit {
    return { type: "submit", changeId: this.newId(), author: by.actor, edits, ...rest }
  }
  submit(edits: readonly EditInput[], rest: Partial<Submit> = {}, by: Person = alice): ChangeId {
    const command = this.submitCommand(edits, rest, by)
    this.do(command)
    return command.changeId
  }
  set(values: Record<string, Json>, rest: Partial<Submit> = {}, by: Person = alice): ChangeId {
    return this.submit(editing(values), rest, by)
  }
  setPolicy(document: PolicyDocument | null, rest: Partial<Submit> = {}, by: Person = alice): ChangeId {
    const edit = document === null ? { delete: true as const } : { value: document as Json }
    return this.submit([{ key: POLICY_KEY, ...edit }], rest, by)
  }
  setRules(rules: readonly Rule[], rest: Partial<Submit> = {}, by: Person = alice): ChangeId {
    return this.submit([{ key: POLICY_KEY, value: { rules } as unknown as Json, part: "rules" }], rest, by)
  }
  approve(changeId: ChangeId, ...people: readonly Person[]): void {
    for (const { actor, roles } of people) this.do({ type: "approve", changeId, actor, roles })
  }
  tick(changeId: ChangeId): Decision["kind"] {
    return this.run({ type: "tick", changeId }).kind
  }
}

export const editing = (values: Record<string, Json>): EditInput[] =>
  Object.entries(values).map(([name, value]) => ({ key: key(name), value }))

const keysOf = (edits: readonly { key: ConfigKey }[]): ConfigKey[] => edits.map((edit) => edit.key)
