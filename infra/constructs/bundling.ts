import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { type BuildOptions, buildSync, type Metafile } from "esbuild"
import { buildConsole } from "../../console/build.ts"
import type { HandlerName } from "../settings.ts"

const ROOT = join(import.meta.dirname, "../..")

/** How everything that is deployed is made of its sources: minified ES modules, each with its source map beside it. */
export const BUNDLING = {
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node24",
  minify: true,
  sourcemap: true,
  // Positions and names are all that a stack needs.
  sourcesContent: false,
  // Reads the map when a stack is read, not when the code is loaded.
  inject: [join(ROOT, "functions/platform/traces.ts")],
  // "module" first, or a package's CommonJS half is taken, which tree shaking cannot thin out.
  mainFields: ["module", "main"],
  outExtension: { ".js": ".mjs" },
  // The runtime has them.
  external: ["@aws-sdk/*", "@smithy/*"],
  // Where the packages of a checkout are those of another, they are called by their place in it all the same.
  preserveSymlinks: true,
  logLevel: "error",
} as const satisfies BuildOptions

const MIGRATIONS_FOLDER = "db/migrations"
/** The SQL that the function `migrate` takes along. */
export const MIGRATIONS = join(ROOT, MIGRATIONS_FOLDER)

/** A file or folder of the project's that a function reads while it runs, and where that is beside its code. */
interface Alongside {
  from: string
  to: string
}

const ofPackage = (file: string): Alongside => {
  const path = `node_modules/swagger-ui-dist/${file}`
  return { from: path, to: path }
}

/** What no bundler can see. */
const FILES_ALONGSIDE: Partial<Record<HandlerName, readonly Alongside[]>> = {
  manage: ["package.json", "swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"].map(ofPackage),
  migrate: [{ from: MIGRATIONS_FOLDER, to: "migrations" }],
}

/** Some of a function's code, without maps and what is taken along. */
export interface Code {
  bytes: number
  /** What it was made of, by path from the repository's folder. */
  inputs: ReadonlySet<string>
}

/** A function's code as it is deployed. */
export interface Bundle {
  /** The file that Lambda loads; what is loaded later stands beside it. */
  file: string
  all: Code
  /** Of it, what a start loads before anybody asks anything. */
  first: Code
}

const INDEX = "index.mjs"

/** A file and whatever it cannot be loaded without. */
const loadedWith = (file: string, outputs: Metafile["outputs"], loaded = new Set<string>()): Set<string> => {
  if (loaded.has(file)) return loaded
  loaded.add(file)
  for (const { path, kind, external } of outputs[file]?.imports ?? [])
    if (kind === "import-statement" && !external) loadedWith(path, outputs, loaded)
  return loaded
}

const codeOf = (files: Iterable<string>, outputs: Metafile["outputs"]): Code => {
  const found = [...files].map((file) => outputs[file]!)
  return {
    bytes: found.reduce((sum, { bytes }) => sum + bytes, 0),
    inputs: new Set(found.flatMap(({ inputs }) => Object.keys(inputs))),
  }
}

/** The pages that people manage with, where their function looks for them. */
const bundleConsole = (folder: string): void => {
  mkdirSync(folder, { recursive: true })
  for (const { name, contents } of buildConsole()) writeFileSync(join(folder, name), contents)
}

/** Bundles a handler into a folder, with the files it reads beside its code. The same sources give the same bytes. */
export const bundle = (handler: HandlerName, outdir: string): Bundle => {
  const { outputFiles, metafile } = buildSync({
    ...BUNDLING,
    inject: [...BUNDLING.inject],
    mainFields: [...BUNDLING.mainFields],
    external: [...BUNDLING.external],
    absWorkingDir: ROOT,
    entryPoints: { index: join("functions", handler, "handler.ts") },
    // Maps name sources by their way from here, which must not depend on where the bundle is put.
    outdir: ROOT,
    write: false,
    metafile: true,
  })
  mkdirSync(outdir, { recursive: true })
  for (const { path, contents } of outputFiles) writeFileSync(join(outdir, basename(path)), contents)
  if (handler === "manage") bundleConsole(join(outdir, "console"))
  for (const { from, to } of FILES_ALONGSIDE[handler] ?? [])
    cpSync(join(ROOT, from), join(outdir, to), { recursive: true })
  const { outputs } = metafile
  const code = Object.keys(outputs).filter((file) => file.endsWith(".mjs"))
  return {
    file: join(outdir, INDEX),
    all: codeOf(code, outputs),
    first: codeOf(loadedWith(INDEX, outputs), outputs),
  }
}

let folder: string | undefined
const bundled = new Map<HandlerName, string>()

/** The folder that holds a handler's bundle until the process ends. Every stage is given the same: it is made once. */
export const bundledOnce = (handler: HandlerName): string => {
  const known = bundled.get(handler)
  if (known !== undefined) return known
  if (folder === undefined) {
    const made = mkdtempSync(join(tmpdir(), "hotswap-code-"))
    process.once("exit", () => rmSync(made, { recursive: true, force: true }))
    folder = made
  }
  const outdir = join(folder, handler)
  bundle(handler, outdir)
  bundled.set(handler, outdir)
  return outdir
}

/** The sources of a handler: what stands for its code where nobody asks for code. */
export const sourcesOf = (handler: HandlerName): string => join(ROOT, "functions", handler)
