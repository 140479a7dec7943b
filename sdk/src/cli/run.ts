import { BACKUP_COMMANDS } from "./backup-commands.ts"
import { type Command, helpOf, parsedFor, type Run, readers, usageOf } from "./command.ts"
import { CONFIG_COMMANDS } from "./config-commands.ts"
import { Failure, oneLine, wrongUsage } from "./failure.ts"
import { HAND_OVER_COMMANDS } from "./hand-over.ts"
import { JOB_COMMANDS } from "./job-commands.ts"
import { PROVISION_COMMANDS } from "./provision-commands.ts"
import { RESTORE_COMMANDS } from "./restore-commands.ts"
import { RULE_COMMANDS } from "./rule-commands.ts"
import { OUTSIDE, type Outside, serviceAt } from "./service.ts"
import { progressLine, type Terminal } from "./terminal.ts"

/** Every command, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  ...CONFIG_COMMANDS,
  ...RULE_COMMANDS,
  ...BACKUP_COMMANDS,
  ...RESTORE_COMMANDS,
  ...HAND_OVER_COMMANDS,
  ...JOB_COMMANDS,
  ...PROVISION_COMMANDS,
]

const overview = (): string => {
  const width = Math.max(...COMMANDS.map(({ name, words }) => [name, ...words].join(" ").length))
  const lines = COMMANDS.map(
    ({ name, words, about }) =>
      `  ${[name, ...words].join(" ").padEnd(width)}  ${about.split(/[;:.](?=\s|$)/)[0]}`,
  )
  return [
    "hotswap <command>: configuration as files, and archives of tenants, restored and moved",
    "",
    ...lines,
    "",
    "HOTSWAP_URL is the deployment's address and HOTSWAP_TOKEN the token to ask it with.",
    "hotswap <command> --help tells more. Exits with 0, with 1 where it failed, with 2 where the command is wrong.",
  ].join("\n")
}

/** The command that the words begin with; the longest name wins. */
const commandOf = (given: readonly string[]): { command: Command; rest: readonly string[] } => {
  const words = given.slice(0, 2).filter((word) => !word.startsWith("-"))
  const named = [words.join(" "), words[0] ?? ""]
  for (const name of named) {
    const command = COMMANDS.find((one) => one.name === name)
    if (command) return { command, rest: given.slice(name.split(" ").length) }
  }
  const near = COMMANDS.filter(({ name }) => name.startsWith(`${words[0]} `)).map(usageOf)
  throw wrongUsage(
    near.length > 0
      ? `say which: ${near.join("; ")}`
      : `there is no command "${given[0]}"; see hotswap --help`,
  )
}

type Variables = Readonly<Record<string, string | undefined>>

const runOf = (
  { values, words }: ReturnType<typeof parsedFor>,
  variables: Variables,
  terminal: Terminal,
  outside: Outside,
): Run => {
  const reading = readers(values)
  const isJson = reading.flag("json")
  const url = reading.text("url") ?? variables.HOTSWAP_URL
  if (!url) throw wrongUsage("set HOTSWAP_URL to the address of the deployment, or give it with --url")
  if (!variables.HOTSWAP_TOKEN) throw wrongUsage("set HOTSWAP_TOKEN to the token to ask the deployment with")
  return {
    ...reading,
    words,
    variables,
    terminal,
    service: serviceAt(url, variables.HOTSWAP_TOKEN, outside),
    serviceAt: (other, token) => serviceAt(other, token, outside),
    line: progressLine(terminal, isJson),
    answer: (answer, lines) =>
      terminal.out(isJson ? `${JSON.stringify(answer, null, 2)}\n` : lines === "" ? "" : `${lines}\n`),
  }
}

/** Runs one command line and returns the exit code; what went wrong is noted in one line. */
export const runCli = async (
  given: readonly string[],
  variables: Variables,
  terminal: Terminal,
  outside: Outside = OUTSIDE,
): Promise<0 | 1 | 2> => {
  try {
    if (given.length === 0 || ["help", "--help", "-h"].includes(given[0]!)) {
      terminal.out(`${overview()}\n`)
      return given.length === 0 ? 2 : 0
    }
    const { command, rest } = commandOf(given)
    const parsed = parsedFor(command, rest)
    if (parsed.values.help === true) terminal.out(`${helpOf(command)}\n`)
    else await command.run(runOf(parsed, variables, terminal, outside))
    return 0
  } catch (error) {
    terminal.note(`hotswap: ${oneLine((error as Error).message)}\n`)
    return error instanceof Failure ? error.exitCode : 1
  }
}
