import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { latencyBucket } from "../../core/gate/evidence.ts"
import type { HotswapClient } from "../../sdk/src/index.ts"
import {
  answerWith,
  candidateOf,
  connectTo,
  refusal,
  type Scripted,
  scriptService,
  snapshotOf,
} from "./scripted.ts"

let clients: HotswapClient[] = []
beforeEach(() => {
  vi.useFakeTimers({ now: 1_700_000_000_000 })
})
afterEach(async () => {
  vi.useRealTimers()
  await Promise.all(clients.map((client) => client.close()))
  clients = []
})

const both = snapshotOf(1, { candidate: candidateOf({ k: "new" }, 10_000) })

const connect = async (service: Scripted, options = {}) => {
  const { client } = connectTo(service, { stream: false, instanceId: "web-1", ...options })
  clients.push(client)
  await vi.advanceTimersByTimeAsync(0)
  return client
}
const pass = async (ms: number) => {
  await vi.advanceTimersByTimeAsync(0)
  // What is loaded when it is needed does not come while time stands still.
  await vi.dynamicImportSettled()
  await vi.advanceTimersByTimeAsync(ms)
}
const reportsOf = (service: Scripted) => service.of("outcomes").map(({ body }) => body!.reports)

test("what many requests came to is told once a second, by revision and arm, with how long they took", async () => {
  const service = scriptService({ read: () => answerWith(both) })
  const client = await connect(service)
  const view = client.view()
  for (const latencyMs of [0.4, 3, 3, 100]) client.report(view, { ok: true, latencyMs })
  client.report(view, { ok: false })
  await pass(999)
  expect(service.of("outcomes")).toHaveLength(0)
  await pass(1)
  const [[report, ...others] = []] = reportsOf(service)
  expect(others).toEqual([])
  expect(report).toMatchObject({ revision: "1.0.0.1", arm: "candidate", instance: "web-1", ok: 4, errors: 1 })
  const told = (report!.latency as [number, number][]).map(([upToMs, count]) => [
    latencyBucket(upToMs),
    count,
  ])
  expect(told).toEqual([0.4, 3, 100].map((ms) => [latencyBucket(ms), ms === 3 ? 2 : 1]))
  await pass(5_000)
  expect(service.of("outcomes")).toHaveLength(1)
})

test("what could not be told is told again as it was, and what came meanwhile after it", async () => {
  const answers = [refusal(503), refusal(503)]
  const service = scriptService({ outcomes: () => answers.shift() ?? new Response(null, { status: 202 }) })
  const client = await connect(service)
  client.report(client.view(), { ok: true })
  await pass(1_000)
  client.report(client.view(), { ok: false })
  await pass(10_000)
  const [first, second, third, fourth, ...more] = reportsOf(service)
  expect(second).toEqual(first)
  expect(third).toEqual(first)
  expect(fourth).toMatchObject([{ ok: 0, errors: 1 }])
  expect(fourth![0]!.seq).toBeGreaterThan(first![0]!.seq as number)
  expect(more).toEqual([])
})

test("a batch that is refused for what it is is let go", async () => {
  const answers = [refusal(400)]
  const service = scriptService({ outcomes: () => answers.shift() ?? new Response(null, { status: 202 }) })
  const client = await connect(service)
  client.report(client.view(), { ok: true })
  await pass(1_000)
  client.report(client.view(), { ok: false })
  await pass(120_000)
  expect(reportsOf(service).map(([report]) => report!.errors)).toEqual([0, 1])
})

test("while nobody listens the counts grow, and the memory does not", async () => {
  let snapshot = snapshotOf(0)
  const service = scriptService({ read: () => answerWith(snapshot), outcomes: () => refusal(503) })
  const client = await connect(service)
  client.report(client.view(), { ok: true })
  await pass(1_000)
  for (let sequence = 1; sequence <= 60; sequence++) {
    snapshot = snapshotOf(sequence)
    await client.reload()
    for (let count = 0; count < 100; count++) client.report(client.view(), { ok: true, latencyMs: count })
  }
  service.answer.outcomes = () => new Response(null, { status: 202 })
  await pass(60_000)
  const last = reportsOf(service).at(-1)!
  expect(last).toHaveLength(50)
  expect(last.at(-1)).toMatchObject({ revision: "1.0.0.60", ok: 100 })
})

test("what was not told yet is told when it is closed", async () => {
  const service = scriptService({})
  const client = await connect(service)
  client.report(client.view(), { ok: true })
  await client.close()
  expect(reportsOf(service)).toMatchObject([[{ ok: 1, errors: 0 }]])
  client.report(client.view(), { ok: true })
  await pass(5_000)
  expect(service.of("outcomes")).toHaveLength(1)
})

test("who does not want to report, and a browser, tells nothing", async () => {
  const silent = scriptService({})
  const client = await connect(silent, { report: false })
  client.report(client.view(), { ok: true })
  vi.stubGlobal("document", {})
  const browser = scriptService({})
  const page = await connect(browser)
  vi.unstubAllGlobals()
  page.report(page.view(), { ok: true })
  await pass(5_000)
  expect([...silent.of("outcomes"), ...browser.of("outcomes")]).toEqual([])
})

test("processes that share a store are one unit, and each speaks for itself of its requests", async () => {
  const store = { load: async () => null, save: async () => {}, instanceId: async () => "machine-1" }
  const rolling = snapshotOf(1, { candidate: candidateOf({ k: "new" }) })
  const service = scriptService({ read: () => answerWith(rolling) })
  const sharing = await Promise.all([1, 2, 3].map(() => connect(service, { store, instanceId: undefined })))
  for (const client of sharing) {
    expect(client.view().arm).toBe(client.view("machine-1").arm)
    client.report(client.view(), { ok: true })
  }
  await pass(1_000)
  expect(new Set(reportsOf(service).map(([report]) => report!.instance)).size).toBe(3)
})
