import { afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest"
import type { HotswapClient } from "../../sdk/src/index.ts"
import {
  answerWith,
  connectTo,
  eventOf,
  refusal,
  type Scripted,
  scriptService,
  snapshotOf,
} from "./scripted.ts"

let clients: HotswapClient[] = []
beforeAll(async () => {
  // The stream is loaded when it is needed, which it would not be while time stands still.
  const service = scriptService({})
  const { client } = connectTo(service)
  await vi.waitFor(() => expect(service.of("stream")).toHaveLength(1))
  await client.close()
})
beforeEach(() => {
  vi.useFakeTimers({ now: 1_700_000_000_000 })
  // The longest of every pause that chance decides on.
  vi.spyOn(Math, "random").mockReturnValue(0)
})
afterEach(async () => {
  vi.restoreAllMocks()
  vi.useRealTimers()
  await Promise.all(clients.map((client) => client.close()))
  clients = []
})

const connect = (service: Scripted, options = {}) => {
  const connected = connectTo(service, options)
  clients.push(connected.client)
  return connected
}

const pass = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1_000)

test("a client asks at the pace that the service says, slower while the stream stands", async () => {
  const service = scriptService({ read: () => answerWith(snapshotOf(1), { "hotswap-poll": "7;stream=20" }) })
  connect(service, { stream: false })
  await pass(0)
  expect(service.of("configs")).toHaveLength(1)
  await pass(6.9)
  expect(service.of("configs")).toHaveLength(1)
  await pass(0.2)
  expect(service.of("configs")).toHaveLength(2)
  const streaming = scriptService({ read: service.answer.read })
  connect(streaming)
  await pass(19.9)
  expect(streaming.of("configs")).toHaveLength(1)
  await pass(2)
  expect(streaming.of("configs")).toHaveLength(2)
  streaming.cut()
  await pass(7.1)
  expect(streaming.of("configs")).toHaveLength(3)
})

test("clients that begin together ask at different times, and none later than its pace", async () => {
  vi.mocked(Math.random).mockReturnValue(1)
  const service = scriptService({})
  connect(service, { stream: false })
  await pass(7.9)
  expect(service.of("configs")).toHaveLength(1)
  await pass(0.2)
  expect(service.of("configs")).toHaveLength(2)
})

test("failures are followed by ever longer pauses of half a minute at most, and what is there is served", async () => {
  vi.mocked(Math.random).mockReturnValue(1)
  let isDown = false
  const read = () => (isDown ? Promise.reject(new TypeError("fetch failed")) : answerWith(snapshotOf(1)))
  const service = scriptService({ read })
  const { client, told } = connect(service, { stream: false })
  await pass(0)
  isDown = true
  const began = service.asked.length
  await pass(8)
  const counts = []
  for (const seconds of [1, 2, 4, 8, 16, 30, 30]) {
    counts.push(service.asked.length - began)
    await pass(seconds)
  }
  expect(counts).toEqual([1, 2, 3, 4, 5, 6, 7])
  expect(told.stale).toEqual([{ since: new Date(1_700_000_000_000) }])
  expect(told.error.length).toBe(service.asked.length - began)
  expect(client.get("k")).toBe(1)
  isDown = false
  await pass(30)
  expect(told.ready).toHaveLength(2)
})

test("the service is left alone for as long as it asks", async () => {
  let answer = () => refusal(503, { "retry-after": "120" })
  const service = scriptService({ read: () => answer() })
  connect(service, { stream: false })
  await pass(119)
  expect(service.asked).toHaveLength(1)
  answer = () => refusal(429, { "retry-after": new Date(Date.now() + 60_000).toUTCString() })
  await pass(2)
  expect(service.asked).toHaveLength(2)
  await pass(57)
  expect(service.asked).toHaveLength(2)
  // Nobody is sent away for ever.
  answer = () => refusal(503, { "retry-after": "99999999999" })
  await pass(3)
  expect(service.asked).toHaveLength(3)
  await pass(301)
  expect(service.asked).toHaveLength(4)
})

test("who is refused asks seldom", async () => {
  for (const status of [401, 403, 404]) {
    const service = scriptService({ read: () => refusal(status) })
    connect(service, { stream: false })
    await pass(29)
    expect(service.asked, String(status)).toHaveLength(1)
    await pass(2)
    expect(service.asked, String(status)).toHaveLength(2)
  }
})

test("a stream that says nothing for 45 seconds is dead, and a comment is a sign of life", async () => {
  const service = scriptService({})
  connect(service)
  for (let count = 0; count < 4; count++) {
    await pass(30)
    service.say(":\n\n")
  }
  await pass(44)
  expect(service.of("stream")).toHaveLength(1)
  await pass(3)
  expect(service.of("stream")).toHaveLength(2)
})

test("a stream that ends is taken up again when it said, from where things are here", async () => {
  const service = scriptService({})
  connect(service)
  await pass(0)
  service.say("retry: 4000\n\n")
  await pass(0)
  service.cut()
  await pass(3.9)
  expect(service.of("stream")).toHaveLength(1)
  await pass(0.2)
  expect(service.of("stream").map(({ headers }) => headers.get("last-event-id"))).toEqual([
    "1.0.0.1",
    "1.0.0.1",
  ])
})

test("an event is followed by a read that says what it was about, and so is one that only wants to be looked at", async () => {
  const revisions = ["1.0.0.1", "1.0.0.1", "1.0.0.2"]
  const service = scriptService({
    read: () => answerWith(snapshotOf(Number((revisions.shift() ?? "1.0.0.2").split(".")[3]))),
  })
  const { client } = connect(service)
  await pass(0)
  // The first answer is from a place that does not know of it yet.
  service.say(eventOf("1.0.0.2") + eventOf("1.0.0.2", "feature_flag"))
  await pass(1)
  expect(client.get("k")).toBe(2)
  const told = () => service.of("configs").map(({ headers }) => headers.get("hotswap-at-least"))
  expect(told()).toEqual(["", "1.0.0.2", "1.0.0.2"])
  service.say(eventOf("1.0.0.1"))
  await pass(1)
  expect(told()).toHaveLength(3)
  service.say(eventOf("1.0.0.2"))
  await pass(1)
  expect(told()).toHaveLength(4)
})

test("nothing more is asked, told or thrown once it is closed", async () => {
  const service = scriptService({})
  const { client, told } = connect(service)
  await pass(1)
  const before = service.asked.length
  await client.close()
  await pass(600)
  expect(service.asked).toHaveLength(before)
  expect(told.error).toEqual([])
  expect(client.get("k")).toBe(1)
})

test("a listener that throws harms nobody but is told of", async () => {
  const service = scriptService({})
  const { client, told } = connect(service, { stream: false })
  client.on("ready", () => {
    throw new Error("of a listener")
  })
  await pass(1)
  expect(client.isReady).toBe(true)
  expect(told.error.map(({ error }) => error.message)).toEqual(["of a listener"])
})
