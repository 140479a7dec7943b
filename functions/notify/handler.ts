import { setTimeout as pause } from "node:timers/promises"
import type { InvocationContext } from "../http/events.ts"
import { composeNotify } from "../platform/compose-notify.ts"
import { createNotify } from "./notify.ts"

const platform = composeNotify(process.env)
const notify = createNotify(platform)

const EVERY_MS = 1_000
/** The schedule starts it each minute; it ends a little earlier, so that two do not run at once. */
const RUNS_MS = 57_000
/** For the last messages to be sent, and for what came of them to be written down. */
const SPARE_MS = 12_000

/** Started each minute, it looks each second of it. */
export const handler = async (_event: unknown, context: InvocationContext): Promise<{ begun: number }> => {
  const until = platform.clock.nowMs() + Math.min(RUNS_MS, context.getRemainingTimeInMillis() - SPARE_MS)
  let begun = 0
  do {
    const startedMs = platform.clock.nowMs()
    begun += await notify.sweep().catch((error: unknown) => {
      platform.log.error("a look for messages failed", { error })
      return 0
    })
    await pause(Math.max(0, EVERY_MS - (platform.clock.nowMs() - startedMs)))
  } while (platform.clock.nowMs() < until)
  await platform.background.settled()
  return { begun }
}
