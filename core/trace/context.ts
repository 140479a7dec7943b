/** A span as others may name it: W3C Trace Context (https://www.w3.org/TR/trace-context/). */
export interface TraceContext {
  /** 32 hex digits, not all of them zero. */
  traceId: string
  /** 16 hex digits, not all of them zero. */
  spanId: string
  /** Is it recorded? */
  isSampled: boolean
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const ZEROS = /^0+$/
const SAMPLED = 1
const LENGTH_MAX = 512

/** What a `traceparent` says, or `null` where it is none: then a trace begins here. */
export const parseTraceparent = (text: string | null | undefined): TraceContext | null => {
  if (text == null || text.length > LENGTH_MAX) return null
  const [, version, traceId = "", spanId = "", flags = "", more] = TRACEPARENT.exec(text) ?? []
  if (version === undefined || version === "ff" || ZEROS.test(traceId) || ZEROS.test(spanId)) return null
  // Versions after the first may say more.
  if (version === "00" && more !== undefined) return null
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & SAMPLED) !== 0 }
}

export const formatTraceparent = ({ traceId, spanId, isSampled }: TraceContext): string =>
  `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`
