import type { TraceContext } from "./context.ts"

/** Never a token, a secret or a value of a configuration. */
export type Attribute = string | number | boolean
export type Attributes = Readonly<Record<string, Attribute>>

/** Who asked for it: nobody but its own process, somebody over the network, or it asks somebody over the network itself. */
export type SpanKind = "internal" | "server" | "client"

/** Something that was done, with its beginning and its end, in milliseconds of the epoch. */
export interface Span {
  context: TraceContext
  parentSpanId: string | null
  name: string
  kind: SpanKind
  startMs: number
  endMs: number
  attributes: Attributes
  links: readonly TraceContext[]
  isError: boolean
}

/** `trace.proto` of https://github.com/open-telemetry/opentelemetry-proto, v1. */
const KINDS: Readonly<Record<SpanKind, number>> = { internal: 1, server: 2, client: 3 }
const STATUS_ERROR = 2

const anyValueOf = (value: Attribute) => {
  if (typeof value === "string") return { stringValue: value }
  if (typeof value === "boolean") return { boolValue: value }
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value }
}

const attributesOf = (attributes: Attributes) =>
  Object.entries(attributes).map(([key, value]) => ({ key, value: anyValueOf(value) }))

/** As text: more digits than a number of JSON has. */
const nanosOf = (ms: number): string => `${Math.round(ms * 1_000)}000`

const spanOf = ({ context, parentSpanId, name, kind, startMs, endMs, attributes, links, isError }: Span) => ({
  traceId: context.traceId,
  spanId: context.spanId,
  ...(parentSpanId === null ? {} : { parentSpanId }),
  name,
  kind: KINDS[kind],
  startTimeUnixNano: nanosOf(startMs),
  endTimeUnixNano: nanosOf(Math.max(startMs, endMs)),
  attributes: attributesOf(attributes),
  ...(links.length === 0 ? {} : { links: links.map(({ traceId, spanId }) => ({ traceId, spanId })) }),
  ...(isError ? { status: { code: STATUS_ERROR } } : {}),
})

/** The body of a request to whoever collects spans: `ExportTraceServiceRequest` in OTLP's JSON, where ids are hex. */
export const otlpRequest = (resource: Attributes, spans: readonly Span[]): string =>
  JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: attributesOf(resource) },
        scopeSpans: [{ scope: { name: "hotswap" }, spans: spans.map(spanOf) }],
      },
    ],
  })
