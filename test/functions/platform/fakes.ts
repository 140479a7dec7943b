import type { Clock } from "../../../functions/platform/clock.ts"
import type { Log } from "../../../functions/platform/log.ts"

/** A clock that stands until it is moved. */
export interface HandClock extends Clock {
  advance(milliseconds: number): void
}

export const handClock = (startMs = Date.UTC(2026, 10, 21, 8)): HandClock => {
  let nowMs = startMs
  return {
    nowMs: () => nowMs,
    now: () => new Date(nowMs),
    advance: (milliseconds) => {
      nowMs += milliseconds
    },
  }
}

/** Keeps what is logged, for looking at. */
export interface KeptLog extends Log {
  lines: { level: "info" | "warn" | "error"; message: string; fields: Readonly<Record<string, unknown>> }[]
}

export const silentLog = (): KeptLog => {
  const lines: KeptLog["lines"] = []
  const at =
    (level: "info" | "warn" | "error") =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}) => {
      lines.push({ level, message, fields })
    }
  return { lines, info: at("info"), warn: at("warn"), error: at("error") }
}
