import { execFile, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type RunningHotswap, removeHome, startHotswap } from "../support/hotswap.ts"
import { ROOT } from "../support/source-tree.ts"

const run = promisify(execFile)

/** The shell blocks that stand under a comment which begins so. */
const blocksUnder = (comment: string, page = "README.md"): string =>
  [...readFileSync(join(ROOT, page), "utf8").matchAll(/<!-- ([^>]*) -->\n```sh\n([\s\S]*?)```/g)]
    .filter(([, said = ""]) => said.startsWith(comment))
    .map(([, , code]) => code)
    .join("\n")

const hasCurl = (() => {
  try {
    execFileSync("curl", ["--version"])
    return true
  } catch {
    return false
  }
})()

interface Printed {
  code?: string
  configs?: Record<string, unknown>
  state?: string
  applied?: string
  delivered?: boolean
  verdict?: { kind: string }
  flags?: unknown[]
}
const printed = (output: string): Printed[] =>
  output
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line) as Printed)

/** Tokens that the first calls leave in the shell, and the later ones take from there. */
const TOKENS = ["ENGINEER", "MANAGER", "COMPLIANCE", "READER"]

describe.skipIf(!hasCurl)("the calls of the README, in a shell", () => {
  let hotswap: RunningHotswap
  beforeAll(async () => {
    hotswap = await startHotswap({ env: { HOTSWAP_OUTBOUND_ALLOW: "127.0.0.0/8" } })
  })
  afterAll(async () => {
    await hotswap.stop()
    await removeHome(hotswap.home)
  })

  const setUp = blocksUnder("quick start:")
  /** The shell's own: what the first calls have defined, and the tokens they were given. */
  let kept = setUp.match(/^\w+\(\) \{[\s\S]*?; \}$/gm)?.join("\n") ?? ""
  const env = () => ({ ...process.env, HOTSWAP: hotswap.url, ADMIN: hotswap.adminToken })
  const shell = async (script: string): Promise<string> => {
    const { stdout, stderr } = await run("bash", ["--norc", "-euo", "pipefail", "-c", script], { env: env() })
    expect(stderr).toBe("")
    return stdout
  }
  const codesOf = (answers: Printed[]) => answers.map(({ code }) => code).filter(Boolean)

  test("the first take a config through three approvals and a canary to every reader", async () => {
    expect(setUp).toContain("promote")
    const output = await shell(`${setUp}\necho "---"\ndeclare -p ${TOKENS.join(" ")}`)
    const [said = "", tokens = ""] = output.split("---\n")
    kept = `${kept}\n${tokens}`
    const answers = printed(said)
    expect(codesOf(answers)).toEqual([])
    expect(answers.flatMap(({ state }) => state ?? [])).toEqual([
      ...["awaiting_approval", "awaiting_approval", "rolling_out"],
      ...["rolling_out", "live"],
    ])
    const read = async () => printed(await shell(`${kept}\n${blocksUnder("quick start, read:")}`))
    await expect
      .poll(async () => (await read())[0]?.configs, { timeout: 30_000, interval: 250 })
      .toEqual({ "feature.new_dashboard": "true" })
  })

  test("the others do what is said of each", async () => {
    const received: string[] = []
    const receiver = createServer(async (request, response) => {
      received.push((JSON.parse(await text(request)) as { type: string }).type)
      response.end()
    }).listen(0, "127.0.0.1")
    await once(receiver, "listening")
    const { port } = receiver.address() as AddressInfo
    const more = blocksUnder("more:")
    expect(more).toContain(":9999/")
    const answers = printed(await shell(`${kept}\n${more.replace(":9999/", `:${port}/`)}`))
    receiver.close()
    expect(codesOf(answers)).toEqual([])
    expect(answers.flatMap(({ state }) => state ?? [])).toEqual([
      // a policy that asks for an approval; blue-green, there and back; waves, taken back; the gate; a signal
      ...["awaiting_approval", "rolling_out", "rolled_back", "rolled_back", "rolled_back", "rolled_back"],
    ])
    const preview = answers.find(({ configs }) => configs !== undefined)
    expect(preview?.configs).toEqual({ "feature.new_dashboard": "true", theme: "blue" })
    expect(answers.find(({ verdict }) => verdict !== undefined)?.verdict?.kind).toBe("unhealthy")
    expect(answers.find((answer) => Array.isArray(answer))).toEqual([1, 1, 1, 1])
    expect(answers).toContainEqual(expect.objectContaining({ delivered: true }))
    expect(answers).toContainEqual(expect.objectContaining({ value: { $secret: true, version: 1 } }))
    expect(answers).toContainEqual(expect.objectContaining({ value: "correct horse" }))
    expect(answers).toContainEqual(
      expect.objectContaining({ key: "new-checkout", variant: "on", reason: "SPLIT" }),
    )
    // At the edge it is there within seconds; the guides wait for it.
    expect(answers.find(({ flags }) => flags !== undefined)?.flags).toBeInstanceOf(Array)
    expect(answers).toContainEqual(expect.objectContaining({ action: "sync_request", allowed: true }))
    expect(answers).toContainEqual(expect.objectContaining({ ok: true, head: expect.anything() }))
    expect(received).toContain("channel.test")
  })

  test("what docs/events.md tells of is in the usage that it asks for", async () => {
    const blocks = blocksUnder("events:", "docs/events.md")
    expect(codesOf(printed(await shell(`${kept}\n${blocks}`)))).toEqual([])
    const [, usage] = blocks.match(/^(call GET .*usage.*)$/m)!
    const orders = async () =>
      (printed(await shell(`${kept}\n${usage}`)) as { orders?: unknown }[])[0]?.orders
    await expect.poll(orders, { timeout: 20_000, interval: 250 }).toEqual({ count: 1, amountCents: 1_250 })
  })

  test("the audit is checked by whoever has an export of it and the key", async () => {
    const folder = await mkdtemp(join(tmpdir(), "hotswap-readme-"))
    const script = `${kept}\n${blocksUnder("audit:").replaceAll(/\b(acme\.jsonl|key\.json)/g, `${folder}/$1`)}`
    expect(await shell(script)).toMatch(/^ok\b/)
    await rm(folder, { recursive: true })
  })

  test("the stream says at once where things are", async () => {
    const script = `${kept}\n${blocksUnder("stream:").replace(/^curl/m, "exec curl")}`
    const listener = spawn("bash", ["--norc", "-euo", "pipefail", "-c", script], { env: env() })
    let heard = ""
    listener.stdout.on("data", (data) => {
      heard += data
    })
    await expect.poll(() => heard, { timeout: 10_000 }).toMatch(/^event: tenant_config\nid: \d+(\.\d+){3}\n/m)
    listener.kill()
    await once(listener, "exit")
  })
})
