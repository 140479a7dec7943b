import type { Link } from "./link.ts"
import { later } from "./timer.ts"
import type { View } from "./types.ts"

interface Counts {
  revision: string
  arm: View["arm"]
  ok: number
  errors: number
  /** By the power of √2 that bounds it, as the service counts them. */
  latency: Record<number, number>
}

const EVERY_MS = 1_000
/** Of more revisions and arms than these the oldest are forgotten. */
const COUNTS_MAX = 50
/** The service takes no higher count. */
const COUNT_MAX = 1_000_000
const CLOSE_MS = 3_000
const BOUND_MAX = 33

const boundOf = (ms: number): number =>
  ms <= 1 ? 0 : Math.min(BOUND_MAX, Math.ceil(2 * Math.log2(ms) - 1e-9))

/** Counts how requests went, and tells the service at most once a second. */
export class Outcomes {
  readonly #link: Link
  readonly #instance: string
  #counts: Counts[] = []
  /** What is being told, until the service has it: it knows what it was told before by instance and number. */
  #telling: unknown[] = []
  #seq = 0
  #failures = 0
  #cancel: (() => void) | null = null
  #flight: Promise<void> | null = null
  #isClosed = false

  constructor(link: Link, instance: string) {
    this.#link = link
    this.#instance = instance
  }

  add({ revision, arm }: Pick<View, "revision" | "arm">, ok: boolean, latencyMs: number | undefined): void {
    let counts = this.#counts.find((each) => each.revision === revision && each.arm === arm)
    if (!counts) {
      counts = { revision, arm, ok: 0, errors: 0, latency: {} }
      if (this.#counts.push(counts) > COUNTS_MAX) this.#counts.shift()
    }
    if (counts.ok + counts.errors === COUNT_MAX) return
    counts[ok ? "ok" : "errors"]++
    if (latencyMs !== undefined && !Number.isNaN(latencyMs)) {
      const bound = boundOf(latencyMs)
      counts.latency[bound] = (counts.latency[bound] ?? 0) + 1
    }
    this.#cancel ??= later(EVERY_MS, () => void this.flush())
  }

  /** Never throws: what could not be told is told later. */
  flush(): Promise<void> {
    this.#flight ??= this.#tell().finally(() => {
      this.#flight = null
    })
    return this.#flight
  }

  /** Tells what there is, once. */
  async close(): Promise<void> {
    let cancel = () => {}
    const late = new Promise<void>((resolve) => {
      cancel = later(CLOSE_MS, resolve)
    })
    await Promise.race([this.#tellAll(), late])
    this.#isClosed = true
    cancel()
    this.#cancel?.()
  }

  async #tellAll(): Promise<void> {
    await this.#flight
    if (!this.#isClosed) await this.flush()
  }

  async #tell(): Promise<void> {
    this.#cancel?.()
    if (this.#telling.length === 0)
      this.#telling = this.#counts.splice(0).map((counts) => this.#reportOf(counts))
    let pauseMs = EVERY_MS
    try {
      if (this.#telling.length > 0) await this.#link.ask("/api/v1/outcomes", this.#request())
      this.#telling = []
      this.#failures = 0
    } catch (error) {
      pauseMs += this.#link.pauseAfter(++this.#failures, error)
      // Refused as it is, it would be again.
      if (this.#link.isFinal(error)) this.#telling = []
    }
    const isMore = !this.#isClosed && this.#telling.length + this.#counts.length > 0
    this.#cancel = isMore ? later(pauseMs, () => void this.flush()) : null
  }

  #request(): RequestInit {
    return {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ reports: this.#telling }),
    }
  }

  #reportOf({ latency, ...counts }: Counts): unknown {
    // Rises over restarts too, as the instance may keep its name.
    this.#seq = Math.max(this.#seq + 1, Date.now())
    return {
      ...counts,
      instance: this.#instance,
      seq: this.#seq,
      latency: Object.entries(latency).map(([bound, count]) => [2 ** (Number(bound) / 2), count]),
    }
  }
}
