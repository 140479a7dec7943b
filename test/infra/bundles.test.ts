import { execFile } from "node:child_process"
import { cp, mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { App } from "aws-cdk-lib"
import { Template } from "aws-cdk-lib/assertions"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { codeSizeOf } from "../../ci/assembly.ts"
import { BUDGET_KIB, CONSOLE_KIB, FIRST_LOAD_KIB } from "../../ci/size-budgets.ts"
import { type Bundle, bundle } from "../../infra/constructs/bundling.ts"
import { HANDLERS, type HandlerName, SETTINGS } from "../../infra/settings.ts"
import { ServiceStack } from "../../infra/stacks/service.ts"
import { sampleSettings } from "../support/lambda/settings.ts"
import { ROOT } from "../support/source-tree.ts"

/** The compiler sees to it that each function has one. */
const budgets: Record<HandlerName, number> = BUDGET_KIB
const firstBudgets: Record<HandlerName, number> = FIRST_LOAD_KIB

const run = promisify(execFile)
const bundles = new Map<HandlerName, Bundle>()
let directory = ""
let template: Template

beforeAll(async () => {
  const app = new App({ context: { "aws:cdk:bundling-stacks": [] } })
  template = Template.fromStack(new ServiceStack(app, SETTINGS.prod))
  directory = await mkdtemp(join(tmpdir(), "hotswap-bundles-"))
  for (const handler of HANDLERS) bundles.set(handler, bundle(handler, join(directory, handler)))
})
afterAll(() => rm(directory, { recursive: true }))

const packagesIn = (handler: HandlerName, which: "all" | "first" = "all"): Set<string> =>
  new Set(
    [...bundles.get(handler)![which].inputs].flatMap(
      (path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules\/)/.exec(path)?.[1] ?? [],
    ),
  )

/** The settings of one function as deployed, with a value of the right shape for each reference to a secret. */
const environmentOf = (handler: HandlerName): Record<string, string> => {
  const [, found] =
    Object.entries(template.findResources("AWS::Lambda::Function")).find(([id]) =>
      id.toLowerCase().startsWith(handler),
    ) ?? []
  return sampleSettings(found?.Properties.Environment.Variables)
}

/** Loads a bundle and calls it once, as somebody who asks for a page, and as a schedule. */
const CALL = `
  const { handler } = await import(process.argv[1])
  const path = process.argv[2]
  const http = { method: "GET", path, protocol: "HTTP/1.1", sourceIp: "127.0.0.1", userAgent: "" }
  const event = { "detail-type": "Scheduled Event", version: "2.0", routeKey: "$default", rawPath: path, rawQueryString: "", headers: {},
    isBase64Encoded: false, requestContext: { http, requestId: "1", timeEpoch: 0 } }
  const context = { awsRequestId: "1", getRemainingTimeInMillis: () => 1000 }
  const outcome = await handler(event, context).catch((error) => String(error))
  console.log("called", JSON.stringify(outcome.statusCode ?? outcome))
  process.exit(0)`

const callOf = async (handler: HandlerName, path: string): Promise<string> => {
  const { stdout } = await run(
    process.execPath,
    ["--input-type=module", "-e", CALL, bundles.get(handler)?.file ?? "", path],
    { cwd: directory, env: environmentOf(handler) },
  )
  return stdout
}

describe.each(HANDLERS)("the bundle of %s", (handler) => {
  test(`is at most ${budgets[handler]} KiB, of which a start loads ${firstBudgets[handler]}`, () => {
    const { all, first } = bundles.get(handler)!
    expect(all.bytes).toBeLessThanOrEqual(budgets[handler] * 1024)
    expect(first.bytes).toBeLessThanOrEqual(firstBudgets[handler] * 1024)
  })

  test("starts with what its deployment gives it, without a network", async () => {
    const stdout = await callOf(handler, "/health")
    // Some functions read their settings with the first event; there is no database, so that is as far as it gets.
    expect(stdout).toContain("called")
    expect(stdout).not.toMatch(/is not set|SettingsError|is not a|Dynamic require/)
  })

  test("holds nothing that is only for laptops", () => {
    const local = ["miniflare", "fengari", "ioredis", "esbuild", "@hono/node-server", "drizzle-kit"]
    expect(local.filter((name) => packagesIn(handler).has(name))).toEqual([])
  })
})

test("the hot path carries no schema library", () => {
  expect([...packagesIn("read")]).not.toContain("zod")
  expect([...packagesIn("read")]).not.toContain("ajv")
})

test("what the pipeline weighs is what the bundler says", async () => {
  for (const handler of HANDLERS) {
    const { all, first } = bundles.get(handler)!
    expect(await codeSizeOf(join(directory, handler))).toEqual({ all: all.bytes, first: first.bytes })
  }
})

test("what people wait for loads what judges their requests when there is one", () => {
  const atTheStart = packagesIn("manage", "first")
  expect(atTheStart).toContain("hono")
  const later = ["zod", "@hono/zod-openapi", "ajv", "re2js", "nodemailer"]
  expect(later.filter((name) => atTheStart.has(name))).toEqual([])
  expect(later.filter((name) => !packagesIn("manage").has(name))).toEqual([])
})

test("the same sources give the same bytes, wherever they are put", async () => {
  const names = await readdir(join(directory, "read"))
  bundle("read", join(directory, "elsewhere", "read"))
  expect(await readdir(join(directory, "elsewhere", "read"))).toEqual(names)
  for (const name of names)
    expect(await readFile(join(directory, "elsewhere", "read", name))).toEqual(
      await readFile(join(directory, "read", name)),
    )
})

test("another checkout gives the same bytes, though its packages are those of this one", async () => {
  const checkout = join(directory, "checkout")
  for (const folder of ["core", "db", "functions", "console", "infra"])
    await cp(join(ROOT, folder), join(checkout, folder), { recursive: true })
  await cp(join(ROOT, "package.json"), join(checkout, "package.json"))
  await symlink(join(ROOT, "node_modules"), join(checkout, "node_modules"))
  const made = join(checkout, "made")
  const script = `import { bundle } from "./infra/constructs/bundling.ts"; bundle("relay", ${JSON.stringify(made)})`
  await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script], { cwd: checkout })
  const here = join(directory, "relay")
  const names = await readdir(here)
  expect(await readdir(made)).toEqual(names)
  for (const name of names)
    expect((await readFile(join(made, name))).equals(await readFile(join(here, name))), name).toBe(true)
})

test("who does jobs carries nothing of what reads requests", () => {
  expect([...packagesIn("backup")]).not.toContain("zod")
  expect([...packagesIn("backup")]).not.toContain("hono")
})

test.each(["swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png", "reference.js"])(
  "manage takes %s along, which no bundler sees",
  async (file) => {
    expect(await callOf("manage", `/docs/assets/${file}`)).toContain("called 200")
  },
)

test(`manage takes the console along, of at most ${CONSOLE_KIB} KiB, and serves it`, async () => {
  const folder = join(directory, "manage", "console")
  const names = await readdir(folder)
  expect(names.map((name) => name.slice(name.lastIndexOf(".")))).toEqual([".js", ".svg", ".css"])
  const sizes = await Promise.all(names.map(async (name) => (await readFile(join(folder, name))).length))
  expect(sizes.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThanOrEqual(CONSOLE_KIB * 1024)
  for (const name of names) expect(await callOf("manage", `/assets/${name}`)).toContain("called 200")
})
