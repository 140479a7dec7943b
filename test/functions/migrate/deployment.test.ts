import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { createServer, type IncomingHttpHeaders, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import postgres from "postgres"
import { afterAll, afterEach, beforeAll, expect, test } from "vitest"
import { bundle } from "../../../infra/constructs/bundling.ts"
import { type PostgresServer, startPostgres } from "../../../local/postgres.ts"
import { type Lambda, startLambda } from "../../support/lambda/lambda.ts"

// What is deployed, as Lambda starts it, called as CloudFormation does, with its answer taken where CloudFormation takes it.

interface Told {
  method: string
  headers: IncomingHttpHeaders
  body: Record<string, unknown>
}

let directory: string
let server: PostgresServer
let lambda: Lambda | undefined
let receiver: Server
let failures = 0
const told: Told[] = []

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "hotswap-deployment-"))
  bundle("migrate", directory)
  server = await startPostgres({ directory: join(directory, "postgres"), durability: "test" })
  receiver = createServer(async (request, response) => {
    const body = JSON.parse(await text(request))
    told.push({ method: request.method!, headers: request.headers, body })
    response.writeHead(failures-- > 0 ? 503 : 200).end()
  }).listen(0, "127.0.0.1")
  await once(receiver, "listening")
}, 60_000)
afterEach(async () => {
  await lambda?.stop()
  lambda = undefined
  told.length = 0
  failures = 0
})
afterAll(async () => {
  receiver.closeAllConnections()
  receiver.close()
  await server?.stop()
  await rm(directory, { recursive: true, force: true })
})

const start = async (more: Record<string, string> = {}): Promise<Lambda> => {
  const environment = {
    DATABASE_OWNER_URL: server.url("hotswap_owner"),
    DATABASE_URL: server.url("hotswap_app"),
    DATABASE_READ_URL: server.url("hotswap_read"),
    DATABASE_SYSTEM_URL: server.url("hotswap_system"),
    ...more,
  }
  lambda = await startLambda({ root: directory, environment, timeoutMs: 60_000 })
  return lambda
}

const IDS = { StackId: "arn:stack", RequestId: "request-1", LogicalResourceId: "Migrated" }
const event = (RequestType: string) => ({
  ...IDS,
  RequestType,
  ResponseURL: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/answer?signature=a%2Fb`,
  ResourceProperties: {},
})
const ANSWER = { ...IDS, PhysicalResourceId: "hotswap-database" }

const hasTables = async (): Promise<boolean> => {
  const sql = postgres(server.url("hotswap_owner"), { max: 1 })
  const [row] = await sql`select to_regclass('hotswap.tenants') is not null as has`
  await sql.end()
  return row?.has
}

test("the first deployment makes the tables before anything else goes on, and is told how much was done", async () => {
  expect(await hasTables()).toBe(false)
  const called = await (await start()).invoke(event("Create"))
  expect(called).toMatchObject({ kind: "answered" })
  expect(await hasTables()).toBe(true)
  expect(told.map(({ body }) => body)).toEqual([
    { ...ANSWER, Status: "SUCCESS", Data: { Applied: expect.stringMatching(/^[1-9]\d*$/) } },
  ])
  // The URL is signed for a request without a content type: one with it is turned away.
  expect(told[0]).toMatchObject({ method: "PUT" })
  expect(told[0]!.headers).not.toHaveProperty("content-type")
})

test("a later deployment finds nothing to do, as somebody does who asks for it himself", async () => {
  const running = await start()
  await running.invoke(event("Create"))
  told.length = 0
  await running.invoke(event("Update"))
  expect(told.map(({ body }) => body)).toEqual([{ ...ANSWER, Status: "SUCCESS", Data: { Applied: "0" } }])
  expect(await running.invoke({ task: "migrate" })).toMatchObject({ payload: { applied: 0 } })
})

test("a deployment is stopped, and told why in one line without a password, where the database cannot be migrated", async () => {
  const running = await start({ DATABASE_OWNER_URL: "postgres://hotswap_owner:kW3r0zVb@127.0.0.1:1/hotswap" })
  await running.invoke(event("Update"))
  expect(told.map(({ body }) => body)).toEqual([
    { ...ANSWER, Status: "FAILED", Reason: expect.stringMatching(/ECONNREFUSED/) },
  ])
  expect(JSON.stringify(told)).not.toContain("kW3r0zVb")
})

test("settings that are missing, or would send passwords in the clear, are told as well", async () => {
  const clear = "postgres://hotswap_read:kW3r0zVb-Qm7hT2@database.example.com/hotswap"
  const running = await start({ DATABASE_URL: "", DATABASE_READ_URL: `${clear}?sslmode=require` })
  await running.invoke(event("Create"))
  const [{ body }] = told as [Told]
  expect(body.Status).toBe("FAILED")
  expect(body.Reason).toContain("DATABASE_URL is not set")
  expect(body.Reason).toContain("DATABASE_READ_URL does not ask for sslmode=verify-full")
})

test("an answer that is not taken at first is given again", async () => {
  failures = 3
  expect(await (await start()).invoke(event("Update"))).toMatchObject({ kind: "answered" })
  expect(told.map(({ body }) => body.Status)).toEqual(["SUCCESS", "SUCCESS", "SUCCESS", "SUCCESS"])
})

test("whoever deletes the functions deletes no data, and needs no database for it", async () => {
  const running = await start({ DATABASE_OWNER_URL: "" })
  await running.invoke(event("Delete"))
  expect(told.map(({ body }) => body.Status)).toEqual(["SUCCESS"])
})

test("any other call is refused, and nothing is done", async () => {
  const running = await start()
  expect(await running.invoke({ task: "drop" })).toMatchObject({ kind: "failed" })
  expect(told).toEqual([])
})
