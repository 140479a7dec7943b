import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { isBrowserMissing, type OpenBrowser, openBrowser, type Site, startSite } from "../support/browser.ts"
import { parseDocument } from "../support/documents.ts"
import { type RunningHotswap, removeHome, startHotswap } from "../support/hotswap.ts"
import { ROOT } from "../support/source-tree.ts"

const run = promisify(execFile)
const PATIENTLY = { timeout: 20_000, interval: 50 }

const guide = (name: string): string => readFileSync(join(ROOT, "docs/guides", name), "utf8")

/** The blocks that stand under this comment. */
const blocksUnder = (comment: string, text: string): string[] =>
  [...text.matchAll(/<!-- ([^>]*) -->\n```\w+\n([\s\S]*?)```/g)].flatMap(([, said, code = ""]) =>
    said === comment ? [code] : [],
  )

const SDK = JSON.parse(readFileSync(join(ROOT, "sdk/package.json"), "utf8")) as {
  exports: Record<string, { types: string }>
}

/** The package's names as its sources: what `sdk/package.json` says they are built from. */
const withSources = (code: string, root: string): string =>
  code.replaceAll(/"@hotswap\/sdk(\/[\w-]+)?"/g, (_, name = "") => {
    const { types } = SDK.exports[`.${name}`]!
    return JSON.stringify(`${root}/${types.replace("dist/types/", "").replace(/\.d\.ts$/, ".ts")}`)
  })

let hotswap: RunningHotswap
let sites: Site[] = []
let folder: string
const inPage = blocksUnder("page", guide("browser.md")).map((code) => {
  const [imports = "", ...rest] = code.split("\n\n")
  const body = rest
    .join("\n\n")
    .replace('"http://localhost:8787"', "globalThis.HOTSWAP")
    .replace('"paste the token here"', "globalThis.TOKEN")
  return withSources(`${imports}\nif (globalThis.TOKEN) void (async () => {\n${body}\n})()`, ".")
})

beforeAll(async () => {
  sites = await Promise.all(inPage.map(startSite))
  const origins = sites.map(({ origin }) => origin).join(",")
  hotswap = await startHotswap({ env: { HOTSWAP_CORS_ORIGINS: origins } })
  folder = await mkdtemp(join(tmpdir(), "hotswap-guides-"))
  await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"))
}, 120_000)
afterAll(async () => {
  await Promise.all([...sites.map((site) => site.close()), hotswap?.stop()])
  if (hotswap) await removeHome(hotswap.home)
  if (folder) await rm(folder, { recursive: true })
})

/** A terminal: what one script defines the next ones have. */
const terminal = () => {
  let kept = ""
  return async (script: string, env: Record<string, string> = {}): Promise<string> => {
    const { stdout, stderr } = await run("bash", ["--norc", "-euo", "pipefail", "-c", `${kept}\n${script}`], {
      env: { ...process.env, HOTSWAP: hotswap.url, ADMIN: hotswap.adminToken, ...env },
    })
    expect(stderr).toBe("")
    kept ||= script.match(/^\w+\(\) \{.*\}$/gm)?.join("\n") ?? ""
    return stdout
  }
}

const answersOf = (output: string) =>
  output
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Record<string, unknown>)

const expectNoProblem = (output: string) =>
  expect(answersOf(output).flatMap(({ code, detail }) => (code ? [code, detail] : []))).toEqual([])

/** Saves a block under its name and runs it, as the guide has it. */
const started = async (name: string, code: string, token: string) => {
  const path = join(folder, name)
  await writeFile(path, withSources(code, ROOT))
  const child = spawn(join(ROOT, "node_modules/.bin/node"), [path], {
    env: { ...process.env, HOTSWAP: hotswap.url, TOKEN: token, NODE_NO_WARNINGS: "1" },
  })
  let said = ""
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (data) => {
      said += data
    })
  const lines = () => said.trim().split("\n")
  return { child, lines }
}

