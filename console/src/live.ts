import { useCallback, useEffect, useRef, useState } from "preact/hooks"
import { ProblemError, problemOf } from "./problem.ts"
import type { Problem } from "./shapes.ts"

/** What was read last, and whether the last reading failed. `data` is of `key` and of no other. */
export interface Live<Data> {
  data: Data | null
  problem: Problem | null
  isLoading: boolean
  /** Reads again now; resolves when it has. */
  refresh(): Promise<void>
}

/** While something rolls out, and otherwise. */
export const MOVING_MS = 1_000
export const RESTING_MS = 5_000
const FAILED_MS = 4_000

interface Known<Data> {
  key: string
  data: Data | null
  problem: Problem | null
}

/**
 * Reads again and again while the page is looked at. `key` names what is read: of another key nothing is shown
 * until it was read. `everyMs` may depend on what came; `null` reads once.
 */
export const useLive = <Data>(
  key: string | null,
  read: (signal: AbortSignal) => Promise<Data>,
  everyMs: (data: Data) => number | null = () => RESTING_MS,
): Live<Data> => {
  const [known, setKnown] = useState<Known<Data> | null>(null)
  const latest = useRef({ read, everyMs })
  latest.current = { read, everyMs }
  const look = useRef<() => Promise<void>>(async () => undefined)

  useEffect(() => {
    if (key === null) return
    let timer: ReturnType<typeof setTimeout> | undefined
    let reading = new AbortController()
    let isOver = false
    const again = (waitMs: number | null): void => {
      clearTimeout(timer)
      if (waitMs !== null && !isOver) timer = setTimeout(() => void lookNow(), waitMs)
    }
    const lookNow = async (): Promise<void> => {
      clearTimeout(timer)
      reading.abort()
      const mine = new AbortController()
      reading = mine
      try {
        const data = await latest.current.read(mine.signal)
        if (mine.signal.aborted) return
        setKnown({ key, data, problem: null })
        // Who does not look needs nothing new: it is read when they come back.
        again(document.hidden ? null : latest.current.everyMs(data))
      } catch (error) {
        if (mine.signal.aborted) return
        setKnown((before) => ({
          key,
          data: before?.key === key ? before.data : null,
          problem: problemOf(error),
        }))
        again(
          document.hidden
            ? null
            : Math.max(FAILED_MS, error instanceof ProblemError ? error.retryAfterMs : 0),
        )
      }
    }
    const onReturn = (): void => {
      if (!document.hidden) void lookNow()
    }
    look.current = lookNow
    document.addEventListener("visibilitychange", onReturn)
    void lookNow()
    return () => {
      isOver = true
      clearTimeout(timer)
      reading.abort()
      document.removeEventListener("visibilitychange", onReturn)
    }
  }, [key])

  const refresh = useCallback(() => look.current(), [])
  const own = known !== null && known.key === key ? known : null
  return {
    data: own?.data ?? null,
    problem: own?.problem ?? null,
    isLoading: key !== null && own === null,
    refresh,
  }
}
