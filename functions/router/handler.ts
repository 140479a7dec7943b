import { setTimeout as pause } from "node:timers/promises"
import type { FunctionUrlEvent, FunctionUrlHandler, InvocationContext } from "../http/events.ts"
import { streamed, streamingRuntime } from "../http/streaming.ts"
import { composeRouter } from "../platform/compose-router.ts"
import { createRouter } from "./router.ts"
import { createWatch } from "./watch.ts"

const platform = composeRouter(process.env)
const router = createRouter(platform)
const watch = createWatch(platform)

const EVERY_MS = 1_000
/** The schedule starts it each minute; it ends a little earlier, so that two do not run at once. */
const RUNS_MS = 55_000
const SPARE_MS = 15_000

interface Sweeping {
  /** Returns how much there was. */
  sweep(): Promise<number>
}

/** Looks each second until then, and at once again while there is more. */
const sweepUntil = async ({ sweep }: Sweeping, untilMs: number): Promise<void> => {
  while (platform.clock.nowMs() < untilMs) {
    const looked = await sweep().catch((error: unknown) => {
      platform.log.error("a sweep failed", { error })
      return 0
    })
    if (looked === 0) await pause(EVERY_MS)
  }
}

/** Started each minute: what is slow at one keeps the other from nothing. */
const watchOn = async (context: InvocationContext): Promise<void> => {
  const untilMs = platform.clock.nowMs() + Math.min(RUNS_MS, context.getRemainingTimeInMillis() - SPARE_MS)
  const { createProvisioner } = await import("./provisioner.ts")
  await Promise.all([sweepUntil(watch, untilMs), sweepUntil(createProvisioner(platform), untilMs)])
}

const answer: FunctionUrlHandler = async (event, context) => {
  if (!isTask(event)) return await router(event, context)
  await watchOn(context)
  return { statusCode: 204, headers: {}, body: "", isBase64Encoded: false }
}

/** A schedule's call, which nobody else can make: what comes through the URL is always a request. */
const isTask = (event: FunctionUrlEvent | { task: string }): boolean => "task" in event

const runtime = streamingRuntime()

/** The door of the deployed function, and what its clock calls. */
export const handler: FunctionUrlHandler = runtime
  ? streamed(runtime, answer, () => platform.background.settled())
  : answer
