import type { Clock } from "./clock.ts"

type Fields = Readonly<Record<string, unknown>>

/** One line of JSON per event. Callers never hand it a token or a configuration value. */
export interface Log {
  info(message: string, fields?: Fields): void
  warn(message: string, fields?: Fields): void
  error(message: string, fields?: Fields): void
}

const CAUSES_MAX = 5

// An error's own members may quote the statement or the values that failed: only these three are told.
const describe = (error: Error, depth = 0): Record<string, unknown> => ({
  name: error.name,
  message: error.message,
  ...("code" in error && typeof error.code === "string" ? { code: error.code } : {}),
  ...(error.stack === undefined
    ? {}
    : {
        stack: error.stack
          .split("\n")
          .slice(1, 6)
          .map((line) => line.trim()),
      }),
  ...(error.cause instanceof Error && depth < CAUSES_MAX ? { cause: describe(error.cause, depth + 1) } : {}),
})

const shown = (value: unknown): unknown => (value instanceof Error ? describe(value) : value)

/** Writes `{at, level, message, …fields}` lines. `write` gets each without its line end. */
export const jsonLog = (options: {
  clock: Clock
  functionName: string
  write?: (line: string) => void
}): Log => {
  const write = options.write ?? ((line: string) => process.stdout.write(`${line}\n`))
  const at =
    (level: string) =>
    (message: string, fields: Fields = {}) => {
      const entries = Object.entries(fields).map(([name, value]) => [name, shown(value)])
      write(
        JSON.stringify({
          at: options.clock.now().toISOString(),
          level,
          function: options.functionName,
          message,
          ...Object.fromEntries(entries),
        }),
      )
    }
  return { info: at("info"), warn: at("warn"), error: at("error") }
}
