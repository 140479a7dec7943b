/** What the person at the terminal is told, in one line. The exit code is 1, or 2 where the command itself is wrong. */
export class Failure extends Error {
  readonly exitCode: 1 | 2
  constructor(message: string, exitCode: 1 | 2 = 1) {
    super(message)
    this.name = "Failure"
    this.exitCode = exitCode
  }
}

export const wrongUsage = (message: string): Failure => new Failure(message, 2)

const CONTROL = /[\p{Cc}\p{Cf}\u2028\u2029]+/gu
const LINE_LENGTH_MAX = 1_000

/** One line without anything that a terminal would act on: what a service answers is not to move the cursor. */
export const oneLine = (text: string): string => {
  const line = text.replaceAll(CONTROL, " ").trim()
  return line.length > LINE_LENGTH_MAX ? `${line.slice(0, LINE_LENGTH_MAX)}…` : line
}
