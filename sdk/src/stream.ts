import { readEvents } from "./event-stream.ts"
import type { Link } from "./link.ts"
import { later, pause } from "./timer.ts"

interface Parts extends Pick<Link, "ask" | "pauseAfter"> {
  /** The revision there is here already, or nothing. */
  known(): string
  /** There is, or may be, something else at this revision. */
  moved(revision: string): void
  /** It stands, or no longer does. */
  standing(stands: boolean): void
  failed(error: unknown): void
}

/** The service says something every 15 s. */
const SILENCE_MS = 45_000
const RETRY_MS = { first: 1_000, least: 100, most: 300_000 }

/** Hears of changes until `over`, however often the connection breaks. */
export const follow = async (
  { ask, pauseAfter, known, moved, standing, failed }: Parts,
  over: AbortSignal,
): Promise<void> => {
  let retryMs = RETRY_MS.first
  let failures = 0
  /** One connection, from its beginning to its end. */
  const listen = async (): Promise<void> => {
    const broken = new AbortController()
    let cancel = later(SILENCE_MS, () => broken.abort())
    try {
      const signal = AbortSignal.any([broken.signal, over])
      const response = await ask("/api/v1/stream", {
        headers: { accept: "text/event-stream", "last-event-id": known() },
        signal,
      })
      if (!response.headers.get("content-type")?.startsWith("text/event-stream"))
        throw new Error("The service's stream is none.")
      standing(true)
      await readEvents(response.body!, {
        sign: () => {
          failures = 0
          cancel()
          cancel = later(SILENCE_MS, () => broken.abort())
        },
        retry: (ms) => {
          retryMs = Math.min(RETRY_MS.most, Math.max(RETRY_MS.least, ms))
        },
        event: (_, id) => moved(id),
      })
    } finally {
      cancel()
      // What is no stream, or no longer read, would keep its connection.
      broken.abort()
      standing(false)
    }
  }
  while (!over.aborted) {
    let error: unknown
    await listen().catch((thrown: unknown) => {
      error = thrown
    })
    if (over.aborted) return
    failures++
    if (error) failed(error)
    await pause(retryMs + pauseAfter(failures, error), over)
  }
}
