import { setTimeout as pause } from "node:timers/promises"
import type { Call } from "../support/hotswap.ts"
import { type Standstill, watchStandstills } from "../support/standstill.ts"

/** What is promised of every answer, whatever state PostgreSQL is in. */
export const PROMISED_MS = { write: 3_000, read: 1_000, view: 1_000 } as const
/** `view` is what applications read, mostly from memory; `read` goes to PostgreSQL each time. */
type Kind = keyof typeof PROMISED_MS

/** One key that one writer counts up: its nth version must hold the value n. */
export interface Counter {
  tenantId: string
  key: string
  token: string
  readerToken: string
  acknowledged: number
}

export interface Late extends Standstill {
  kind: Kind
}

export interface LoadTally {
  answered: Record<Kind, number>
  acknowledged: number
  /** Answers that said the database was not available. */
  unavailable: number
  /** Writes that had to be repeated, as their first answer left in doubt whether they had happened. */
  inDoubt: number
  /** Of those, found to have happened before they were repeated. */
  hadHappened: number
  /** Answers that came later than was promised. */
  late: Late[]
  slowestMs: Record<Kind, number>
  /** Anything that should not have been, and how often. */
  complaints: Record<string, number>
}

export interface Load {
  tally: LoadTally
  /** When this process was not run. */
  standstills: readonly Standstill[]
  killed(): void
  /** The server takes connections again. */
  accepting(): void
  /** Milliseconds from the kill to the first success after a failure or after connections were taken again; `null` as long as there is none. */
  recoveredMs(kind: Kind): number | null
  stop(): Promise<void>
}

const SAYS_SO = new Set(["DATABASE_UNAVAILABLE", "DEADLINE_EXCEEDED"])
const AGAIN_AFTER_MS = 10
const WRITE_EVERY_MS = 5
const READ_EVERY_MS = 5
export const ENVIRONMENT = "Development"

interface Answer {
  status: number
  body: { code?: string; changeId?: string; value?: unknown; configs?: Record<string, unknown> } | null
}

/** When a change was made up, by the UUIDv7 in its id. */
const madeAtMs = (changeId: string | undefined): number =>
  Number.parseInt(
    (/[0-9a-f]{8}-[0-9a-f]{4}-7/.exec(changeId ?? "")?.[0] ?? "").replaceAll("-", "").slice(0, 12),
    16,
  )

/** Writers that count up and readers that look, each with one request after the other, until told to stop. */
export const startLoad = (call: Call, counters: readonly Counter[]): Load => {
  const tally: LoadTally = {
    answered: { write: 0, read: 0, view: 0 },
    acknowledged: 0,
    unavailable: 0,
    inDoubt: 0,
    hadHappened: 0,
    late: [],
    slowestMs: { write: 0, read: 0, view: 0 },
    complaints: {},
  }
  let isStopped = false
  let killedMs = Number.POSITIVE_INFINITY
  let isAccepting = false
  let failed = new Set<Kind>()
  let recovered = new Map<Kind, number>()

  const standstills: Standstill[] = []
  const unwatch = watchStandstills((one) => standstills.push(one))

  const complain = (what: string): void => {
    tally.complaints[what] = (tally.complaints[what] ?? 0) + 1
  }

  const ask = async (kind: Kind, counter: Counter, ...[method, path, options]: Parameters<Call>) => {
    const startedMs = performance.now()
    const answer: Answer = await call<Answer["body"]>(method, path, { origin: true, ...options }).catch(
      (error: Error) => ({ status: 0, body: { code: String(error.cause ?? error) } }),
    )
    const tookMs = performance.now() - startedMs
    tally.slowestMs[kind] = Math.max(tally.slowestMs[kind], tookMs)
    if (tookMs > PROMISED_MS[kind])
      tally.late.push({ kind, fromMs: performance.timeOrigin + startedMs, ms: tookMs })
    tally.answered[kind] += 1
    if (answer.status === 200) {
      if ((isAccepting || failed.has(kind)) && !recovered.has(kind) && startedMs > killedMs)
        recovered.set(kind, performance.now())
      return answer.body!
    }
    if (answer.status === 503 && SAYS_SO.has(answer.body?.code ?? "")) tally.unavailable += 1
    else complain(`${kind} of ${counter.key}: ${answer.status} ${JSON.stringify(answer.body)}`)
    if (killedMs <= startedMs || performance.now() > killedMs) failed.add(kind)
    return null
  }

  /** With its idempotency key it is repeated until there is an answer: that one is the truth. */
  const writeNext = async (counter: Counter): Promise<void> => {
    const value = counter.acknowledged + 1
    const path = `/api/v1/configs/${counter.tenantId}:${ENVIRONMENT}:${counter.key}`
    const headers = { "idempotency-key": `${counter.key} ${value}` }
    for (let attempt = 1; ; attempt++) {
      const sentAtMs = Date.now()
      const body = await ask("write", counter, "PUT", path, {
        body: { value },
        token: counter.token,
        headers,
      })
      if (body) {
        if (madeAtMs(body.changeId) < sentAtMs) tally.hadHappened += attempt > 1 ? 1 : 0
        counter.acknowledged = value
        tally.acknowledged += 1
        return
      }
      if (attempt === 1) tally.inDoubt += 1
      await pause(AGAIN_AFTER_MS)
    }
  }

  const read = async (counter: Counter, last: number): Promise<number> => {
    const written = counter.acknowledged
    const path = `/api/v1/configs/${counter.tenantId}:${ENVIRONMENT}:${counter.key}`
    const body = await ask("read", counter, "GET", path, { token: counter.token })
    if (!body) return last
    const value = Number(body.value)
    if (!(value >= written && value <= counter.acknowledged + 1))
      complain(`${counter.key}: ${value} was read where ${written} had been acknowledged`)
    return value
  }

  const readView = async (counter: Counter, last: number): Promise<number> => {
    const path = `/api/v1/configs/tenant/${counter.tenantId}?environment=${ENVIRONMENT}`
    const body = await ask("view", counter, "GET", path, { token: counter.readerToken })
    if (!body) return last
    const value = Number(body.configs?.[counter.key])
    if (!(value >= last && value <= counter.acknowledged + 1))
      complain(`${counter.key}: ${value} came after ${last} in a view`)
    return value
  }

  const keepReading = async (
    counter: Counter,
    look: (counter: Counter, last: number) => Promise<number>,
  ): Promise<void> => {
    for (let last = 0; !isStopped; ) {
      last = await look(counter, last)
      await pause(READ_EVERY_MS)
    }
  }

  const keepWriting = async (counter: Counter): Promise<void> => {
    while (!isStopped) {
      await writeNext(counter)
      await pause(WRITE_EVERY_MS)
    }
  }

  const running = counters.flatMap((counter) => [
    keepWriting(counter),
    keepReading(counter, read),
    keepReading(counter, readView),
  ])

  return {
    tally,
    standstills,
    killed: () => {
      killedMs = performance.now()
      isAccepting = false
      failed = new Set()
      recovered = new Map()
    },
    accepting: () => {
      isAccepting = true
    },
    recoveredMs: (kind) => {
      const atMs = recovered.get(kind)
      return atMs === undefined ? null : atMs - killedMs
    },
    stop: async () => {
      isStopped = true
      await Promise.all(running)
      unwatch()
    },
  }
}
