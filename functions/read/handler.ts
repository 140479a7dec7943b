import type { FunctionUrlHandler } from "../http/events.ts"
import { composeRead } from "../platform/compose-read.ts"
import { createRead } from "./read.ts"

const platform = composeRead(process.env)
const read = createRead(platform)
const freezes = process.env.AWS_LAMBDA_FUNCTION_NAME !== undefined

/** The door that AWS knows. Where the process is frozen after an answer, what runs on is awaited first. */
export const handler: FunctionUrlHandler = async (event) => {
  const result = await read(event)
  if (freezes) await platform.background.settled()
  return result
}
