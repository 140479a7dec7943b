import { sha256Hex } from "../hash.ts"
import type { ChangeId } from "../ids.ts"

const TRACE_DIGITS = 32
const SPAN_DIGITS = 16

/**
 * The trace of a change and the span at its root, which follow from its id: so whoever moves it on, wherever and whenever that
 * is, puts it into the same trace, and nothing has to be stored or handed on for that.
 */
export const traceOfChange = (changeId: ChangeId): { traceId: string; rootSpanId: string } => {
  const digits = sha256Hex(`trace of ${changeId}`)
  const rootSpanId = digits.slice(TRACE_DIGITS, TRACE_DIGITS + SPAN_DIGITS)
  return { traceId: digits.slice(0, TRACE_DIGITS), rootSpanId }
}
