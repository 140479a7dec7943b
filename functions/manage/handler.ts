import type { FunctionUrlHandler } from "../http/events.ts"
import { streamed, streamingRuntime } from "../http/streaming.ts"
import { composeManage, type ManagePlatform } from "../platform/compose-manage.ts"
import { createManage } from "./manage.ts"

let composed: { platform: ManagePlatform; handler: FunctionUrlHandler } | undefined

const compose = () => {
  const platform = composeManage(process.env)
  return { platform, handler: createManage(platform).handler }
}

const answer: FunctionUrlHandler = async (event, context) => {
  composed ??= compose()
  return await composed.handler(event, context)
}

const runtime = streamingRuntime()

/**
 * The door of the deployed function: composed from the environment by the first request. Whoever changed
 * something has the answer before it is published; should the process end in between, the relay finds the mark.
 */
export const handler: FunctionUrlHandler = runtime
  ? streamed(runtime, answer, async () => await composed?.platform.background.settled())
  : answer
