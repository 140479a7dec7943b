import type { FunctionUrlHandler } from "../http/events.ts"
import { streamed, streamingRuntime } from "../http/streaming.ts"
import { composeRead } from "../platform/compose-read.ts"
import { createRead } from "./read.ts"

const platform = composeRead(process.env)
const read = createRead(platform)
const runtime = streamingRuntime()

/** The door that AWS knows. Whoever triggers a refresh has the answer before it is waited for. */
export const handler: FunctionUrlHandler = runtime
  ? streamed(runtime, read, () => platform.background.settled())
  : read
