/** An event on its way, as it will be told. */
export interface Waiting {
  /** Counted from 1. */
  nth: number
  atMs: number
  tenantId: string
  id: string
  text: string
}

const BATCH_CHARACTERS = 300_000

/** Events in the order they came. What is being told stays until it is known what became of it. */
export class EventQueue {
  readonly #batchMax: number
  #waiting: Waiting[] = []
  #characters = 0
  #last = 0

  constructor(batchMax: number) {
    this.#batchMax = batchMax
  }

  get length(): number {
    return this.#waiting.length
  }

  get characters(): number {
    return this.#characters
  }

  /** The number of the last that came, though it may have gone. */
  get last(): number {
    return this.#last
  }

  get oldest(): Waiting | undefined {
    return this.#waiting[0]
  }

  /** Do they fill a batch? */
  get isFull(): boolean {
    return this.#waiting.length >= this.#batchMax || this.#characters >= BATCH_CHARACTERS
  }

  add(event: Omit<Waiting, "nth">): void {
    this.#last += 1
    this.#waiting.push({ nth: this.#last, ...event })
    this.#characters += event.text.length
  }

  /** The oldest, to be told together. Two under one id go one after the other: a batch may not have both. */
  batch(): Waiting[] {
    const names = new Set<string>()
    const batch: Waiting[] = []
    let characters = 0
    for (const event of this.#waiting) {
      characters += event.text.length
      if (batch.length === this.#batchMax || (batch.length > 0 && characters > BATCH_CHARACTERS)) break
      if (names.size === names.add(`${event.tenantId} ${event.id}`).size) break
      batch.push(event)
    }
    return batch
  }

  /** Of these, however many are still there. */
  remove(events: readonly Waiting[]): number {
    const gone = new Set(events)
    const before = this.#waiting.length
    this.#waiting = this.#waiting.filter((event) => !gone.has(event))
    this.#characters = this.#waiting.reduce((sum, { text }) => sum + text.length, 0)
    return before - this.#waiting.length
  }

  removeAll(): number {
    return this.remove(this.#waiting)
  }
}
