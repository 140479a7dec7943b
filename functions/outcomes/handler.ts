import type { FunctionUrlHandler } from "../http/events.ts"
import { composeOutcomes } from "../platform/compose-outcomes.ts"
import { createOutcomes } from "./outcomes.ts"

let composed: FunctionUrlHandler | undefined

/** The door of the deployed function: composed from the environment by the first request. */
export const handler: FunctionUrlHandler = async (event, context) => {
  composed ??= createOutcomes(composeOutcomes(process.env))
  return await composed(event, context)
}
