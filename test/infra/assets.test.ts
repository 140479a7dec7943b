import { cp, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, expect, test } from "vitest"
import { MIGRATIONS } from "../../infra/constructs/bundling.ts"
import { openTestDatabase } from "../support/database.ts"
import { eventOf } from "../support/function-events.ts"
import { type DeployedFunction, synthesise } from "../support/lambda/assets.ts"
import { type Lambda, startLambda } from "../support/lambda/lambda.ts"
import { sampleSettings } from "../support/lambda/settings.ts"

let outdir: string
let functions: ReadonlyMap<string, DeployedFunction>
const running: Lambda[] = []
beforeAll(async () => {
  outdir = await mkdtemp(join(tmpdir(), "hotswap-assets-"))
  functions = synthesise(outdir)
}, 120_000)
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.stop()))
})
afterAll(() => rm(outdir, { recursive: true, force: true }))

const named = (name: string): DeployedFunction =>
  [...functions].find(([id]) => id.toLowerCase().startsWith(name))![1]

/** The asset out of the synthesised deployment, started as Lambda starts it, with its settings; they lead nowhere else than said. */
const start = async (
  name: string,
  timeoutMs = 20_000,
  elsewhere: Readonly<Record<string, string>> = {},
  onLine?: (line: string) => void,
  folder?: string,
): Promise<Lambda> => {
  const { root: own, variables } = named(name)
  const root = folder ?? own
  const environment = { ...sampleSettings(variables), ...elsewhere }
  const lambda = await startLambda({ root, environment, timeoutMs, ...(onLine ? { onLine } : {}) })
  running.push(lambda)
  return lambda
}

const HEALTH = eventOf("GET", "/health")

test.each(["read", "manage"])("%s starts, streams its answers, and goes on with the next", async (name) => {
  const lambda = await start(name)
  for (let nth = 0; nth < 2; nth++)
    expect(await lambda.invoke(HEALTH)).toMatchObject({
      kind: "streamed",
      status: 200,
      headers: { "content-type": expect.stringContaining("application/json") },
      body: Buffer.from('{"status":"ok"}'),
    })
  expect(await lambda.invoke(eventOf("GET", "/nothing"))).toMatchObject({ kind: "streamed", status: 404 })
  expect(lambda.starts()).toBe(1)
})

test("what manage loads with the first who ask for it answers them all, and is the whole reference", async () => {
  const lambda = await start("manage")
  const paths = ["/tenants", "/configs", "/audit", "/tenants/acme/channels", "/backups", "/jobs", "/tenants"]
  const asked = paths.map((path) => lambda.invoke(eventOf("GET", `/api/v1${path}`)))
  for (const answer of await Promise.all(asked))
    expect(answer).toMatchObject({ kind: "streamed", status: 401 })
  const reference = await lambda.invoke(eventOf("GET", "/openapi.json"))
  const body = reference.kind === "streamed" ? reference.body.toString() : reference.kind
  expect(body).toBe(await readFile("docs/openapi.json", "utf8"))
  expect(lambda.starts()).toBe(1)
})

test("a part that could not be loaded fails who asks for it, and nobody else; once it can be, it answers", async () => {
  const folder = join(outdir, "without")
  await cp(named("manage").root, folder, { recursive: true })
  const [part] = (await readdir(folder)).filter((name) => /^audit-.+\.mjs$/.test(name))
  await rename(join(folder, part!), join(folder, "away"))
  const lambda = await start("manage", 20_000, {}, () => {}, folder)
  const audit = eventOf("GET", "/api/v1/audit")
  expect(await lambda.invoke(audit)).toMatchObject({ kind: "streamed", status: 500 })
  expect(await lambda.invoke(eventOf("GET", "/api/v1/tenants"))).toMatchObject({ status: 401 })
  await rename(join(folder, "away"), join(folder, part!))
  expect(await lambda.invoke(audit)).toMatchObject({ kind: "streamed", status: 401 })
  expect(lambda.starts()).toBe(1)
})

test("outcomes answers in one piece", async () => {
  const lambda = await start("outcomes")
  const answer = await lambda.invoke(eventOf("GET", "/api/v1/outcomes"))
  expect(answer).toMatchObject({ kind: "answered", payload: { statusCode: 405, headers: { allow: "POST" } } })
})

test("router turns away who says nothing of who he is, and looks at backends with nobody there until its time is up", async () => {
  const lambda = await start("router", 18_000)
  const asked = eventOf("GET", "/api/v1/route/metrics/api/v1/query")
  expect(await lambda.invoke(asked)).toMatchObject({ kind: "streamed", status: 401 })
  expect(await lambda.invoke({ task: "watch" })).toMatchObject({ kind: "streamed", status: 204 })
  expect(lambda.starts()).toBe(1)
})

test.each(["read", "manage"])("%s tells of a database that is away, and lives", async (name) => {
  const lambda = await start(name)
  expect(await lambda.invoke(eventOf("GET", "/ready"))).toMatchObject({ kind: "streamed", status: 503 })
  expect(await lambda.invoke(HEALTH)).toMatchObject({ kind: "streamed", status: 200 })
  expect(lambda.starts()).toBe(1)
})

test.each(["advance", "backup", "migrate"])(
  "%s fails with what went wrong where it is asked for nothing there is",
  async (name) => {
    const lambda = await start(name)
    const asked = name === "advance" ? { task: "nothing", changeId: "acme:chg_1" } : { task: "nothing" }
    expect(await lambda.invoke(asked)).toMatchObject({
      kind: "failed",
      errorMessage: expect.stringMatching(/\w/),
    })
    expect(await lambda.invoke(asked)).toMatchObject({ kind: "failed" })
    expect(lambda.starts()).toBe(1)
  },
)

test.each([
  ["relay", 3_500],
  ["notify", 13_000],
])("%s ends by itself before its time is up, with nobody there", async (name, timeoutMs) => {
  const lambda = await start(name, timeoutMs)
  expect(await lambda.invoke({ "detail-type": "Scheduled Event" })).toMatchObject({ kind: "answered" })
})

test("relay tells by its log how everything goes, in a line that CloudWatch makes metrics of", async () => {
  const database = await openTestDatabase(1)
  const lines: string[] = []
  const elsewhere = { DATABASE_SYSTEM_URL: database.url("hotswap_system") }
  try {
    const lambda = await start("relay", 6_000, elsewhere, (line) => lines.push(line))
    await lambda.invoke({ "detail-type": "Scheduled Event" })
    await lambda.stop()
  } finally {
    await database.close()
  }
  const told = lines.map((line) => JSON.parse(line)).filter((line) => "_aws" in line)
  expect(told).toEqual([
    expect.objectContaining({
      Stage: "prod",
      OutboxAge: expect.any(Number),
      OutboxMarks: expect.any(Number),
    }),
  ])
})

test("migrate takes every migration along, to where it looks for them", async () => {
  const [, { root } = { root: "" }] = [...functions].find(([id]) => id.startsWith("Migrate")) ?? []
  const taken = await readdir(join(root, "migrations"), { recursive: true })
  expect(taken.toSorted()).toEqual((await readdir(MIGRATIONS, { recursive: true })).toSorted())
})

test("what takes too long is killed, and the next event starts it anew", async () => {
  const lambda = await start("relay", 1_000)
  expect(await lambda.invoke({ "detail-type": "Scheduled Event" })).toEqual({ kind: "timed out" })
  await lambda.invoke({ "detail-type": "Scheduled Event" })
  expect(lambda.starts()).toBe(2)
})