test("the guide for Node, in five minutes", async () => {
  const text = guide("node.md")
  const shell = terminal()
  const [setUp = "", on = "", off = ""] = blocksUnder("shell", text)
  const output = await shell(`${setUp}\necho "token $TOKEN"`)
  expectNoProblem(output)
  const [, token = ""] = /^token (\S+)$/m.exec(output) ?? []

  const app = await started("app.mjs", blocksUnder("app.mjs", text)[0]!, token)
  await expect.poll(app.lines, PATIENTLY).toHaveLength(5)
  expect(app.lines()[0]).toBe("hello")
  expectNoProblem(await shell(on))
  const all = ["hello", "ann true", "bob true", "cyd true", "dan true"]
  await expect.poll(() => app.lines().slice(5), PATIENTLY).toEqual(all)
  app.child.kill()

  const flags = await started("flags.mjs", blocksUnder("flags.mjs", text)[0]!, token)
  await expect.poll(flags.lines, PATIENTLY).toEqual(["true STATIC on"])
  expectNoProblem(await shell(off))
  await expect.poll(flags.lines, PATIENTLY).toEqual(["true STATIC on", "false DISABLED off"])
  const ended = once(flags.child, "exit")
  flags.child.kill("SIGTERM")
  expect(await ended).toEqual([0, null])
})

test("the guide for other languages, in five minutes", async () => {
  const blocks = blocksUnder("shell", guide("other-languages.md"))
  const output = await terminal()(blocks.join("\n"))
  expectNoProblem(output)
  expect(answersOf(output).at(-1)).toMatchObject({ key: "fast-lane", reason: "SPLIT" })
  expect(output.trim().split("\n").at(-1)).toBe("304")
})

test("flags in practice", async () => {
  const output = await terminal()(blocksUnder("shell", guide("flags-in-practice.md")).join("\n"))
  expectNoProblem(output)
  const answers = answersOf(output)
  expect(answers).toContainEqual(
    expect.objectContaining({ key: "ops.search.suggestions", reason: "DISABLED" }),
  )
  expect(output).toMatch(/^checkout\.new-form tenant$/m)
  expect(output).toMatch(/^\d{4}-\d\d-\d\dT\S+Z$/m)
})

test("what holds for every call of the API", async () => {
  const output = await terminal()(blocksUnder("shell", guide("../api.md")).join("\n"))
  const [tenant, first, second, ...edited] = answersOf(output)
  expect(tenant).toMatchObject({ tenantId: "reef" })
  expect(first).toMatchObject({ key: "depth", value: 7 })
  expect(second).toEqual(first)
  expect(edited).toEqual([expect.objectContaining({ value: 8 })])
  expect(output.trim().split("\n").at(-1)).toBe("412")
})

describe.skipIf(isBrowserMissing)("the guide for web pages, in five minutes", () => {
  let browser: OpenBrowser
  let token: string
  const shell = terminal()
  const [setUp = "", change = ""] = blocksUnder("shell", guide("browser.md"))
  beforeAll(async () => {
    browser = await openBrowser()
    const output = await shell(setUp)
    expectNoProblem(output)
    token = String(answersOf(output).at(-1)!.token)
  })
  afterAll(() => browser?.close())

  test.each(["with our provider", "with OpenFeature's own"])("%s", async (way) => {
    const site = sites[way === "with our provider" ? 0 : 1]!
    const page = await browser.open(site.origin)
    const given = `Object.assign(globalThis, ${JSON.stringify({ HOTSWAP: hotswap.url, TOKEN: token })})`
    await page.addInitScript(given)
    const listening = page.waitForRequest("**/ofrep/v1/stream**")
    await page.reload()
    await expect.poll(() => page.title(), PATIENTLY).toMatch(/!$/)
    await listening
    const sale = way === "with our provider" ? "LAST DAY!" : "GONE!"
    expectNoProblem(await shell(change.replace("LAST DAY!", sale)))
    await expect.poll(() => page.title(), PATIENTLY).toBe(sale)
  })
})

test("the guides have no block that is not run, but for those that say so", () => {
  const names = ["node.md", "browser.md", "other-languages.md"]
  const runnable = names
    .flatMap((name) => parseDocument(name, guide(name)).blocks)
    .filter(({ language }) => ["sh", "js", "ts"].includes(language))
  const marked = names.flatMap((name) => [...guide(name).matchAll(/^<!-- .* -->$/gm)])
  const [start, ...others] = runnable.filter(({ code }) => /\bnpm\b/.test(code))
  expect(others).toEqual([])
  expect(start!.code).toBe("HOTSWAP_CORS_ORIGINS=http://localhost:5173 npm start\n")
  expect(runnable.length - 1).toBe(marked.length)
})
