import { execFile } from "node:child_process"
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { promisify } from "node:util"
import { gzipSync } from "node:zlib"
import { build } from "esbuild"
import { Miniflare } from "miniflare"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { buildSdk } from "../../sdk/build.ts"
import type * as Sdk from "../../sdk/src/index.ts"
import { GOLDEN_VIEWS } from "../golden/golden.ts"
import { type RunningHotswap, removeHome, startHotswap, temporaryHome } from "../support/hotswap.ts"
import { ROOT } from "../support/source-tree.ts"
import { answerWith, scriptService, snapshotOf } from "./scripted.ts"
import { createTenant } from "./service.ts"

const run = promisify(execFile)
const NODE = join(ROOT, "node_modules/.bin/node")

/** Gzipped: what is loaded at the start, and with all that is loaded when it is needed. */
const START_BYTES_MAX = 5 * 1_024
const WHOLE_BYTES_MAX = 10 * 1_024
const LATER = ["outcomes.js", "rules.js", "stream.js"]
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
    ...["package.json", "README.md", "LICENSE"].map((name) =>
      cp(join(ROOT, "sdk", name), join(sources, name)),
    ),
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

test("events are told by the block of docs/events.md, as written", async () => {
  const [, code = ""] =
    /test\/sdk\/package.test.ts -->\n```js\n(.*?)```/s.exec(
      await readFile(join(ROOT, "docs/events.md"), "utf8"),
    ) ?? []
  const issued = await hotswap.call<{ token: string }>("POST", "/api/v1/tenants/acme-corp/tokens", {
    body: { subject: "events", roles: ["reader"], environment: "QA" },
  })
  await writeFile(join(application, "events.js"), code)
  const env = { PATH: process.env.PATH, HOTSWAP: hotswap.url, READER: issued.body.token }
  const { stdout, stderr } = await run(NODE, ["events.js"], { cwd: application, env })
  expect([stdout.split("\n").slice(0, 3), stderr]).toEqual([["{", "  waiting: 0,", "  told: 2,"], ""])
})

test("the core entry is small, and imports nothing but parts of itself, when they are needed", async () => {
  const built = await Promise.all(["index.js", ...LATER].map((name) => readFile(installed(`dist/${name}`))))
  const sizes = built.map((file) => gzipSync(file, { level: 9 }).length)
  expect(sizes[0]).toBeLessThanOrEqual(START_BYTES_MAX)
  expect(sizes.reduce((sum, size) => sum + size)).toBeLessThanOrEqual(WHOLE_BYTES_MAX)
  const text = built.join("\n")
  expect(
    text
      .match(/\bimport\b.{0,30}/g)
      ?.map((each) => /^import\("\.\/(.*?)"\)/.exec(each)?.[1])
      .sort(),
  ).toEqual(LATER)
  expect(text).not.toMatch(/\brequire\b|\beval\b|new Function/)
})

test("the core evaluates as its source does", async () => {
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
    await client.ready()
    for (const { flag, context, expected, isTimed } of cases) {
      const { errorMessage: _, ...evaluation } = client.evaluate(flag, context)
      if (!isTimed) expect(evaluation).toEqual({ metadata: {}, ...expected })
    }
    await client.close()
  }
})

const WORKER = `
  import { HotswapClient } from "@hotswap/sdk"
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
const RULED = { ...FLAG, targeting: { if: [{ "==": [{ var: "plan" }, "free"] }, "off", "on"] } }

test("the core runs in a Worker, as it is, bundled and bundled in parts", async () => {
  const configs = { greeting: "hello", flag: RULED }
  const { token, tenantId } = await createTenant(hotswap, "in-a-worker", configs)
  const body = JSON.stringify({ url: hotswap.url, token, tenantId })
  await writeFile(join(application, "worker.js"), WORKER)
  const bundled = async (splitting: boolean) => {
    const { outputFiles } = await build({
      entryPoints: [join(application, "worker.js")],
      outdir: "/",
      bundle: true,
      splitting,
      format: "esm",
      write: false,
    })
    return outputFiles.map(({ path, text }): [string, string] => [basename(path), text])
  }
  const asIs: [string, string][] = [["worker.js", WORKER.replace("@hotswap/sdk", "./index.js")]]
  for (const name of ["index.js", ...LATER])
    asIs.push([name, await readFile(installed(`dist/${name}`), "utf8")])
  for (const files of [asIs, await bundled(false), await bundled(true)]) {
    const main = files.find(([name]) => name === "worker.js")!
    const modules = [main, ...files.filter((file) => file !== main)]
    const worker = new Miniflare({
      modules: modules.map(([path, contents]) => ({ type: "ESModule", path, contents })),
      compatibilityDate: "2026-07-30",
      cf: false,
    })
    try {
      const answer = await worker.dispatchFetch("http://worker/", { method: "POST", body })
      expect(await answer.json()).toEqual(["hello", true, true])
    } finally {
      await worker.dispose()
    }
  }
})

test("where a part cannot be loaded the client serves without it, and takes it up when it can be had", async () => {
  const parts = join(application, "parts")
  await mkdir(parts)
  await writeFile(join(parts, "package.json"), '{"type":"module"}')
  await cp(installed("dist/index.js"), join(parts, "index.js"))
  const { HotswapClient } = (await import(join(parts, "index.js"))) as typeof Sdk
  let isMoving = true
  const service = scriptService({
    read: () =>
      isMoving
        ? answerWith(snapshotOf(1, { configs: { k: 1, ruled: RULED, plain: FLAG } }))
        : new Response(null, { status: 304, headers: { "hotswap-revision": "1.0.0.1" } }),
  })
  const options = { url: "http://x", token: "t", tenantId: "acme", fetch: service.fetch }
  const client = new HotswapClient(options)
  const errors: Error[] = []
  client.on("error", ({ error }) => errors.push(error))
  await client.ready()
  expect([client.get("k"), client.isEnabled("plain")]).toEqual([1, true])
  expect(client.evaluate("ruled")).toMatchObject({ errorCode: "PARSE_ERROR" })
  client.report(client.view(), { ok: true })
  await vi.waitFor(() => {
    for (const name of LATER) expect(errors.join("\n")).toContain(name)
  }, 10_000)
  // Whoever holds something whole goes on with that.
  const bootstrap = snapshotOf(0, { configs: { k: 0 } })
  const holding = new HotswapClient({ ...options, bootstrap })
  await expect(holding.reload()).rejects.toThrow("rules")
  expect(holding.get("k")).toBe(0)
  await holding.close()
  isMoving = false
  for (const name of LATER) await cp(installed(`dist/${name}`), join(parts, name))
  await client.reload()
  expect(client.evaluate("ruled")).toMatchObject({ value: true, reason: "TARGETING_MATCH" })
  await vi.waitFor(() => expect(service.open()).toBe(1), 10_000)
  client.report(client.view(), { ok: true })
  await client.close()
  expect(service.of("outcomes")).toHaveLength(1)
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

test("the package brings its licence, and takes every version of its peers that it is made for", async () => {
  expect(await readFile(installed("LICENSE"), "utf8")).toBe(await readFile(join(ROOT, "LICENSE"), "utf8"))
  const { peerDependencies, engines } = JSON.parse(await readFile(installed("package.json"), "utf8"))
  expect(peerDependencies.express).toBe("^4.0.0 || ^5.0.0")
  // The first with `AbortSignal.any`.
  expect(engines.node).toBe(">=20.3")
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
