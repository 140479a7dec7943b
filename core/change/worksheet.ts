import type { AuditBody } from "../audit/entry.ts"
import { Refusal } from "../errors.ts"
import { judge, judgedStepOf } from "../gate/judge.ts"
import { GATE } from "../gate/thresholds.ts"
import type { Verdict } from "../gate/verdict.ts"
import { judgeWaves } from "../gate/waves-judge.ts"
import type { ChangeId, ChunkId, ConfigKey, ReleaseId } from "../ids.ts"
import type { JsonObject } from "../json.ts"
import { type Chunk, chunksFor, compile, EMPTY_CHUNK, EMPTY_RELEASE, readEntry } from "../release/compile.ts"
import type {
  Candidate,
  ChunkTexts,
  Entry,
  EntryEdit,
  Manifest,
  Pointer,
  Release,
} from "../release/release.ts"
import { type Actor, type Change, isOpen } from "./change.ts"
import type { DecideContext, Outcome } from "./command.ts"
import { editChecksum } from "./content-hash.ts"
import { defined } from "./defined.ts"
import { dueAtOf } from "./due.ts"
import { Needs } from "./needs.ts"
import type { Policy } from "./policy.ts"
import { PolicyInForce } from "./policy-in-force.ts"
import type { Commit, Notice, ScopeState, VersionRow } from "./scope-state.ts"

/** Who an audit entry names when the clock did it. No token is called that. */
export const CLOCK: AuditBody["actor"] = { subject: "clock", tokenId: "system" }

type Cause = NonNullable<Commit["pointer"]>["cause"]

/**
 * The state while one decision is made on it: what has been decided so far is what the next step sees. It holds no
 * rule; it remembers, and in the end writes down the {@link Commit}. Lives for one decision.
 */
export class Worksheet {
  readonly state: ScopeState
  readonly context: DecideContext
  /** Who gave the command; `null` is the clock. */
  readonly actor: Actor | null
  readonly pointer: Pick<Pointer, "stable" | "stableChangeId" | "candidate" | "tier">
  /**
   * Stable moves at most once in a commit: a release that was only passed through would be in no pointer's
   * history, and nobody could return to it.
   */
  stableMoved = false
  readonly rules: PolicyInForce

  readonly #manifests: Map<ReleaseId, Manifest>
  readonly #chunks: Map<ChunkId, string>
  readonly #lastVersions: Map<ConfigKey, number>
  readonly #changes: Map<ChangeId, Change>
  readonly #touched = new Set<ChangeId>()
  readonly #versions: VersionRow[] = []
  readonly #audit: AuditBody[] = []
  readonly #notices: Notice[] = []
  readonly secrets: NonNullable<Commit["secrets"]>[number][] = []
  #move: { cause: Cause; changeId: ChangeId | null; ofStable: boolean } | null = null

  constructor(state: ScopeState, context: DecideContext, actor: Actor | null) {
    this.state = state
    this.context = context
    this.actor = actor
    this.rules = new PolicyInForce(state, context)
    const { stable, stableChangeId, candidate } = state.pointer
    this.pointer = { stable, stableChangeId, candidate, tier: state.tier }
    this.#manifests = new Map([[EMPTY_RELEASE.id, EMPTY_RELEASE.manifest], ...state.manifests])
    this.#chunks = new Map([[EMPTY_CHUNK.id, EMPTY_CHUNK.text], ...state.chunks])
    this.#lastVersions = new Map(state.lastVersions)
    this.#changes = new Map(state.changes)
  }

  get policy(): Policy {
    return this.rules.policy
  }

  get subject(): string {
    return (this.actor ?? CLOCK).subject
  }

  find(changeId: ChangeId): Change | null {
    return this.#changes.get(changeId) ?? null
  }

  /** Throws Refusal `CHANGE_NOT_FOUND`. */
  change(changeId: ChangeId): Change {
    const change = this.find(changeId)
    if (change === null) throw new Refusal("CHANGE_NOT_FOUND", `There is no change "${changeId}".`)
    return change
  }

