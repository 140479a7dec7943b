import { parseArgs } from "node:util"
import { wrongUsage } from "./failure.ts"
import type { Answer, Service } from "./service.ts"
import type { ProgressLine, Terminal } from "./terminal.ts"

/** What a command is given: its words, its options, and the deployment that it asks. */
export interface Run {
  words: readonly string[]
  flag(name: string): boolean
  text(name: string): string | undefined
  /** A whole number; throws Failure where it is none. */
  number(name: string): number | undefined
  service: Service
  /** Another deployment than the one that is asked otherwise. */
  serviceAt(url: string, token: string): Service
  variables: Readonly<Record<string, string | undefined>>
  terminal: Terminal
  line: ProgressLine
  /** The answer: all of it with `--json`, otherwise as these lines. */
  answer(answer: unknown, lines: string): void
}

export interface Option {
  /** Absent: it is on or off. */
  value?: string
  about: string
}

export interface Command {
  /** `backup create`. */
  name: string
  /** Behind the name: `<tenant>`; in brackets what may be left out. */
  words: readonly string[]
  about: string
  options?: Readonly<Record<string, Option>>
  run(run: Run): Promise<void>
}

const EVERYWHERE: Readonly<Record<string, Option>> = {
  url: { value: "url", about: "the deployment; otherwise HOTSWAP_URL" },
  json: { about: "the whole answer as JSON" },
  help: { about: "this help" },
}

const optionText = ([name, { value }]: [string, Option]): string => `--${name}${value ? ` <${value}>` : ""}`

export const usageOf = ({ name, words, options = {} }: Command): string =>
  ["hotswap", name, ...words, ...Object.entries(options).map((option) => `[${optionText(option)}]`)].join(" ")

/** The help of one command. */
export const helpOf = (command: Command): string => {
  const options = Object.entries({ ...command.options, ...EVERYWHERE })
  const width = Math.max(...options.map((option) => optionText(option).length))
  const lines = options.map((option) => `  ${optionText(option).padEnd(width)}  ${option[1].about}`)
  return [usageOf(command), "", command.about, "", ...lines].join("\n")
}

/** What was given to a command. Throws Failure where it does not take it. */
export const parsedFor = (command: Command, given: readonly string[]) => {
  const known = Object.entries({ ...command.options, ...EVERYWHERE })
  const options = Object.fromEntries(
    known.map(([name, { value }]) => [name, { type: value ? ("string" as const) : ("boolean" as const) }]),
  )
  let parsed: { values: Record<string, unknown>; positionals: string[] }
  try {
    parsed = parseArgs({ args: [...given], options, allowPositionals: true, strict: true })
  } catch (error) {
    throw wrongUsage(`${(error as Error).message.split(". ")[0]}; see hotswap ${command.name} --help`)
  }
  const { values, positionals } = parsed
  const least = command.words.filter((word) => !word.startsWith("[")).length
  if (values.help !== true && (positionals.length < least || positionals.length > command.words.length))
    throw wrongUsage(`usage: ${usageOf(command)}`)
  return { values, words: positionals }
}

const NUMBER = /^\d{1,9}$/

export const readers = (values: Readonly<Record<string, unknown>>): Pick<Run, "flag" | "text" | "number"> => {
  const text = (name: string): string | undefined => values[name] as string | undefined
  return {
    flag: (name) => values[name] === true,
    text,
    number: (name) => {
      const given = text(name)
      if (given === undefined) return undefined
      if (!NUMBER.test(given)) throw wrongUsage(`--${name} is "${given}", not a whole number`)
      return Number(given)
    },
  }
}

/** The members that have a value. */
export const given = (members: Answer): Answer =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
