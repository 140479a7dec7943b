import { parseTraceparent } from "../../core/trace/context.ts"
import type { OpenSpan } from "../../core/trace/tracer.ts"
import type { Tracing } from "../platform/tracing.ts"
import type { FunctionUrlEvent, FunctionUrlResult } from "./events.ts"
import { noteRoute, noteTenant } from "./notes.ts"

/** What a request is about, as far as its address says: a template of the path, and the tenant that it names. */
export interface Address {
  route?: string
  tenant?: string
}

/** The stable code of a refusal; of what it says besides nothing is told. */
const CODE = /"code":"([A-Z_]{1,60})"/

const noteResult = (span: OpenSpan, { statusCode, headers, body }: FunctionUrlResult): void => {
  span.set("http.response.status_code", statusCode)
  if (statusCode < 400) return
  const isProblem = headers["content-type"]?.startsWith("application/problem+json") ?? false
  const code = isProblem ? CODE.exec(body)?.[1] : undefined
  if (code !== undefined) span.set("hotswap.problem", code)
  if (statusCode >= 500) span.fail(code ?? String(statusCode))
}

/** Answers inside a span, in the trace that the request names, and says in it what was asked and what came of that. */
export const answerInSpan = (
  tracing: Tracing,
  { headers, requestContext: { http, requestId } }: FunctionUrlEvent,
  { route, tenant }: Address,
  answer: () => Promise<FunctionUrlResult>,
): Promise<FunctionUrlResult> => {
  const { method } = http
  const parent = parseTraceparent(headers.traceparent)
  const attributes = { "http.request.method": method, "hotswap.request.id": requestId }
  return tracing.root({ name: method, kind: "server", parent, attributes }, async (span) => {
    if (route !== undefined) noteRoute(method, route)
    if (tenant !== undefined) noteTenant(tenant)
    const result = await answer()
    if (span) noteResult(span, result)
    return result
  })
}
