import type { TraceContext } from "./context.ts"
import type { Attribute, Attributes, Span, SpanKind } from "./otlp.ts"
import { describeQuestion, type Question } from "./question.ts"
import { isSampled, type Sampler } from "./sampler.ts"

/** A span that is under way. Where its trace is not recorded, all of it does nothing. */
export interface OpenSpan {
  readonly context: TraceContext
  /** What it is called from now on. */
  rename(name: string): void
  set(name: string, value: Attribute): void
  /** It failed, for a reason that is a word and not a message, which might quote anything. */
  fail(type: string): void
  /** Begins a span below this one. */
  child(name: string, kind: SpanKind): OpenSpan
  /** Begins one of what a neighbour is asked. */
  asks(question: Question): OpenSpan
  /**
   * Records in another trace what was done here, from the beginning of this span until now, with a link to it. Even where this one
   * is not recorded, unless nothing at all is.
   */
  also(there: Place, name: string, attributes: Attributes): void
  /** Once; what is said of it afterwards is not heard. */
  end(): void
}

/** Where a span stands in another trace. */
export interface Place {
  traceId: string
  /** By chance where it is left out. */
  spanId?: string
  parentSpanId: string | null
}

export interface Tracer {
  /** Begins a span that has nobody above it in this process. */
  root(root: Root): OpenSpan
}

export interface Root {
  name: string
  kind: SpanKind
  /** Whoever caused it; without, a trace begins here. */
  parent?: TraceContext | null
  attributes?: Attributes
  /** Called when a span was recorded after which nothing more may come. */
  rest(): void
}

interface Parts {
  sampler: Sampler
  /** So many hex digits by chance. */
  newDigits(count: number): string
  /** Of the epoch, for where a span stands among those of other processes. */
  epochMs(): number
  /** For how long it took: finer, and never set. */
  steadyMs(): number
  record(span: Span): void
}

type First = Pick<Span, "context" | "parentSpanId" | "name" | "kind">

/** The first of its process's spans in a trace. */
interface Top {
  spanId: string
  isOver: boolean
  /** When the steady clock was at zero: anew for each, as in a process that was frozen it stood still. */
  zeroMs: number
  rest(): void
}

const TRACE_DIGITS = 32
const SPAN_DIGITS = 16
const ATTRIBUTE_CHARACTERS_MAX = 256

const cut = (value: Attribute): Attribute =>
  typeof value === "string" ? value.slice(0, ATTRIBUTE_CHARACTERS_MAX) : value

/** Makes spans of what it is told begins and ends. */
export const createTracer = ({ sampler, newDigits, epochMs, steadyMs, record }: Parts): Tracer => {
  const tellAlso = (
    { traceId, spanId = newDigits(SPAN_DIGITS), parentSpanId }: Place,
    done: Pick<Span, "name" | "startMs" | "endMs" | "attributes" | "links">,
    rest: () => void,
  ): void => {
    const context = { traceId, spanId, isSampled: true }
    record({ ...done, context, parentSpanId, kind: "internal", isError: false })
    rest()
  }

  const unrecorded = (context: TraceContext, rest: () => void): OpenSpan => {
    const span: OpenSpan = {
      context,
      rename: () => {},
      set: () => {},
      fail: () => {},
      child: () => span,
      asks: () => span,
      also: (there, name, attributes) => {
        if (sampler.ratio === 0) return
        const atMs = epochMs()
        tellAlso(there, { name, startMs: atMs, endMs: atMs, attributes, links: [] }, rest)
      },
      end: () => {},
    }
    return span
  }

  const begin = (first: First, given: Attributes, top: Top): OpenSpan => {
    const { context, parentSpanId, kind } = first
    const nowMs = () => top.zeroMs + steadyMs()
    const startMs = nowMs()
    const attributes: Record<string, Attribute> = { ...given }
    let { name } = first
    let isError = false
    let isEnded = false
    const below = (called: string, of: SpanKind, told: Attributes): OpenSpan => {
      const next = { ...context, spanId: newDigits(SPAN_DIGITS) }
      return begin({ context: next, parentSpanId: context.spanId, name: called, kind: of }, told, top)
    }
    return {
      context,
      rename: (to) => {
        name = to
      },
      set: (what, value) => {
        attributes[what] = cut(value)
      },
      fail: (type) => {
        isError = true
        attributes["error.type"] = cut(type)
      },
      child: (called, of) => below(called, of, {}),
      asks: (question) => {
        const { name: called, attributes: told } = describeQuestion(question)
        return below(called, "client", told)
      },
      also: (there, called, told) =>
        tellAlso(
          there,
          { name: called, startMs, endMs: nowMs(), attributes: told, links: [context] },
          top.rest,
        ),
      end: () => {
        if (isEnded) return
        isEnded = true
        if (context.spanId === top.spanId) top.isOver = true
        const done = { name, kind, startMs, endMs: nowMs(), attributes: { ...attributes }, isError }
        record({ ...done, context, parentSpanId, links: [] })
        if (top.isOver) top.rest()
      },
    }
  }

  return {
    root: ({ name, kind, parent = null, attributes = {}, rest }) => {
      const traceId = parent?.traceId ?? newDigits(TRACE_DIGITS)
      const recorded = isSampled(sampler, traceId, parent)
      const spanId = newDigits(SPAN_DIGITS)
      const context = { traceId, spanId, isSampled: recorded }
      if (!recorded) return unrecorded(context, rest)
      const top = { spanId, isOver: false, zeroMs: epochMs() - steadyMs(), rest }
      return begin({ context, parentSpanId: parent?.spanId ?? null, name, kind }, attributes, top)
    },
  }
}
