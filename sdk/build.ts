import { execFile } from "node:child_process"
import { globSync } from "node:fs"
import { chmod, readFile, rm, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import { build, type Plugin } from "esbuild"

const HERE = import.meta.dirname
const DECLARATIONS = "dist/types/sdk/"

/** What `package.json` exports, by source: `src/disk.ts` is built as `./disk.js`. */
const entriesOf = async (): Promise<ReadonlyMap<string, string>> => {
  const { exports } = JSON.parse(await readFile(join(HERE, "package.json"), "utf8")) as {
    exports: Record<string, { types: string; default: string }>
  }
  return new Map(
    Object.values(exports).map(({ types, default: built }) => [
      resolve(HERE, types.replace(DECLARATIONS, "").replace(/\.d\.ts$/, ".ts")),
      built.replace("./dist/", "./"),
    ]),
  )
}

/** What an entry loads when it needs it, by source: built beside the entries, and nobody else's to import. */
const LATER: ReadonlyMap<string, string> = new Map([
  [resolve(HERE, "src/outcomes.ts"), "./outcomes.js"],
  [resolve(HERE, "src/stream.ts"), "./stream.js"],
  [resolve(HERE, "../core/flag/rules.ts"), "./rules.js"],
])

/** What is an entry itself is not built into another: whoever imports both has each class once. */
const sharing = (entries: ReadonlyMap<string, string>): Plugin => ({
  name: "sharing",
  setup: ({ onResolve }) => {
    onResolve({ filter: /^\./ }, ({ path, resolveDir, kind }) => {
      const source = resolve(resolveDir, path)
      const built = kind === "dynamic-import" ? LATER.get(source) : entries.get(source)
      return built !== undefined && kind !== "entry-point" ? { path: built, external: true } : undefined
    })
  },
})

const bundle = async (source: string, built: string, dist: string, plugin: Plugin): Promise<void> => {
  await build({
    entryPoints: [source],
    outfile: join(dist, built),
    bundle: true,
    minify: true,
    format: "esm",
    // Node 20's, and what browsers of the same age have.
    target: ["es2022"],
    platform: "neutral",
    packages: "external",
    external: ["node:*"],
    plugins: [plugin],
    logLevel: "warning",
  })
}

/** The command line, into one file which imports nothing but what Node brings. */
export const buildCommand = async (dist: string): Promise<void> => {
  await build({
    entryPoints: [join(HERE, "src/cli/hotswap.ts")],
    outfile: join(dist, "hotswap.js"),
    bundle: true,
    minify: true,
    format: "esm",
    target: ["node20"],
    // Packages as modules, not as what Node would require.
    platform: "neutral",
    external: ["node:*"],
    logLevel: "warning",
  })
  await chmod(join(dist, "hotswap.js"), 0o755)
}

/** A declaration names the file beside it as what it will be when it runs. */
const nameBuiltFiles = async (types: string): Promise<void> => {
  for (const path of globSync("**/*.d.ts", { cwd: types })) {
    const text = await readFile(join(types, path), "utf8")
    await writeFile(join(types, path), text.replaceAll(/(from |import\()"(\.[^"]+)\.ts"/g, '$1"$2.js"'))
  }
}

/** Builds the package, of which `package.json` is beside this file, into `dist`. */
export const buildSdk = async (dist = join(HERE, "dist")): Promise<void> => {
  await rm(dist, { recursive: true, force: true })
  const entries = await entriesOf()
  const plugin = sharing(entries)
  const types = join(dist, "types")
  const compiler = join(HERE, "../node_modules/.bin/tsc")
  await Promise.all([
    ...[...entries, ...LATER].map(([source, built]) => bundle(source, built, dist, plugin)),
    buildCommand(dist),
    promisify(execFile)(compiler, ["-p", join(HERE, "tsconfig.json"), "--outDir", types]),
  ])
  await nameBuiltFiles(types)
}

if (process.argv[1] === import.meta.filename) await buildSdk()
