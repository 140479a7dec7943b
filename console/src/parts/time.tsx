import { useEffect, useState } from "preact/hooks"
import { agoOf, exactOf } from "../words.ts"

const TICK_MS = 10_000

/** How long ago, which goes on being true; the exact time for whoever points at it. */
export const Time = ({ at }: { at: string }) => {
  const [nowMs, setNowMs] = useState(Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), TICK_MS)
    return () => clearInterval(timer)
  }, [])
  return (
    <time dateTime={at} title={exactOf(at)}>
      {agoOf(at, nowMs)}
    </time>
  )
}
