import type { OpenSpan, Root } from "../../core/trace/tracer.ts"
import { currentSpan, spanned } from "../../db/span.ts"
import type { Background } from "./background.ts"
import type { Log } from "./log.ts"

/** Runs `work` inside a span of that name, below the one that is under way. */
export type Trace = <Result>(name: string, work: () => Promise<Result>) => Promise<Result>

/** Traces nothing. */
export const noTrace: Trace = (_name, work) => work()

/** Traces where somebody above does. */
export const traceBelow: Trace = spanned

/** How whatever begins something in this process begins its spans. */
export interface Tracing {
  /** Does the work in a span that has nobody above it in this process. Neither waits for anybody nor fails by itself. */
  root<Result>(root: Omit<Root, "rest">, work: (span?: OpenSpan) => Promise<Result>): Promise<Result>
}

/** Below the span that is under way; where there is none, as a clock or a queue began it, in a trace of its own. */
export const traced = <Result>(
  { tracing }: { tracing?: Tracing | undefined },
  name: string,
  work: () => Promise<Result>,
): Promise<Result> =>
  tracing === undefined || currentSpan() !== undefined
    ? spanned(name, work)
    : tracing.root({ name, kind: "internal" }, () => work())

type Variables = Readonly<Record<string, string | undefined>>

/** Is anybody named whom spans could be told? */
const isNamed = ({
  OTEL_EXPORTER_OTLP_ENDPOINT: all,
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: traces,
}: Variables) => Boolean(all || traces)

/**
 * `undefined` where nobody is named whom spans could be told: then nothing of it is loaded either. What is wrong with the settings is
 * logged, and nothing traced: how the service is watched is no reason not to serve.
 */
export const tracingOf = (
  functionName: string,
  variables: Variables,
  deps: { log: Log; background: Background },
): Tracing | undefined => {
  if (!isNamed(variables)) return undefined
  const loading = import("./traced.ts")
    .then(({ startTracing }) => startTracing(functionName, variables, deps))
    .catch((error: unknown) => {
      deps.log.error("nothing is traced", { error })
      return null
    })
  return {
    root: async (root, work) => {
      const traced = await loading
      return traced === null ? await work() : await traced(root, work)
    },
  }
}
