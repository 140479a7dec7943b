import { execFile } from "node:child_process"
import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { build } from "esbuild"
import { afterAll, beforeAll, expect, test } from "vitest"
import { BUNDLING } from "../../infra/constructs/bundling.ts"

const run = promisify(execFile)

const SOURCE = `import { readFileSync } from "node:fs"

const failing = (words: string): never => {
  throw new TypeError(words)
}
const called = (path: string): void => {
  try {
    readFileSync(path)
  } catch (cause) {
    console.log((cause as Error).stack)
    failing("it failed")
  }
}
try {
  called("/nowhere/at/all")
} catch (error) {
  console.log((error as Error).stack)
}
`

let directory = ""
beforeAll(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), "hotswap-traces-")))
  await writeFile(join(directory, "source.ts"), SOURCE)
})
afterAll(() => rm(directory, { recursive: true, force: true }))

/** What the source tells when it runs, bundled as what is deployed: two stacks. */
const toldBy = async (outfile: string): Promise<string> =>
  (await run(process.execPath, [join(directory, outfile)])).stdout

const bundle = (outfile: string, sourcemap: boolean) =>
  build({
    entryPoints: [join(directory, "source.ts")],
    outfile: join(directory, outfile),
    bundle: true,
    format: "esm",
    platform: "node",
    minify: BUNDLING.minify ?? false,
    inject: [...(BUNDLING.inject ?? [])],
    sourcemap,
    sourcesContent: BUNDLING.sourcesContent ?? true,
    logLevel: "silent",
  })

test("a stack of what is deployed names the sources, without the runtime being asked to", async () => {
  await bundle("mapped.mjs", true)
  const told = await toldBy("mapped.mjs")
  const source = join(directory, "source.ts")
  expect(told).toContain(
    `TypeError: it failed\n    at failing (${source}:4:9)\n    at called (${source}:11:5)\n`,
  )
  // What is not the bundle's own stays as it is.
  expect(told).toMatch(/^Error: ENOENT.+\n {4}at .*\(node:fs:\d+:\d+\)\n/)
  expect(told).not.toContain("mapped.mjs")
})

test("where the map is gone, a stack tells the bundle's own places, and nothing else fails", async () => {
  await bundle("bare.mjs", false)
  expect(await toldBy("bare.mjs")).toMatch(/TypeError: it failed\n {4}at .+bare\.mjs:\d+:\d+\)?\n/)
})
