import { execFile } from "node:child_process"
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { gzipSync } from "node:zlib"
import { Miniflare } from "miniflare"
import { afterAll, beforeAll, expect, test } from "vitest"
import { buildSdk } from "../../sdk/build.ts"
import type * as Sdk from "../../sdk/src/index.ts"
import { GOLDEN_VIEWS } from "../golden/golden.ts"
import { type RunningHotswap, removeHome, startHotswap, temporaryHome } from "../support/hotswap.ts"
import { ROOT } from "../support/source-tree.ts"
import { snapshotOf } from "./scripted.ts"
import { createTenant } from "./service.ts"

const run = promisify(execFile)
const NODE = join(ROOT, "node_modules/.bin/node")

/** Gzipped. */
const CORE_BYTES_MAX = 8.5 * 1_024
const FLAG = { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "on" }

let folder: string
let application: string
let hotswap: RunningHotswap
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hotswap-package-"))
  application = join(folder, "application")
  const sources = join(folder, "sdk")
  await Promise.all([
    buildSdk(join(sources, "dist")),
    ...["package.json", "README.md"].map((name) => cp(join(ROOT, "sdk", name), join(sources, name))),
    mkdir(application),
    startHotswap({ home: await temporaryHome() }).then((running) => {
      hotswap = running
    }),
  ])
  await run("npm", ["pack", "--silent", "--pack-destination", folder], { cwd: sources })
  await writeFile(join(application, "package.json"), '{"type":"module","private":true}')
  const packed = join(folder, "hotswap-sdk-0.1.0.tgz")
  await run("npm", ["install", "--offline", "--no-audit", "--no-fund", packed], { cwd: application })
}, 180_000)
afterAll(async () => {
  await hotswap?.kill("group")
  if (hotswap) await removeHome(hotswap.home)
  await rm(folder, { recursive: true, force: true })
})

const installed = (name: string) => join(application, "node_modules/@hotswap/sdk", name)

test("an application installs the package without a network, and runs it on plain Node", async () => {
  const { token, tenantId } = await createTenant(hotswap, "installed", {
    greeting: "hello",
    flag: FLAG,
  })
  const script = `
    import { HotswapClient } from "@hotswap/sdk"
    import { diskStore } from "@hotswap/sdk/disk"
    import { explain } from "@hotswap/sdk/explain"
    const options = ${JSON.stringify({ url: hotswap.url, token, tenantId })}
    const client = new HotswapClient({ ...options, store: diskStore("kept/acme.json") })
    await client.ready()
    const view = client.view("user-1")
    client.report(view, { ok: true, latencyMs: 3 })
    await client.close()
    const again = new HotswapClient({ ...options, url: "http://127.0.0.1:1", store: diskStore("kept/acme.json") })
    await again.ready()
    console.log(JSON.stringify([view.get("greeting"), again.isEnabled("flag"), explain(view, "flag").evaluation.reason]))
    await again.close()
  `
  await writeFile(join(application, "main.js"), script)
  const { stdout, stderr } = await run(NODE, ["main.js"], { cwd: application })
  expect(stderr).toBe("")
  expect(JSON.parse(stdout)).toEqual(["hello", true, "STATIC"])
})

test("the five minutes of docs/sdk.md work as written", async () => {
  const { token } = await createTenant(hotswap, "acme-corp", { greeting: "hello", "new-dashboard": FLAG })
  const [, code = ""] =
    /test\/sdk\/package.test.ts -->\n```js\n(.*?)```/s.exec(
      await readFile(join(ROOT, "docs/sdk.md"), "utf8"),
    ) ?? []
  await writeFile(join(application, "five-minutes.js"), code)
  const env = { PATH: process.env.PATH, HOTSWAP: hotswap.url, READER: token }
  const { stdout, stderr } = await run(NODE, ["five-minutes.js"], { cwd: application, env })
  expect([stdout, stderr]).toEqual(["hello true\n", ""])
})

