import type { Tracing } from "../platform/tracing.ts"
import type { Address } from "./answer-span.ts"
import type { FunctionUrlEvent, FunctionUrlResult } from "./events.ts"

/**
 * The handler with a span around each answer, in the trace that the request names. Where nothing is traced it is the handler itself,
 * and nothing that would trace is loaded.
 */
export const withServerSpan = <More extends unknown[]>(
  { tracing }: { tracing?: Tracing | undefined },
  handler: (event: FunctionUrlEvent, ...more: More) => Promise<FunctionUrlResult>,
  addresses?: () => Promise<{ addressOf: (event: FunctionUrlEvent) => Address }>,
): typeof handler => {
  if (tracing === undefined) return handler
  // What cannot be loaded is no reason not to answer.
  const loading = Promise.all([import("./answer-span.ts"), addresses?.()]).catch(() => null)
  return async (event, ...more) => {
    const answer = () => handler(event, ...more)
    const loaded = await loading
    if (loaded === null) return await answer()
    const [{ answerInSpan }, named] = loaded
    return await answerInSpan(tracing, event, named?.addressOf(event) ?? {}, answer)
  }
}
