import { OFREP_STREAM_PATH } from "../../core/flag/ofrep-bulk.ts"
import { formatTraceparent, parseTraceparent } from "../../core/trace/context.ts"
import { createExporter } from "../../core/trace/exporter.ts"
import { readTraceSettings, type TraceSettings } from "../../core/trace/settings.ts"
import { createTracer } from "../../core/trace/tracer.ts"
import type { Route } from "./route.ts"
import { type Bindings, type RequestLife, warn } from "./runtime.ts"

/** A question to a function, as it is traced. */
export interface Hop {
  /** What it says of the trace; `null`: nothing. */
  traceparent: string | null
  /** It was answered so, or not at all. */
  over(status: number | null): void
}

/** Where nobody traces, what the caller says is passed on. */
export const hopOf = (request: Request, { span: above }: RequestLife, name: string): Hop => {
  const span = above?.child(name, "client")
  if (span === undefined) return { traceparent: request.headers.get("traceparent"), over: () => {} }
  return {
    traceparent: formatTraceparent(span.context),
    over: (status) => {
      if (status === null) span.fail("unreachable")
      else span.set("http.response.status_code", status)
      span.end()
    },
  }
}

/** For who asks on behalf of no request. */
export const NO_HOP: Hop = { traceparent: null, over: () => {} }

/** Says of the request that is being answered which route it takes, and for which tenant; nothing else of its address. */
export const noteRoute = ({ span }: RequestLife, method: string, route: Route): void => {
  const template = TEMPLATES[route.kind]
  if (span === undefined || template === null) return
  span.rename(`${method} ${template}`)
  span.set("http.route", template)
  if (route.kind === "view") span.set("hotswap.tenant.id", route.tenantId)
}

const TEMPLATES: Readonly<Record<Route["kind"], string | null>> = {
  view: "/api/v1/configs/tenant/{tenantId}",
  ofrep: "/ofrep/v1/evaluate/flags",
  ofrepStream: OFREP_STREAM_PATH,
  stream: "/api/v1/stream",
  health: "/health",
  // What becomes of these is for others to say.
  hidden: null,
  forward: null,
}

/** Answers as it is told to, with a span around each answer. */
export type WithSpan = (
  request: Request,
  life: RequestLife,
  answer: (life: RequestLife) => Promise<Response>,
) => Promise<Response>

const digits = (count: number): string =>
  [...crypto.getRandomValues(new Uint8Array(count / 2))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("")

const poster =
  ({ url, headers, timeoutMs }: TraceSettings) =>
  async (body: string): Promise<void> => {
    const response = await fetch(url, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body,
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    })
    await response.body?.cancel()
    if (!response.ok) throw new Error(`whoever collects spans answered ${response.status}`)
  }

/** `null`: nothing is traced, as nobody is named whom spans could be told. What is wrong with the settings is logged. */
export const createTracing = (bindings: Bindings): WithSpan | null => {
  const settings = readTraceSettings(bindings as unknown as Record<string, string | undefined>, (why) =>
    warn("nothing is traced", { why }),
  )
  if (settings === null) return null
  const exporter = createExporter({
    resource: { "service.name": "hotswap-edge", "hotswap.function": "edge", ...settings.resource },
    post: poster(settings),
    turn: () => Promise.resolve(),
    nowMs: () => Date.now(),
    tell: (message, { error, ...fields }) =>
      warn(message, error === undefined ? fields : { ...fields, error: String(error) }),
  })
  const tracer = createTracer({
    sampler: settings.sampler,
    newDigits: digits,
    // Both stand still while nothing is waited for: a Worker is told no finer time.
    epochMs: () => Date.now(),
    steadyMs: () => Date.now(),
    record: exporter.record,
  })
  return async (request, life, answer) => {
    const { method, headers } = request
    const span = tracer.root({
      name: method,
      kind: "server",
      parent: parseTraceparent(headers.get("traceparent")),
      attributes: { "http.request.method": method },
      // What a request begins ends with it, unless it is said to outlive it.
      rest: () => life.waitUntil(exporter.drain()),
    })
    try {
      const response = await answer({ waitUntil: (promise) => life.waitUntil(promise), span })
      span.set("http.response.status_code", response.status)
      if (response.status >= 500) span.fail(String(response.status))
      return response
    } catch (error) {
      span.fail("unforeseen")
      throw error
    } finally {
      span.end()
    }
  }
}
