import { setTimeout as pause } from "node:timers/promises"
import type { FunctionUrlHandler } from "../http/events.ts"
import { composeOutcomes, type OutcomesPlatform } from "../platform/compose-outcomes.ts"
import { createOutcomes } from "./outcomes.ts"

let composed: { platform: OutcomesPlatform; handler: FunctionUrlHandler } | undefined

const compose = () => {
  const platform = composeOutcomes(process.env)
  return { platform, handler: createOutcomes(platform) }
}

/** For spans to be sent: with its answer the process stops, and goes on with what is left when it is called again. */
const SPANS_MS = 250

/** The door of the deployed function: composed from the environment by the first request. */
export const handler: FunctionUrlHandler = async (event, context) => {
  composed ??= compose()
  const { platform, handler: answer } = composed
  const result = await answer(event, context)
  if (platform.tracing) await Promise.race([platform.background.settled(), pause(SPANS_MS)])
  return result
}