  changes(): Change[] {
    return [...this.#changes.values()]
  }

  /** The change that is rolling out, if one is. */
  rollout(): Change | null {
    return this.pointer.candidate && this.change(this.pointer.candidate.changeId)
  }

  /** What the gate says of the step that the change is at; `null` if it was not asked. */
  verdictOn({ content, status }: Change): Verdict | null {
    const step = judgedStepOf(content.plan, status)
    if (step === null) return null
    const { evidence, waves, now } = this.context
    const thresholds = { ...GATE, ...content.gate }
    if (content.plan[step.index]!.tiers !== undefined)
      return waves === undefined ? null : judgeWaves(waves, step, now, thresholds)
    return evidence === undefined ? null : judge(evidence, step, now, thresholds)
  }

  put(change: Change): void {
    this.#changes.set(change.content.changeId, change)
    this.touch(change.content.changeId)
  }

  /** Writes it again, with when the clock should look at it, though nothing happened to it. */
  touch(changeId: ChangeId): void {
    this.#touched.add(changeId)
  }

  // releases

  release(id: ReleaseId): Release {
    const manifest = this.#manifests.get(id)
    if (manifest === undefined) throw new Needs({ kind: "needs_releases", releases: [id] })
    return { id, manifest }
  }

  /**
   * Makes sure that the keys can be read and compiled. Asks for the keys of every open change along with those
   * that are missing, so that it asks once.
   */
  needKeys({ manifest }: Release, keys: readonly ConfigKey[]): void {
    if ([...chunksFor(manifest, keys)].every((id) => this.#chunks.has(id))) return
    const open = this.changes().filter(isOpen)
    const all = new Set([...keys, ...open.flatMap(({ content }) => content.edits.map(({ key }) => key))])
    throw new Needs({ kind: "needs_keys", keys: [...all] })
  }

  get chunks(): ChunkTexts {
    return this.#chunks
  }

  needChunks(ids: readonly ChunkId[]): void {
    if (!ids.every((id) => this.#chunks.has(id))) throw new Needs({ kind: "needs_all_chunks" })
  }

  entry(release: Release, key: ConfigKey): Entry | null {
    return readEntry(release.manifest, this.#chunks, key)
  }

  /** Throws Refusal `RELEASE_TOO_LARGE`. */
  compile(base: Release, edits: readonly EntryEdit[]): Release {
    this.needKeys(
      base,
      edits.map(({ key }) => key),
    )
    const compiled = compile(base, this.#chunks, edits)
    if (compiled.kind === "needs_all_chunks") throw new Needs(compiled)
    this.#manifests.set(compiled.release.id, compiled.release.manifest)
    for (const { id, text } of compiled.chunks) this.#chunks.set(id, text)
    return compiled.release
  }

  // versions

  nextVersion(key: ConfigKey): number {
    return (this.#lastVersions.get(key) ?? 0) + 1
  }

  giveVersions({ content, versions }: Change): void {
    for (const edit of content.edits) {
      const version = versions![edit.key]!
      this.#lastVersions.set(edit.key, version)
      this.#versions.push({
        key: edit.key,
        version,
        changeId: content.changeId,
        author: content.author.subject,
        reason: content.comment ?? null,
        edit,
        checksum: editChecksum(edit),
      })
    }
  }

  // the pointer

  setStable(
    stable: ReleaseId,
    stableChangeId: ChangeId | null,
    cause: Cause,
    changeId: ChangeId | null,
  ): void {
    this.pointer.stable = stable
    this.pointer.stableChangeId = stableChangeId
    this.stableMoved = true
    this.#moved(cause, changeId, true)
  }

  setCandidate(candidate: Candidate | null, cause: Cause, changeId: ChangeId): void {
    this.pointer.candidate = candidate
    this.#moved(cause, changeId, false)
  }

  setTier(tier: NonNullable<Pointer["tier"]>): void {
    this.pointer.tier = tier
    this.#moved("tier", null, false)
  }

  /** One row tells one story: that of stable if it moved, else the first. */
  #moved(cause: Cause, changeId: ChangeId | null, ofStable: boolean): void {
    if (this.#move === null || (ofStable && !this.#move.ofStable)) this.#move = { cause, changeId, ofStable }
  }

  audit(
    action: string,
    target: string,
    detail: JsonObject,
    by: AuditBody["actor"] = this.actor ?? CLOCK,
  ): void {
    const { environment } = this.state
    const { requestId } = this.context
    this.#audit.push({
      action,
      actor: { subject: by.subject, tokenId: by.tokenId },
      target,
      environment,
      ...(this.#changes.has(target as ChangeId) ? { changeId: target } : {}),
      ...defined({ requestId }),
      ...(Object.keys(detail).length === 0 ? {} : { detail }),
    })
  }

  notify(type: Notice["type"], changeId: ChangeId, detail: JsonObject): void {
    this.#notices.push({ type, changeId, detail })
  }

  isUntouched(): boolean {
    return this.#touched.size === 0 && this.#move === null
  }

  commit(): Commit {
    const { scope, environment, rev, changes } = this.state
    const { now } = this.context
    const releases = this.#newReleases()
    return {
      scope,
      environment,
      expectedRev: rev,
      ...(this.#move === null
        ? {}
        : { pointer: { ...this.pointer, changeId: this.#move.changeId, cause: this.#move.cause } }),
      ...defined({ policy: this.rules.altered }),
      inherited: this.rules.inheritedVersions(),
      notices: this.#notices,
      releases,
      chunks: this.#newChunks(releases),
      versions: this.#versions,
      changes: [...this.#touched].map((changeId) => {
        const change = this.change(changeId)
        return { change, isNew: !changes.has(changeId), dueAt: dueAtOf(change, now, this.policy) }
      }),
      audit: this.#audit,
      secrets: this.secrets,
    }
  }

  /** Of all that was compiled on the way, only what the pointer names in the end. */
  #newReleases(): Release[] {
    if (this.#move === null) return []
    const named = new Set([this.pointer.stable, this.pointer.candidate?.release ?? this.pointer.stable])
    return [...named].filter((id) => !this.state.manifests.has(id)).map((id) => this.release(id))
  }

  #newChunks(releases: readonly Release[]): Chunk[] {
    const ids = new Set(releases.flatMap(({ manifest }) => manifest.chunks))
    return [...ids].flatMap((id) => {
      const text = this.#chunks.get(id)
      return this.state.chunks.has(id) || text === undefined ? [] : [{ id, text }]
    })
  }

  outcome(primary: ChangeId | null): Outcome {
    const affected = [...this.#touched]
      .filter(
        (id) => id !== primary && this.state.changes.get(id)?.status.state !== this.change(id).status.state,
      )
      .map((id) => {
        const { status } = this.change(id)
        return { changeId: id, state: status.state, reason: "reason" in status ? status.reason : null }
      })
    const { stable, candidate } = this.pointer
    return { stable, candidate, seq: this.state.pointer.seq + (this.#move === null ? 0 : 1), affected }
  }
}
