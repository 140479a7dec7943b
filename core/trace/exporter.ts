import { type Attributes, otlpRequest, type Span } from "./otlp.ts"

/** Takes recorded spans to whoever collects them, a batch at a time. Nobody waits for it. */
export interface Exporter {
  /** Keeps it for the next batch; lost where too many are kept already. */
  record(span: Span): void
  /**
   * Sends what is kept, until nothing is or the receiver does not take it. Resolves at once where that is being done already. Never
   * rejects.
   */
  drain(): Promise<void>
}

interface Parts {
  resource: Attributes
  /** Throws where it was not taken. */
  post(body: string): Promise<void>
  /** Awaited before each batch is put together. */
  turn(): Promise<void>
  nowMs(): number
  /** What people should know, once for each time that it begins and ends. */
  tell(message: string, fields: Readonly<Record<string, unknown>>): void
}

const KEPT_MAX = 2_048
const BATCH_MAX = 512
/** What does not take spans is not asked again so soon. */
const REST_MS = 5_000
/** Whoever was sending has been ended with its request, as an edge does that. */
const GONE_AFTER_MS = 30_000

export const createExporter = ({ resource, post, turn, nowMs, tell }: Parts): Exporter => {
  const kept: Span[] = []
  /** Since the receiver last took any. */
  let lost = 0
  let isFailing = false
  let askAgainMs = Number.NEGATIVE_INFINITY
  let drainingSinceMs = Number.NEGATIVE_INFINITY

  const send = async (batch: readonly Span[]): Promise<void> => {
    try {
      await post(otlpRequest(resource, batch))
      if (lost > 0) tell("spans are taken again", { lost })
      lost = 0
      isFailing = false
    } catch (error) {
      lost += batch.length
      askAgainMs = nowMs() + REST_MS
      if (!isFailing) tell("spans are not taken", { error, lost })
      isFailing = true
    }
  }

  const drainKept = async (): Promise<void> => {
    await turn()
    while (kept.length > 0 && nowMs() >= askAgainMs) {
      await send(kept.splice(0, BATCH_MAX))
      await turn()
    }
    // At once with the last look, or what is kept in between would wait for the next.
    drainingSinceMs = Number.NEGATIVE_INFINITY
  }

  return {
    record: (span) => {
      if (kept.length < KEPT_MAX) kept.push(span)
      else lost++
    },
    drain: async () => {
      if (kept.length === 0 || nowMs() - drainingSinceMs < GONE_AFTER_MS) return
      drainingSinceMs = nowMs()
      await drainKept()
    },
  }
}
