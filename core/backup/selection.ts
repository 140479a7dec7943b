import type { ChangeState, Instant } from "../change/change.ts"
import type { LayerPolicy } from "../change/scope-state.ts"
import type { ChangeId, ReleaseId } from "../ids.ts"
import { EMPTY_CHUNK } from "../release/compile.ts"
import type { ArchiveJudge, ChangeFacts, MoveFacts } from "./judge.ts"

/** The row of a pointer's history that made a change live, and the one before it. */
interface WentLive {
  move: MoveFacts
  before: MoveFacts | undefined
}

type LiveAgain = Extract<ChangeState, { state: "live" }>

/**
 * What of an archive a tenant under another id is made of: what was over at `until`. Changes that were open then, their
 * versions, their candidates and what came later are left out, with all that nothing else names.
 */
export class Selection {
  readonly #judge: ArchiveJudge
  readonly #until: Instant | null
  /** Changes that are kept; with a state where they were in that one then, and are in another now. */
  readonly #changes = new Map<string, LiveAgain | null>()
  readonly #releases = new Set<string>()
  readonly #chunks: ReadonlySet<string>

  constructor(judge: ArchiveJudge, until: Instant | null) {
    this.#judge = judge
    this.#until = until
    const wentLive = this.#liveTimes()
    for (const [changeId, facts] of judge.changes) {
      const kept = this.#stateOf(facts, wentLive.get(changeId))
      if (kept !== undefined) this.#changes.set(changeId, kept)
    }
    for (const history of judge.moves.values())
      for (const move of history.filter(({ at }) => this.isThen(at))) {
        this.#releases.add(move.stable)
        if (move.candidate !== null && this.#changes.has(move.candidateChangeId!))
          this.#releases.add(move.candidate)
      }
    this.#chunks = judge.releases.chunksOf(this.#releases).add(EMPTY_CHUNK.id)
  }

  /** Had it happened? */
  isThen(at: Instant): boolean {
    return this.#until === null || at <= this.#until
  }

  hasChange(changeId: string): boolean {
    return this.#changes.has(changeId)
  }

  /** The state that the change was in then, where that is another than the one it came to. */
  liveAgain(changeId: string): LiveAgain | null {
    return this.#changes.get(changeId) ?? null
  }

  hasRelease(release: string): boolean {
    return this.#releases.has(release)
  }

  hasChunk(chunk: string): boolean {
    return this.#chunks.has(chunk)
  }

  /** The last row of each pointer's history, by environment. */
  last(): Map<string, MoveFacts> {
    const entries = [...this.#judge.moves].flatMap(([environment, history]) => {
      const move = history.findLast(({ at }) => this.isThen(at))
      return move ? [[environment, move] as const] : []
    })
    return new Map(entries)
  }

  policyOf(environment: string): Omit<LayerPolicy, "scope"> | null {
    const move = this.last().get(environment)
    return move ? this.#judge.releases.policyOf(move.stable) : null
  }

  /** When each change first was what everyone reads, ever. */
  #liveTimes(): Map<string, WentLive> {
    const times = new Map<string, WentLive>()
    for (const history of this.#judge.moves.values())
      for (const [nth, move] of history.entries()) {
        const changeId = move.cause === "live" ? move.changeId : move.stableChangeId
        if (changeId !== null && !times.has(changeId)) times.set(changeId, { move, before: history[nth - 1] })
      }
    return times
  }

  /** `undefined`: it was open then, or not there yet. */
  #stateOf(
    { state, endedAt, createdAt }: ChangeFacts,
    live: WentLive | undefined,
  ): LiveAgain | null | undefined {
    if (endedAt === null || !this.isThen(exact(createdAt))) return undefined
    // Of what readers had, the pointer's history says when: the change's own time is the clock's of whoever decided it.
    if (state === "live") return this.isThen(live?.move.at ?? exact(endedAt)) ? null : undefined
    if (this.isThen(exact(endedAt))) return null
    if (state !== "rolled_back" || live === undefined || !this.isThen(live.move.at)) return undefined
    const { move, before } = live
    return {
      state: "live",
      at: move.at,
      previousStable: (before ?? move).stable as ReleaseId,
      previousChangeId: (before?.stableChangeId ?? null) as ChangeId | null,
    }
  }
}

/** Times in changes come in milliseconds, those of rows in microseconds: only as long as each other do they compare as text. */
export const exact = (at: Instant): Instant =>
  at.replace(/(?:\.(\d{1,6}))?Z$/, (_, fraction: string = "") => `.${fraction.padEnd(6, "0")}Z`)
