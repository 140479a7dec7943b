import { readFileSync } from "node:fs"
import { isBuiltin } from "node:module"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { type ModuleFacts, ROOT, reachableFrom, readModule, readModules } from "./support/source-tree.ts"

const FOLDERS = ["core", "db", "functions", "sdk", "console", "infra", "local", "ci", "test", "bench"]
const modules = readModules(FOLDERS)

/** A folder that arrows lead from and to: `core`, `db`, `functions/read`, … */
const zoneOf = (path: string): string => {
  const [first = "", second = ""] = path.split("/")
  return first === "functions" ? `functions/${second}` : first
}

/** Where each zone's imports may lead, besides itself. `null`: anywhere. */
const arrowsFrom = (zone: string): readonly string[] | null => {
  if (zone === "core") return []
  if (zone === "infra") return ["console"]
  if (zone === "db" || zone === "functions/edge" || zone === "sdk" || zone === "console") return ["core"]
  if (zone === "functions/platform") return ["core", "db"]
  if (zone === "functions/http") return ["core", "db", "functions/platform"]
  if (zone.startsWith("functions/")) return ["core", "db", "functions/http", "functions/platform"]
  return null
}

const isOwn = (target: string): boolean => FOLDERS.some((folder) => target.startsWith(`${folder}/`))

const wrongArrows = (module: ModuleFacts): string[] => {
  const zone = zoneOf(module.path)
  const allowed = arrowsFrom(zone)
  return module.imports
    .filter(
      ({ target }) =>
        isOwn(target) && allowed !== null && zoneOf(target) !== zone && !allowed.includes(zoneOf(target)),
    )
    .map(({ target, line }) => `${module.path}:${line} imports ${target}`)
}

const CORE_PACKAGES = ["ajv", "ajv-formats", "re2js", "microdiff"]
const EDGE_PACKAGES = ["jose"]
/** Peers, of which an application installs those it uses. */
const SDK_PACKAGES = /^(@openfeature\/|@nats-io\/|hono|express)/
const INFRA_PACKAGES = [
  "@grafana/grafana-foundation-sdk",
  "yaml",
  "aws-cdk-lib",
  "cdk-nag",
  "constructs",
  "esbuild",
]

const packageOf = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/")

const foreignImports = (zone: string, allowed: (specifier: string, path: string) => boolean): string[] =>
  modules
    .filter((module) => zoneOf(module.path) === zone)
    .flatMap(({ path, imports }) =>
      imports
        .filter(({ target }) => !isOwn(target) && !allowed(target, path))
        .map(({ target, line }) => `${path}:${line} imports ${target}`),
    )

const IMPURE = new Set([
  "Date.now",
  "new Date()",
  "Math.random",
  "process",
  "fetch",
  "console",
  "crypto",
  "performance",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "queueMicrotask",
  "globalThis",
])
const impurities = (module: ModuleFacts): string[] =>
  module.ambient
    .filter(({ name }) => IMPURE.has(name) || IMPURE.has(name.split(".")[0] ?? ""))
    .map(({ name, line }) => `${module.path}:${line} uses ${name}`)

