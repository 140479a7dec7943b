/** What a consumer knows of a message besides how often it was delivered. */
export interface Known {
  /** How often the handler has failed it. */
  failures: number
  /** What it failed with last. */
  lastFailure: string
  /** How often it was put off for reasons that are not its own. */
  putOff: number
  /** It was done; only its acknowledgement may have been lost. */
  isDone: boolean
}

const MESSAGES_MAX = 10_000

/** Of so many messages, those known longest are forgotten first. */
export class MessageMemory {
  readonly #known = new Map<string, Known>()

  of(key: string): Readonly<Known> {
    return this.#known.get(key) ?? { failures: 0, lastFailure: "", putOff: 0, isDone: false }
  }

  update(key: string, change: (known: Readonly<Known>) => Partial<Known>): Readonly<Known> {
    const before = this.of(key)
    const next = { ...before, ...change(before) }
    this.#known.delete(key)
    this.#known.set(key, next)
    const [oldest] = this.#known.keys()
    if (this.#known.size > MESSAGES_MAX && oldest !== undefined) this.#known.delete(oldest)
    return next
  }
}
