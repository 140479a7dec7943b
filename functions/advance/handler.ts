import { setTimeout as pause } from "node:timers/promises"
import type { InvocationContext, TaskHandler } from "../http/events.ts"
import { type AdvancePlatform, composeAdvance } from "../platform/compose-advance.ts"
import { type Advance, createAdvance } from "./advance.ts"
import { type Look, parseTask } from "./tasks.ts"

let composed: { platform: AdvancePlatform; advance: Advance } | undefined

const compose = () => {
  const platform = composeAdvance(process.env)
  return { platform, advance: createAdvance(platform) }
}

const EVERY_MS = 1_000
/** The schedule starts it each minute; it ends a little earlier, so that two do not run at once. */
const RUNS_MS = 57_000
const SPARE_MS = 2_000

/** An event of EventBridge's own schedule. */
const isSchedule = (event: unknown): boolean =>
  typeof event === "object" &&
  event !== null &&
  (event as { "detail-type"?: unknown })["detail-type"] === "Scheduled Event"

/** Looks each second of its minute, so that a hold ends when it should. */
const keepTicking = async (platform: AdvancePlatform, advance: Advance, context: InvocationContext) => {
  const until = platform.clock.nowMs() + Math.min(RUNS_MS, context.getRemainingTimeInMillis() - SPARE_MS)
  let moved = 0
  do {
    const startedMs = platform.clock.nowMs()
    moved += await advance.tick().catch((error: unknown) => {
      platform.log.error("a tick failed", { error })
      return 0
    })
    await pause(Math.max(0, EVERY_MS - (platform.clock.nowMs() - startedMs)))
  } while (platform.clock.nowMs() < until)
  return { moved }
}

/** A schedule gets whatever is due done; all else is a task of a state machine, and says what it wants of which change. */
export const handler: TaskHandler<unknown, Look | { moved: number }> = async (event, context) => {
  composed ??= compose()
  const { platform, advance } = composed
  const result = isSchedule(event)
    ? await keepTicking(platform, advance, context)
    : await advance.task(parseTask(event))
  await platform.background.settled()
  return result
}