describe("the arrows of the house", () => {
  test("every import leads down or sideways into what its folder may know", () => {
    expect(modules.length).toBeGreaterThan(0)
    expect(modules.flatMap(wrongArrows)).toEqual([])
  })

  test("the rules import nothing but the schema, pattern and difference libraries, and hashing in one file", () => {
    const allowed = (specifier: string, path: string) =>
      CORE_PACKAGES.includes(packageOf(specifier)) || (specifier === "node:crypto" && path === "core/hash.ts")
    expect(foreignImports("core", allowed)).toEqual([])
  })

  test("the rules know no clock, no chance, no process and no network", () => {
    expect(modules.filter((module) => zoneOf(module.path) === "core").flatMap(impurities)).toEqual([])
  })

  test("the Worker imports nothing but the rules and jose", () => {
    expect(
      foreignImports("functions/edge", (specifier) => EDGE_PACKAGES.includes(packageOf(specifier))),
    ).toEqual([])
  })

  test("nothing of Node reaches the Worker, however many imports away", () => {
    const reached = modules
      .filter((module) => zoneOf(module.path) === "functions/edge")
      .flatMap((module) => reachableFrom(module.path, modules))
    const ofNode = reached.flatMap(({ path, imports, ambient }) => [
      ...imports
        .filter(({ target, typeOnly }) => !typeOnly && isBuiltin(target))
        .map(({ target }) => `${path}: ${target}`),
      ...ambient
        .filter(({ name }) => /^(Buffer|process|__dirname|require)\b/.test(name))
        .map(({ name }) => `${path}: ${name}`),
    ])
    expect([...new Set(ofNode)]).toEqual([])
  })

  test("the SDK's core entry reaches nothing but evaluation and the rules of arms and revisions", () => {
    const reached = reachableFrom("sdk/src/index.ts", modules)
    const allowed = /^(sdk\/src\/|core\/flag\/|core\/release\/(bucket|revision)\.ts$)/
    const foreign = reached.flatMap(({ path, imports }) =>
      imports
        .filter(({ target, typeOnly }) => !typeOnly && !allowed.test(target))
        .map(({ target, line }) => `${path}:${line} imports ${target}`),
    )
    expect(reached.length).toBeGreaterThan(1)
    expect(foreign).toEqual([])
  })

  test("the SDK imports nothing but Node and its peers, and is built by esbuild", () => {
    const allowed = (specifier: string, path: string) =>
      isBuiltin(specifier) ||
      SDK_PACKAGES.test(specifier) ||
      // Built into the command line, which is one file.
      (specifier === "yaml" && path.startsWith("sdk/src/cli/")) ||
      (specifier === "esbuild" && path === "sdk/build.ts")
    expect(foreignImports("sdk", allowed)).toEqual([])
  })

  test("the infrastructure reaches the handlers by path only", () => {
    const allowed = (specifier: string) =>
      isBuiltin(specifier) || INFRA_PACKAGES.includes(packageOf(specifier))
    expect(foreignImports("infra", allowed)).toEqual([])
  })

  test("the console knows the service by what it answers, and of the rules only the words for people", () => {
    const values = modules
      .filter((module) => zoneOf(module.path) === "console")
      .flatMap(({ path, imports }) =>
        imports
          .filter(({ target, typeOnly }) => !typeOnly && target.startsWith("core/"))
          .map(({ target, line }) => `${path}:${line} imports ${target}`),
      )
    expect(values.filter((line) => !line.endsWith(" core/error-help.ts"))).toEqual([])
    expect(values).not.toEqual([])
    const allowed = (specifier: string, path: string) =>
      packageOf(specifier) === "preact" ||
      (path === "console/build.ts" && (isBuiltin(specifier) || specifier === "esbuild"))
    expect(foreignImports("console", allowed)).toEqual([])
  })

  test("what runs imports only packages that are installed where it runs", () => {
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
      dependencies: object
    }
    const installed = new Set(Object.keys(dependencies))
    const missing = modules
      .filter(({ path }) => /^(core|db|functions|console|local)\//.test(path) && !path.endsWith(".config.ts"))
      .flatMap(({ path, imports }) =>
        imports
          .filter(({ target, typeOnly }) => !typeOnly && !isOwn(target) && !isBuiltin(target))
          .filter(({ target }) => !installed.has(packageOf(target)))
          .map(({ target, line }) => `${path}:${line} imports ${target}`),
      )
    expect(missing).toEqual([])
  })
})

describe("the reader of imports", () => {
  const facts = (text: string) => readModule("core/a/b.ts", text)

  test("sees every way to import, and places it", () => {
    const text = `import type { A } from "../c.ts"
      import { d } from "./e.ts"
      export * from "../../db/f.ts"
      export type { G } from "../../db/g.ts"
      type H = import("./h.ts").H
      const i = await import("node:fs")
      // import "./comment.ts"
      const j = 'import "./text.ts"'`
    expect(facts(text).imports).toEqual([
      { target: "core/c.ts", typeOnly: true, line: 1 },
      { target: "core/a/e.ts", typeOnly: false, line: 2 },
      { target: "db/f.ts", typeOnly: false, line: 3 },
      { target: "db/g.ts", typeOnly: true, line: 4 },
      { target: "core/a/h.ts", typeOnly: true, line: 5 },
      { target: "node:fs", typeOnly: false, line: 6 },
    ])
  })

  test("tells a clock from a date, and an ambient name from one handed in", () => {
    expect(impurities(facts("export const a = new Date()"))).toHaveLength(1)
    expect(impurities(facts("export const a = Date.now()"))).toHaveLength(1)
    expect(impurities(facts("export const a = [Math.random(), fetch]"))).toHaveLength(2)
    expect(impurities(facts("export const a = { now: globalThis.crypto }"))).toHaveLength(1)
    expect(impurities(facts("export const a = (at: string) => new Date(at).getTime()"))).toEqual([])
    expect(impurities(facts("export const a = (fetch: () => void) => fetch()"))).toEqual([])
    expect(impurities(facts("export const a = (b: { process: string }) => b.process"))).toEqual([])
  })
})
