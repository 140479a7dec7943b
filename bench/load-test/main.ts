import { writeFileSync } from "node:fs"
import { cpus, loadavg } from "node:os"
import { parseArgs } from "node:util"
import { removeHome, startHotswap } from "../../test/support/hotswap.ts"
import { putLoad } from "./load.ts"
import type { Service } from "./people.ts"
import { linesOf } from "./tally.ts"

const USAGE = `npm run load -- [--seconds 240] [--tenants 100] [--seed 1] [--json file] [--url https://…]
  With --url or HOTSWAP_URL, HOTSWAP_TOKEN is a platform admin's token there: tenants are made, and deleted afterwards.
  Without, a Hotswap of its own is started, and gone afterwards.`

const wrong = (message: string): never => {
  console.error(`${message}\n${USAGE}`)
  process.exit(2)
}

const readOptions = () => {
  try {
    const { values } = parseArgs({
      options: {
        seconds: { type: "string", default: "240" },
        tenants: { type: "string", default: "100" },
        seed: { type: "string", default: "1" },
        json: { type: "string" },
        url: { type: "string" },
        help: { type: "boolean" },
      },
    })
    return values
  } catch (error) {
    return wrong((error as Error).message)
  }
}

const options = readOptions()
if (options.help) {
  console.log(USAGE)
  process.exit(0)
}

const whole = (name: "seconds" | "tenants" | "seed", max: number): number => {
  const number = Number(options[name])
  return Number.isInteger(number) && number >= 1 && number <= max
    ? number
    : wrong(`--${name} is a whole number from 1 to ${max}, not "${options[name]}"`)
}
const seconds = whole("seconds", 86_400)
const tenants = whole("tenants", 1_000)
const seed = whole("seed", 2 ** 31)

const url = options.url ?? process.env.HOTSWAP_URL
const token = process.env.HOTSWAP_TOKEN
if (url !== undefined && token === undefined)
  wrong("HOTSWAP_TOKEN is missing: a platform admin's, of that service")

const stopping = new AbortController()
process.once("SIGINT", () => stopping.abort())
process.once("SIGTERM", () => stopping.abort())

const tell = (line: string): void => console.error(line)

/** Somewhere else, or one of its own. */
const open = async (): Promise<{ service: Service; close: () => Promise<void> }> => {
  if (url !== undefined)
    return { service: { url: url.replace(/\/$/, ""), adminToken: token! }, close: async () => undefined }
  tell("starting a Hotswap of its own")
  const hotswap = await startHotswap()
  const close = async () => {
    await hotswap.stop()
    await removeHome(hotswap.home)
  }
  return { service: { url: hotswap.url, adminToken: hotswap.adminToken }, close }
}

const { service, close } = await open()
try {
  const before = loadavg()[0]!
  const name = `load-${process.pid}-${Date.now().toString(36)}`
  const load = { seconds, tenants, seed, name, tidy: url !== undefined }
  const report = await putLoad(service, load, tell, stopping.signal)
  const machine = { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, node: process.version }
  console.log(
    `${machine.cores} × ${machine.cpu}, Node ${machine.node}, load average ${before.toFixed(1)} before it began`,
  )
  for (const line of linesOf(report)) console.log(line)
  if (options.json !== undefined)
    writeFileSync(
      options.json,
      `${JSON.stringify({ machine, seconds, tenants, seed, ...report }, null, 2)}\n`,
    )
  if (stopping.signal.aborted) console.log("ended early")
  process.exitCode = stopping.signal.aborted || report.goals.some(({ met }) => !met) ? 1 : 0
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
} finally {
  await close()
}
