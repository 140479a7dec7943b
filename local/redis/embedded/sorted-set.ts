import { compareBytes } from "./text.ts"

/** A member and its score. */
export interface Scored {
  member: string
  score: number
}

/** By score, and among equal scores by the bytes of the member. */
const compare = (a: Scored, b: Scored): number => a.score - b.score || compareBytes(a.member, b.member)

/** Members in the order of their scores: a map for look-ups beside an array kept sorted. */
export class SortedSet {
  readonly #scores = new Map<string, number>()
  readonly #ordered: Scored[] = []

  get size(): number {
    return this.#scores.size
  }

  score(member: string): number | undefined {
    return this.#scores.get(member)
  }

  /** Every member, lowest score first. Not to be altered. */
  all(): readonly Scored[] {
    return this.#ordered
  }

  put(member: string, score: number): void {
    const before = this.#scores.get(member)
    if (before === score) return
    if (before !== undefined) this.#ordered.splice(this.#indexOf({ member, score: before }), 1)
    this.#scores.set(member, score)
    const entry = { member, score }
    this.#ordered.splice(this.#indexOf(entry), 0, entry)
  }

  delete(member: string): boolean {
    const score = this.#scores.get(member)
    if (score === undefined) return false
    this.#ordered.splice(this.#indexOf({ member, score }), 1)
    this.#scores.delete(member)
    return true
  }

  /** Removes the members from rank `from` up to, but without, rank `to`. */
  deleteRanks(from: number, to: number): number {
    const gone = this.#ordered.splice(from, Math.max(0, to - from))
    for (const { member } of gone) this.#scores.delete(member)
    return gone.length
  }

  rank(member: string): number | null {
    const score = this.#scores.get(member)
    return score === undefined ? null : this.#indexOf({ member, score })
  }

  /** The first rank whose score is at least `score` (above it, when `exclusive`). */
  firstRank(score: number, exclusive: boolean): number {
    return this.#search((entry) => (exclusive ? entry.score > score : entry.score >= score))
  }

  #indexOf(wanted: Scored): number {
    return this.#search((entry) => compare(entry, wanted) >= 0)
  }

  #search(reached: (entry: Scored) => boolean): number {
    let low = 0
    let high = this.#ordered.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (reached(this.#ordered[middle]!)) high = middle
      else low = middle + 1
    }
    return low
  }
}
