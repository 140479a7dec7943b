import type { Json } from "../../core/json.ts"
import { readEvents } from "./event-stream.ts"
import type { Link } from "./link.ts"
import { later, pause } from "./timer.ts"
import type { Snapshot } from "./types.ts"

interface Parts extends Pick<Link, "ask" | "pauseAfter"> {
  /** What is here already, or nothing. */
  held(): Snapshot | undefined
  /** What that has become, and the pace to ask in. */
  adopt(snapshot: Snapshot, poll: string): Promise<void>
  /** There is, or may be, something else at this revision; `read` has it, else the service is asked. */
  moved(revision: string, read?: () => Promise<void>): void
  /** It stands, or no longer does. */
  standing(stands: boolean): void
  failed(error: unknown): void
}

/** The service says something every 15 s. */
const SILENCE_MS = 45_000
const RETRY_MS = { first: 1_000, least: 100, most: 300_000 }

/** What changed, as `stream?with=changes` tells it. */
interface Step extends Pick<Snapshot, "revision" | "view" | "candidate"> {
  /** The view that it goes on from. */
  from?: string
  set: Snapshot["configs"]
  unset: readonly string[]
  poll: string
}

/** What `held` becomes by the step; `null` where it does not go on from there. */
const after = (held: Snapshot | undefined, step: Step): Snapshot | null => {
  const { from, revision, view, candidate, set, unset } = step
  if (from === undefined || held?.view !== from) return null
  const configs: Record<string, Json> = { ...held.configs, ...set }
  for (const key of unset) delete configs[key]
  return { ...held, revision, view, configs, candidate }
}

/** Hears of changes until `over`, however often the connection breaks. */
export const follow = async (
  { ask, pauseAfter, held, adopt, moved, standing, failed }: Parts,
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
      const response = await ask("/api/v1/stream?with=changes", {
        headers: { accept: "text/event-stream", "last-event-id": held()?.revision ?? "" },
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
        event: (_, id, data) => {
          const step = JSON.parse(data) as Step
          const next = after(held(), step)
          moved(id, next ? () => adopt(next, step.poll) : undefined)
        },
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
