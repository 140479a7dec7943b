import { execFile, execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type RunningHotswap, removeHome, startHotswap } from "../support/hotswap.ts"
import { ROOT } from "../support/source-tree.ts"

const run = promisify(execFile)

/** The shell blocks that stand under a comment which begins so. */
const blocksUnder = (comment: string): string =>
  [...readFileSync(join(ROOT, "README.md"), "utf8").matchAll(/<!-- ([^>]*) -->\n```sh\n([\s\S]*?)```/g)]
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
  reader?: string
}
const printed = (output: string): Printed[] =>
  output
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line) as Printed)

describe.skipIf(!hasCurl)("the first calls of the README, in a shell", () => {
  let hotswap: RunningHotswap
  beforeAll(async () => {
    hotswap = await startHotswap()
  })
  afterAll(async () => {
    await hotswap.stop()
    await removeHome(hotswap.home)
  })

  const shell = async (script: string): Promise<Printed[]> => {
    const env = { ...process.env, HOTSWAP: hotswap.url, ADMIN: hotswap.adminToken }
    const { stdout } = await run("bash", ["-euo", "pipefail", "-c", script], { env })
    return printed(stdout)
  }

  test("take a config through three approvals and a canary to every reader", async () => {
    const setUp = blocksUnder("quick start:")
    const reading = blocksUnder("quick start, read:")
    expect(setUp).toContain("promote")
    const answers = await shell(`${setUp}\necho "{\\"reader\\":\\"$READER\\"}"`)
    expect(answers.map(({ code }) => code).filter(Boolean)).toEqual([])
    const reader = answers.at(-1)?.reader ?? ""
    const call = setUp.split("\n").find((line) => line.startsWith("call()"))
    const read = () => shell(`${call}\nREADER=${reader}\n${reading}`)
    await expect
      .poll(async () => (await read())[0]?.configs, { timeout: 30_000, interval: 250 })
      .toEqual({ "feature.new_dashboard": "true" })
  })
})
