import { setImmediate as nextTurn } from "node:timers/promises"
import { createExporter } from "../../core/trace/exporter.ts"
import { readTraceSettings, type TraceSettings } from "../../core/trace/settings.ts"
import { createTracer } from "../../core/trace/tracer.ts"
import { inSpan } from "../../db/span.ts"
import type { Background } from "./background.ts"
import type { Log } from "./log.ts"
import type { Tracing } from "./tracing.ts"

type Variables = Readonly<Record<string, string | undefined>>

const digits = (count: number): string =>
  Buffer.from(crypto.getRandomValues(new Uint8Array(count / 2))).toString("hex")

const resourceOf = (functionName: string, { resource }: TraceSettings, variables: Variables) => ({
  "service.name": `hotswap-${functionName}`,
  "hotswap.function": functionName,
  ...(variables.HOTSWAP_STAGE ? { "deployment.environment.name": variables.HOTSWAP_STAGE } : {}),
  ...(variables.AWS_REGION ? { "cloud.region": variables.AWS_REGION } : {}),
  ...resource,
})

const poster =
  ({ url, headers, timeoutMs }: TraceSettings) =>
  async (body: string): Promise<void> => {
    const response = await fetch(url, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body,
      // Elsewhere the headers are nobody's business.
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    })
    await response.body?.cancel()
    if (!response.ok) throw new Error(`whoever collects spans answered ${response.status}`)
  }

/** `null`: the settings are wrong, or say that nothing is to be traced. */
export const startTracing = (
  functionName: string,
  variables: Variables,
  { log, background }: { log: Log; background: Background },
): Tracing["root"] | null => {
  const settings = readTraceSettings(variables, (line) => log.error("nothing is traced", { why: line }))
  if (settings === null) return null
  const exporter = createExporter({
    resource: resourceOf(functionName, settings, variables),
    post: poster(settings),
    // Whoever waits for an answer comes first.
    turn: () => nextTurn(),
    nowMs: () => performance.now(),
    tell: (message, fields) => log.warn(message, fields),
  })
  const tracer = createTracer({
    sampler: settings.sampler,
    newDigits: digits,
    epochMs: () => Date.now(),
    steadyMs: () => performance.now(),
    record: exporter.record,
  })
  const rest = () => background.waitUntil(exporter.drain())
  return async (root, work) => {
    const span = tracer.root({ ...root, rest })
    return await inSpan(span, () => work(span))
  }
}
