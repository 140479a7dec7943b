import { mkdtemp, readdir, rm } from "node:fs/promises"
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

/** The asset out of the synthesised deployment, started as Lambda starts it, with its settings; they lead nowhere else than said. */
const start = async (
  name: string,
  timeoutMs = 20_000,
  elsewhere: Readonly<Record<string, string>> = {},
  onLine?: (line: string) => void,
): Promise<Lambda> => {
  const [, found] = [...functions].find(([id]) => id.toLowerCase().startsWith(name)) ?? []
  const { root, variables } = found!
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

test("outcomes answers in one piece", async () => {
  const lambda = await start("outcomes")
  const answer = await lambda.invoke(eventOf("GET", "/api/v1/outcomes"))
  expect(answer).toMatchObject({ kind: "answered", payload: { statusCode: 405, headers: { allow: "POST" } } })
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
