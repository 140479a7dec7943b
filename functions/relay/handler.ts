import { setTimeout as pause } from "node:timers/promises"
import type { InvocationContext } from "../http/events.ts"
import { composeRelay } from "../platform/compose-relay.ts"
import { createRelay } from "./relay.ts"

const platform = composeRelay(process.env)
const relay = createRelay(platform)

const EVERY_MS = 1_000
/** The schedule starts it each minute; it ends a little earlier, so that two do not run at once. */
const RUNS_MS = 57_000
const SPARE_MS = 2_000

/** Started each minute, it sweeps each second of it. */
export const handler = async (_event: unknown, context: InvocationContext): Promise<{ sweeps: number }> => {
  const until = platform.clock.nowMs() + Math.min(RUNS_MS, context.getRemainingTimeInMillis() - SPARE_MS)
  let sweeps = 0
  do {
    const startedMs = platform.clock.nowMs()
    await relay.sweep().catch((error: unknown) => platform.log.error("a sweep failed", { error }))
    sweeps++
    await pause(Math.max(0, EVERY_MS - (platform.clock.nowMs() - startedMs)))
  } while (platform.clock.nowMs() < until)
  await platform.background.settled()
  return { sweeps }
}
