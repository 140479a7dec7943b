import { type Background, createBackground } from "./background.ts"
import { type CachePort, createCache } from "./cache.ts"
import { type Clock, systemClock } from "./clock.ts"
import { jsonLog, type Log } from "./log.ts"
import { type Metrics, metricsOf } from "./metric-log.ts"
import type { RedisSender, SenderOptions } from "./redis-sender.ts"
import { type Trace, type Tracing, traceBelow, tracingOf } from "./tracing.ts"

/** What every function has. */
export interface Basics {
  clock: Clock
  log: Log
  trace: Trace
  background: Background
  /** Absent: nobody makes metrics of what is told. */
  metrics?: Metrics | undefined
  /** Absent: nothing is traced. */
  tracing?: Tracing | undefined
}

/** What a host or a test puts in the place of the usual. */
export interface Overrides {
  clock?: Clock
  log?: Log
  trace?: Trace
  background?: Background
  metrics?: Metrics
}

export const composeBasics = (
  functionName: string,
  overrides: Overrides,
  variables: Readonly<Record<string, string | undefined>> = {},
): Basics => {
  const clock = overrides.clock ?? systemClock
  const log = overrides.log ?? jsonLog({ clock, functionName })
  const background = overrides.background ?? createBackground(log)
  return {
    clock,
    log,
    trace: overrides.trace ?? traceBelow,
    background,
    tracing: tracingOf(functionName, variables, { log, background }),
    metrics: overrides.metrics ?? metricsOf(variables, clock),
  }
}

export const composeCache = (
  basics: Basics,
  settings: { redisUrl: string; redisToken: string; cacheTtlSeconds: number },
  sender: (options: SenderOptions) => RedisSender,
): CachePort =>
  createCache({
    ...basics,
    send: sender({ url: settings.redisUrl, token: settings.redisToken }),
    ttlSeconds: settings.cacheTtlSeconds,
  })
