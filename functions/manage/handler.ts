import type { FunctionUrlHandler } from "../http/events.ts"
import { composeManage } from "../platform/compose-manage.ts"
import { createManage } from "./manage.ts"

let composed: FunctionUrlHandler | undefined

/** The door of the deployed function: composed from the environment by the first request. */
export const handler: FunctionUrlHandler = async (event, context) => {
  composed ??= createManage(composeManage(process.env), { freezes: true }).handler
  return await composed(event, context)
}
