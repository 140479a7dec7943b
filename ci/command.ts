import { spawn } from "node:child_process"
import { dirname, join } from "node:path"

export const ROOT = join(import.meta.dirname, "..")

/** Where what a step leaves for another is: beside the templates, which no repository keeps. */
export const OUT = join(ROOT, "cdk.out")

const SIGNALS = ["SIGINT", "SIGTERM"] as const
// Each command that runs hears them, however many there are at once.
process.setMaxListeners(0)

export interface CommandOptions {
  directory?: string
  /** Besides what this process has. */
  environment?: Readonly<Record<string, string>>
}

const environmentWith = (added: CommandOptions["environment"]): NodeJS.ProcessEnv => ({
  ...process.env,
  ...added,
  // This Node and the tools that are installed here before any others of the machine.
  PATH: [dirname(process.execPath), join(ROOT, "node_modules/.bin"), process.env.PATH].join(":"),
})

const ended = async (
  what: string,
  args: readonly string[],
  { directory = ROOT, environment }: CommandOptions,
  output: "inherit" | "pipe",
): Promise<{ code: number; stdout: string; stderr: string }> =>
  await new Promise((resolve, reject) => {
    const child = spawn(what, args, {
      cwd: directory,
      env: environmentWith(environment),
      stdio: ["ignore", output, output],
    })
    const texts = { stdout: "", stderr: "" }
    child.stdout?.setEncoding("utf8").on("data", (text) => {
      texts.stdout += text
    })
    child.stderr?.setEncoding("utf8").on("data", (text) => {
      texts.stderr += text
    })
    // Whoever is told to end may have something to take back first: it is told, and waited for.
    const tell = (signal: NodeJS.Signals): void => void child.kill(signal)
    for (const signal of SIGNALS) process.on(signal, tell)
    const isOver = (): void => {
      for (const signal of SIGNALS) process.off(signal, tell)
    }
    child.on("error", (error) => {
      isOver()
      reject(error)
    })
    child.on("close", (code) => {
      isOver()
      resolve({ code: code ?? 1, ...texts })
    })
  })

/** Runs it with its output shown. Throws if it ends with anything but 0. */
export const show = async (
  what: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<void> => {
  const { code } = await ended(what, args, options, "inherit")
  if (code !== 0) throw new Error(`${what} ${args[0] ?? ""} ended with ${code}`)
}

/** What it says on its standard output. Throws, with what it says of the reason, if it ends with anything but 0. */
export const ask = async (
  what: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> => {
  const { code, stdout, stderr } = await ended(what, args, options, "pipe")
  if (code !== 0) throw new Error(`${what} ${args[0] ?? ""} ended with ${code}: ${stderr.trim()}`)
  return stdout
}

/** A setting of the step. Throws if there is none. */
export const setting = (name: string): string => {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set`)
  return value
}
