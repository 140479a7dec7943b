import { afterEach, expect, test, vi } from "vitest"
import type { Snapshot } from "../../sdk/src/index.ts"
import { Tenants } from "../../sdk/src/tenants.ts"
import { TestTenants } from "../../sdk/src/testing.ts"
import { answerWith, connectTo, refusal, scriptService, snapshotOf } from "./scripted.ts"

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  vi.useRealTimers()
  await Promise.all(open.splice(0).map((each) => each.close()))
})

/** A service whose stream is refused between a read that fails and one that is answered. */
const withoutStream = () => {
  let refuse = () => {}
  const refused = new Promise<void>((resolve) => {
    refuse = resolve
  })
  let reads = 0
  return scriptService({
    stream: () => {
      setImmediate(refuse)
      return refusal(404)
    },
    read: async () => {
      if (reads++ === 0) return refusal(503)
      await refused
      await new Promise((resolve) => setImmediate(resolve))
      return answerWith(snapshotOf(1))
    },
  })
}

test("where only the stream is refused a client is ready all the same, and so are many tenants' clients", async () => {
  const { client } = connectTo(withoutStream())
  open.push(client)
  await client.ready(5_000)
  expect(client.get("k")).toBe(1)
  const tenants = new Tenants({ url: "http://service", token: "t", fetch: withoutStream().fetch })
  open.push(tenants)
  expect((await tenants.ready("acme")).get("k")).toBe(1)
})

test.each(["change", "constructor"])(
  "who listens for %s, which is no event, is told which there are",
  (name) => {
    const { client } = connectTo(scriptService({}), { stream: false })
    open.push(client)
    const listen = () => client.on(name as "changed", () => {})
    expect(listen).toThrow(`${name} is none of stale,changed,error,ready.`)
    expect(() => new TestTenants().add("acme").on(name as "changed", () => {})).toThrow(TypeError)
  },
)

test("who waits for a client that is closed already is told at once", async () => {
  vi.useFakeTimers()
  const { client } = connectTo(scriptService({ read: () => refusal(503) }), { stream: false })
  await client.close()
  let told = ""
  client.ready().catch((error: Error) => {
    told = error.message
  })
  await vi.advanceTimersByTimeAsync(1)
  expect(told).toBe("There is nothing to serve yet.")
})

test.each([
  [
    "that is none",
    (fetching: AbortSignal[], init: RequestInit) => {
      fetching.push(init.signal!)
      return new Response("<html>", { headers: { "content-type": "text/html" } })
    },
  ],
  [
    "with a line without end",
    (fetching: AbortSignal[], init: RequestInit) => {
      fetching.push(init.signal!)
      return new Response("x".repeat(70_000), { headers: { "content-type": "text/event-stream" } })
    },
  ],
])("a stream %s does not keep its connection", async (_, streamed) => {
  const service = scriptService({})
  const connections: AbortSignal[] = []
  const fetch: typeof globalThis.fetch = async (url, init = {}) =>
    new URL(String(url)).pathname.endsWith("/stream")
      ? streamed(connections, init)
      : await service.fetch(url, init)
  const { client, told } = connectTo(service, { fetch })
  open.push(client)
  await vi.waitFor(() => expect(told.error).not.toEqual([]))
  expect(connections.map(({ aborted }) => aborted)).toEqual([true])
})

test("a client that is closed while the service does not take outcomes asks it no more, and closes in time", async () => {
  vi.useFakeTimers()
  const service = scriptService({ outcomes: () => new Promise(() => {}) })
  const { client } = connectTo(service, { stream: false })
  await client.ready()
  const view = client.view("user-1")
  client.report(view, { ok: true })
  await vi.dynamicImportSettled()
  await vi.advanceTimersByTimeAsync(1_500)
  client.report(view, { ok: true })
  let isClosed = false
  void client.close().then(() => {
    isClosed = true
  })
  await vi.advanceTimersByTimeAsync(3_500)
  expect(isClosed).toBe(true)
  await vi.advanceTimersByTimeAsync(1_000)
  const asked = service.asked.length
  await vi.advanceTimersByTimeAsync(600_000)
  expect(service.asked.length).toBe(asked)
  expect(vi.getTimerCount()).toBe(0)
})

test("a bootstrap that cannot be read counts as none, and ends nothing", async () => {
  const damaged = { ...snapshotOf(1), configs: null } as unknown as Snapshot
  const unclonable = { ...snapshotOf(1), configs: { k: () => 1 } } as unknown as Snapshot
  for (const bootstrap of [damaged, unclonable, "text" as unknown as Snapshot]) {
    const service = scriptService({ read: () => answerWith(snapshotOf(2)) })
    const { client } = connectTo(service, { bootstrap, stream: false })
    open.push(client)
    await client.ready(2_000)
    expect(client.get("k")).toBe(2)
  }
})

test("a latency that is no number does not spoil what else is told", async () => {
  const service = scriptService({})
  const { client } = connectTo(service, { stream: false })
  await client.ready()
  client.report(client.view(), { ok: true, latencyMs: Number.NaN })
  client.report(client.view(), { ok: true, latencyMs: 4 })
  await client.close()
  expect(service.of("outcomes")[0]!.body!.reports).toMatchObject([{ ok: 2, latency: [[4, 1]] }])
})
