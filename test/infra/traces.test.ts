import { execFile } from "node:child_process"
import { mkdtemp, readdir, realpath, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { build } from "esbuild"
import { afterAll, beforeAll, expect, test } from "vitest"
import { BUNDLING } from "../../infra/constructs/bundling.ts"

const run = promisify(execFile)

const LATER = `export const failsLater = (): never => {
  throw new RangeError("it failed later")
}
`
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
const told = async (): Promise<void> => {
  const { failsLater } = await import("./later.ts")
  try {
    failsLater()
  } catch (error) {
    console.log((error as Error).stack)
  }
}
await told()
`

let directory = ""
beforeAll(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), "hotswap-traces-")))
  await writeFile(join(directory, "source.ts"), SOURCE)
  await writeFile(join(directory, "later.ts"), LATER)
})
afterAll(() => rm(directory, { recursive: true, force: true }))

/** What the source tells when it runs, bundled as what is deployed: three stacks. */
const toldBy = async (outdir: string): Promise<string> =>
  (await run(process.execPath, [join(directory, outdir, "index.mjs")])).stdout

const bundle = (outdir: string, sourcemap: boolean) =>
  build({
    ...BUNDLING,
    inject: [...BUNDLING.inject],
    mainFields: [...BUNDLING.mainFields],
    external: [...BUNDLING.external],
    entryPoints: { index: join(directory, "source.ts") },
    outdir: join(directory, outdir),
    sourcemap,
  })

test("a stack of what is deployed names the sources, without the runtime being asked to", async () => {
  await bundle("mapped", true)
  const told = await toldBy("mapped")
  const source = join(directory, "source.ts")
  expect(told).toContain(
    `TypeError: it failed\n    at failing (${source}:4:9)\n    at called (${source}:11:5)\n`,
  )
  // What is not the bundle's own stays as it is.
  expect(told).toMatch(/^Error: ENOENT.+\n {4}at .*\(node:fs:\d+:\d+\)\n/)
  expect(told).not.toContain(".mjs")
})

test("so does one of what is loaded later, from a file of its own", async () => {
  await bundle("later", true)
  const told = await toldBy("later")
  const names = await readdir(join(directory, "later"))
  expect(names.filter((name) => /^later-.+\.mjs$/.test(name))).toHaveLength(1)
  const [thrower, caller] = told.slice(told.indexOf("RangeError: it failed later")).split("\n").slice(1)
  expect(thrower).toBe(`    at failsLater (${join(directory, "later.ts")}:2:9)`)
  expect(caller).toContain(`${join(directory, "source.ts")}:22:5`)
})

test("where the map is gone, a stack tells the bundle's own places, and nothing else fails", async () => {
  await bundle("bare", false)
  expect(await toldBy("bare")).toMatch(/TypeError: it failed\n {4}at .+index\.mjs:\d+:\d+\)?\n/)
})
