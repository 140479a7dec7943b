import { OpenFeature } from "@openfeature/web-sdk"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { type BulkService, bulkService } from "./bulk-service.ts"
import { PATIENTLY, started } from "./page.ts"

// What a browser's stream may do, one by one; that a real one does it is shown in web.browser.test.ts.

/** A stream of which the test says what it hears. */
class Stream {
  static all: Stream[] = []
  readyState = 0
  onopen: () => void = () => undefined
  onmessage: (message: { data: string; lastEventId: string }) => void = () => undefined
  onerror: () => void = () => undefined
  readonly url: string
  constructor(url: string) {
    this.url = url
    Stream.all.push(this)
  }
  close() {
    this.readyState = 2
  }
  open() {
    this.readyState = 1
    this.onopen()
  }
  say(data: unknown, lastEventId = "") {
    this.onmessage({ data: typeof data === "string" ? data : JSON.stringify(data), lastEventId })
  }
  break(isOver: boolean) {
    this.readyState = isOver ? 2 : 0
    this.onerror()
  }
}

beforeEach(() => {
  Stream.all = []
  vi.stubGlobal("EventSource", Stream)
})
afterEach(async () => {
  await OpenFeature.clearProviders()
  vi.unstubAllGlobals()
})

const NEVER_MS = 3_600_000
const REFETCH = { type: "refetchEvaluation", etag: "1.0.0.2" }
let tickets = 0

/** That it was asked so often, all in all. */
const asked = (service: BulkService, times: number) =>
  expect.poll(() => service.asked.length, PATIENTLY).toBeGreaterThanOrEqual(times)

const streamed = () => ({
  eventStreams: [
    { type: "carrier pigeon", url: "https://pigeons.test" },
    { type: "sse", url: `http://hotswap.test/ofrep/v1/stream?ticket=${tickets++}` },
  ],
})

/** A page that listens, its first questions answered. */
const listening = async (flags: Record<string, unknown> = { n: 1 }) => {
  const service = bulkService(flags)
  service.answer!.more = streamed
  const page = await started(service, { pollMs: NEVER_MS })
  const [stream] = Stream.all
  stream!.open()
  await asked(service, 2)
  return { service, stream: stream!, ...page }
}

test("a page that hears of a change asks for what is as new as that", async () => {
  const { service, stream, client } = await listening()
  service.answer = { revision: "1.0.0.2", flags: { n: 2 }, more: streamed }
  stream.say(REFETCH, "1.0.0.2")
  await expect.poll(() => client.getNumberValue("n", 0), PATIENTLY).toBe(2)
  const { headers, query } = service.asked.at(-1)!
  expect(headers.get("hotswap-at-least")).toBe("1.0.0.2")
  // Who listens needs no ticket, and so may be told that nothing has changed.
  expect([...query]).toEqual([
    ["flagConfigEtag", "1.0.0.2"],
    ["eventStreams", "none"],
  ])
})

test("it asks again when the answer is older than what it has heard of", async () => {
  const { service, stream, client } = await listening()
  stream.say(REFETCH, "1.0.0.2")
  await asked(service, 4)
  service.answer = { revision: "1.0.0.2", flags: { n: 2 } }
  await expect.poll(() => client.getNumberValue("n", 0), PATIENTLY).toBe(2)
})

test("it asks one question at a time, and one more for all it hears meanwhile", async () => {
  const { service, stream, client } = await listening()
  const { length } = service.asked
  let release: () => void = () => undefined
  service.before = () =>
    new Promise<void>((resolve) => {
      release = resolve
    })
  for (let times = 0; times < 5; times++) stream.say(REFETCH)
  await asked(service, length + 1)
  service.before = () => {
    service.answer = { revision: "1.0.0.2", flags: { n: 2 } }
  }
  stream.say(REFETCH)
  release()
  await expect.poll(() => client.getNumberValue("n", 0), PATIENTLY).toBe(2)
  expect(service.asked.length).toBe(length + 2)
})

test("it takes no notice of what is nothing to it", async () => {
  const { service, stream } = await listening()
  const { length } = service.asked
  for (const data of ["", "no JSON", "null", "[]", { type: "another" }, {}]) stream.say(data)
  expect(service.asked.length).toBe(length)
})

test("it goes on with the stream it has when an answer brings another ticket", async () => {
  const { service, stream } = await listening()
  service.answer = { revision: "1.0.0.2", flags: { n: 2 }, more: streamed }
  await OpenFeature.setContext("page", { targetingKey: "user-2" })
  expect(service.asked.at(-1)!.query.get("eventStreams")).toBe("none")
  // A service that does not know how to leave it out.
  stream.break(false)
  await OpenFeature.setContext("page", { targetingKey: "user-3" })
  stream.open()
  expect(Stream.all).toEqual([stream])
  expect(stream.readyState).toBe(1)
})

test("it gets a new ticket when the stream is over, and leaves one alone that comes back by itself", async () => {
  const { service, stream } = await listening()
  stream.break(false)
  stream.open()
  await asked(service, 3)
  expect(Stream.all.length).toBe(1)
  stream.break(true)
  await expect.poll(() => Stream.all.length, PATIENTLY).toBe(2)
  const { headers, query } = service.asked.at(-1)!
  expect([headers.get("if-none-match"), query.get("eventStreams")]).toEqual([null, null])
  expect(Stream.all[1]!.url).not.toBe(stream.url)
})

test("it listens where the service's own address is, unless another is named", async () => {
  const service = bulkService({ n: 1 })
  service.answer!.more = () => ({
    eventStreams: [
      { type: "sse", endpoint: { requestUri: "/here?a=1" } },
      { type: "sse", endpoint: { origin: "https://there.test", requestUri: "/there" } },
      { type: "sse", url: "no address" },
      { type: "sse", endpoint: { requestUri: 1 } },
    ],
  })
  await started(service, { url: "http://hotswap.test/below", pollMs: NEVER_MS })
  expect(Stream.all.map(({ url }) => url)).toEqual([
    "http://hotswap.test/here?a=1",
    "https://there.test/there",
  ])
})

test("it stops listening when it is closed, and when the service offers nothing to listen to", async () => {
  const one = await listening()
  await one.provider.onClose()
  expect(one.stream.readyState).toBe(2)
  await OpenFeature.clearProviders()
  Stream.all = []
  const other = await listening()
  other.service.answer = { revision: "1.0.0.2", flags: {} }
  other.stream.break(true)
  await asked(other.service, 3)
  expect(Stream.all.length).toBe(1)
})

test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])(
  "asks no faster for being told to ask every %d ms",
  async (pollMs) => {
    vi.stubGlobal("EventSource", undefined)
    vi.useFakeTimers()
    try {
      const service = bulkService({ a: true })
      await started(service, { pollMs })
      await vi.advanceTimersByTimeAsync(7_000)
      expect(service.asked).toHaveLength(1)
    } finally {
      vi.useRealTimers()
    }
  },
)