test("the core entry is small, imports nothing, and evaluates as its source does", async () => {
  const built = await readFile(installed("dist/index.js"))
  expect(gzipSync(built, { level: 9 }).length).toBeLessThanOrEqual(CORE_BYTES_MAX)
  expect(String(built)).not.toMatch(/\bimport\b|\brequire\b|\beval\b|new Function/)
  const { HotswapClient } = (await import(installed("dist/index.js"))) as typeof Sdk
  const fetch = () => new Promise<never>(() => {})
  for (const { configs, cases } of GOLDEN_VIEWS) {
    const bootstrap = snapshotOf(1, { configs })
    const client = new HotswapClient({
      url: "http://x",
      token: "t",
      tenantId: "acme",
      bootstrap,
      stream: false,
      fetch,
    })
    for (const { flag, context, expected, isTimed } of cases) {
      const { errorMessage: _, ...evaluation } = client.evaluate(flag, context)
      if (!isTimed) expect(evaluation).toEqual({ metadata: {}, ...expected })
    }
    await client.close()
  }
})

test("the core runs in a Worker", async () => {
  const { token, tenantId } = await createTenant(hotswap, "in-a-worker", { greeting: "hello", flag: FLAG })
  const main = `
    import { HotswapClient } from "./index.js"
    export default {
      async fetch(request) {
        const client = new HotswapClient(await request.json())
        await client.ready()
        const view = client.view("user-1")
        client.report(view, { ok: true })
        await client.close()
        return Response.json([view.get("greeting"), view.isEnabled("flag"), client.view().revision === view.revision])
      },
    }
  `
  const core = await readFile(installed("dist/index.js"), "utf8")
  const worker = new Miniflare({
    modules: [
      { type: "ESModule", path: "main.js", contents: main },
      { type: "ESModule", path: "index.js", contents: core },
    ],
    compatibilityDate: "2026-07-30",
    cf: false,
  })
  const body = JSON.stringify({ url: hotswap.url, token, tenantId })
  try {
    const answer = await worker.dispatchFetch("http://worker/", { method: "POST", body })
    expect(await answer.json()).toEqual(["hello", true, true])
  } finally {
    await worker.dispose()
  }
})

test("every entry can be imported where its peers are", async () => {
  const { exports } = JSON.parse(await readFile(installed("package.json"), "utf8")) as { exports: object }
  const entries = Object.keys(exports).map((name) => join("@hotswap/sdk", name))
  await linkPeers()
  const script = `
    const modules = await Promise.all(${JSON.stringify(entries)}.map((entry) => import(entry)))
    console.log(modules.filter((each) => Object.keys(each).length > 0).length)
  `
  await writeFile(join(application, "all.js"), script)
  const { stdout } = await run(NODE, ["all.js"], { cwd: application })
  expect(Number(stdout)).toBe(entries.length)
})

test("a strict TypeScript project gets its types", async () => {
  await linkPeers()
  const script = `
    import { type Client, HotswapClient, HotswapError, type Json, type View } from "@hotswap/sdk"
    import { diskStore } from "@hotswap/sdk/disk"
    import { type Explanation, explain } from "@hotswap/sdk/explain"
    const client: Client = new HotswapClient({ url: "u", token: "t", tenantId: "a", store: diskStore("f") })
    const view: View = client.view("user-1")
    const value: Json | undefined = view.get("k")
    const why: Explanation = explain(view, "flag", { targetingKey: "user-1" })
    client.on("changed", ({ keys }) => keys.map((key: string) => key.length))
    client.on("error", ({ error }) => error instanceof HotswapError && error.status.toFixed())
    // @ts-expect-error: there is no such event
    client.on("changes", () => {})
    // @ts-expect-error: a token is needed
    new HotswapClient({ url: "u", tenantId: "a" })
    // @ts-expect-error: not any
    const wrong: number = view.evaluate("flag")
    export { value, why, wrong }
  `
  await writeFile(join(application, "types.ts"), script)
  const compilerOptions = {
    strict: true,
    noEmit: true,
    exactOptionalPropertyTypes: true,
    module: "nodenext",
    target: "es2022",
    types: ["node"],
    skipLibCheck: false,
  }
  await writeFile(
    join(application, "tsconfig.json"),
    JSON.stringify({ compilerOptions, files: ["types.ts"] }),
  )
  const { stdout } = await run(join(ROOT, "node_modules/.bin/tsc"), ["-p", application]).catch(
    (error) => error,
  )
  expect(stdout).toBe("")
})

const linkPeers = async (): Promise<void> => {
  const { peerDependencies } = JSON.parse(await readFile(installed("package.json"), "utf8"))
  for (const name of [...Object.keys(peerDependencies), "@types/node", "undici-types"]) {
    const link = join(application, "node_modules", name)
    await mkdir(dirname(link), { recursive: true })
    await symlink(join(ROOT, "node_modules", name), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error
    })
  }
}
