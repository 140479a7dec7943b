import { setTimeout as pause } from "node:timers/promises"
import { HELP, wantsHelp } from "./help.ts"
import { readLocalSettings, StartError } from "./settings.ts"
import type { RunningLocal } from "./start.ts"

/** Past this, stopping is not waited for: what is left of our children ends with us. */
const STOP_LIMIT_MS = 9_500
const ECHO_MS = 250
const SIGNAL_HEARD_MS = 20

const say = (line: string): void => {
  process.stdout.write(`${line}\n`)
}
const complain = (line: string): void => {
  process.stderr.write(`${line}\n`)
}

const explain = (error: unknown): void => {
  if (error instanceof StartError) for (const line of error.message.split("\n")) complain(`hotswap: ${line}`)
  else complain(`hotswap could not start: ${error instanceof Error ? error.stack : String(error)}`)
}

const endInTime = (): void => {
  setTimeout(() => {
    complain("hotswap: something did not stop in time and was cut off")
    process.exit(1)
  }, STOP_LIMIT_MS).unref()
}

const main = async (): Promise<void> => {
  try {
    if (wantsHelp(process.argv.slice(2))) {
      say(HELP)
      return
    }
  } catch (error) {
    explain(error)
    process.exit(1)
  }
  // A signal may come while it is still starting: then it stops as soon as it has.
  const signalled = Promise.withResolvers<string>()
  let firstAtMs: number | undefined
  const onSignal = (signal: string): void => {
    signalled.resolve(signal)
    if (firstAtMs === undefined) endInTime()
    firstAtMs ??= performance.now()
    // Whoever asks twice does not want to wait; but npm passes on what the terminal has sent already.
    if (performance.now() - firstAtMs > ECHO_MS) process.exit(1)
  }
  process.on("SIGINT", onSignal)
  process.on("SIGTERM", onSignal)

  let running: RunningLocal
  try {
    const settings = readLocalSettings(process.env)
    say(`  Hotswap starts, on ${settings.home}`)
    // Loaded only now: it takes a moment, and settings that make no sense are told at once.
    const { startLocal } = await import("./start.ts")
    running = await startLocal(settings, {
      progress: (line) => say(`  … ${line}`),
      log: complain,
    })
  } catch (error) {
    // Ctrl-C reaches what is being started as well: that this then fails is no news. It may have come while a call did not
    // return, and is heard a little later.
    await pause(SIGNAL_HEARD_MS)
    if (firstAtMs === undefined) explain(error)
    else complain("hotswap: stopped before it was ready")
    process.exit(1)
  }
  say(running.screen)
  const signal = await signalled.promise
  say(`  … ${signal}: stopping`)
  await running.stop()
  say("  stopped; what was stored is kept")
  process.exit(0)
}

await main()
