import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { TenantContext } from "../../sdk/src/context.ts"
import { EventsClient, type EventsClientOptions } from "../../sdk/src/events.ts"
import { HotswapError } from "../../sdk/src/index.ts"
import { TestTenants } from "../../sdk/src/testing.ts"

interface Sent {
  events: { tenantId: string; type: string; data: unknown; id: string; at: string }[]
  headers: Headers
}
type Answer = (sent: Sent, signal: AbortSignal) => Response | Promise<Response>

const kept: Answer = ({ events }) => Response.json({ accepted: events.length, known: 0 }, { status: 202 })
const problem = (status: number, paths: string[] = [], headers = {}) =>
  Response.json({ detail: "It is not so.", errors: paths.map((path) => ({ path })) }, { status, headers })
/** Answers in turn as it is told, and then takes everything. */
const inTurn =
  (...answers: Answer[]): Answer =>
  (sent, signal) =>
    (answers.shift() ?? kept)(sent, signal)

let clients: EventsClient[] = []
beforeEach(() => {
  vi.useFakeTimers({ now: 1_700_000_000_000 })
})
afterEach(async () => {
  vi.useRealTimers()
  await Promise.all(clients.map((client) => client.close(0)))
  clients = []
})

const world = (answer: Answer = kept, options: Partial<EventsClientOptions> = {}) => {
  const sent: Sent[] = []
  const errors: Error[] = []
  const fetch: typeof globalThis.fetch = async (url, init) => {
    expect(String(url)).toBe("http://service/api/v1/events")
    const { events } = JSON.parse(String(init?.body))
    const one = { events, headers: new Headers(init?.headers) }
    sent.push(one)
    return await answer(one, init!.signal!)
  }
  const events = new EventsClient({
    url: "http://service/",
    token: "hsr_token",
    tenantId: "acme",
    onError: (error) => errors.push(error),
    fetch,
    ...options,
  })
  clients.push(events)
  return { events, sent, errors }
}
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)
const order = (nth: number) => ({ orderId: `${nth}`, amountCents: nth })
const trackMany = (events: EventsClient, many: number) => {
  for (let nth = 1; nth <= many; nth++) events.track("order_created", order(nth))
}
const sizesOf = (sent: Sent[]) => sent.map(({ events }) => events.length)
const NONE = { full: 0, invalid: 0, refused: 0, late: 0 }

describe("events", () => {
  test("go together, once they are old enough or as many as go together, as they were when they were tracked", async () => {
    const { events, sent } = world()
    const data = { orderId: "1", amountCents: 5 }
    events.track("order_created", data)
    data.amountCents = 6
    await pass(600)
    events.track("user_login", { userId: "ann" })
    await pass(399)
    expect(sent).toEqual([])
    await pass(1)
    expect(sent[0]!.events).toMatchObject([
      { tenantId: "acme", type: "order_created", data: { amountCents: 5 }, at: "2023-11-14T22:13:20.000Z" },
      { type: "user_login", at: "2023-11-14T22:13:20.600Z" },
    ])
    expect(sent[0]!.headers.get("authorization")).toBe("Bearer hsr_token")
    trackMany(events, 1_200)
    expect(sent).toHaveLength(1)
    await pass(0)
    expect(sizesOf(sent)).toEqual([2, 500, 500])
    await pass(1_000)
    expect(sizesOf(sent)).toEqual([2, 500, 500, 200])
    expect(new Set(sent.flatMap(({ events }) => events.map(({ id }) => id))).size).toBe(1_202)
    expect(events.counts).toEqual({ waiting: 0, told: 1_202, dropped: NONE })
    const long = { type: "x".repeat(1_000) }
    for (let nth = 0; nth < 450; nth++) events.track("error", long)
    await pass(1_000)
    expect(sizesOf(sent).slice(4)).toEqual([265, 185])
  })

  test("that could not be told are told again under their ids, later each time and not before the service wants it", async () => {
    vi.spyOn(Math, "random").mockReturnValue(1)
    const away: Answer = () => Promise.reject(new TypeError("fetch failed"))
    const busy: Answer = () => problem(429, [], { "retry-after": "7" })
    const halfAnAnswer: Answer = () => new Response('{"accepted":', { status: 202 })
    const somebodyElse: Answer = () => new Response("<html>", { status: 200 })
    const { events, sent, errors } = world(inTurn(away, busy, halfAnAnswer, somebodyElse))
    trackMany(events, 3)
    await pass(1_000)
    for (const [tries, ms] of [
      [2, 1_000],
      [3, 7_000 + 2_000],
      [4, 4_000],
      [5, 60_000],
    ] as const) {
      await pass(ms - 1)
      expect(sent).toHaveLength(tries - 1)
      await pass(1)
      expect(sent).toHaveLength(tries)
    }
    for (const { events } of sent) expect(events).toEqual(sent[0]!.events)
    expect(events.counts).toEqual({ waiting: 0, told: 3, dropped: NONE })
    // However often it failed.
    expect(errors.map(({ message }) => message)).toEqual([expect.stringContaining("fetch failed")])
    vi.restoreAllMocks()
  })

  test("that the service does not take are dropped and counted, and hold no other up", async () => {
    const refuses: Answer = () => problem(400, ["/events/1/data/orderId", "/events/3/at", "/events/9/at"])
    const suspended: Answer = () => problem(403, ["/events/0/tenantId"])
    const { events, sent, errors } = world(inTurn(refuses, suspended, () => problem(413)))
    trackMany(events, 5)
    await pass(1_000)
    // What is said of a tenant is true of all its events; what names no event is true of all of them.
    expect(sizesOf(sent)).toEqual([5, 3])
    expect(events.counts).toEqual({ waiting: 0, told: 0, dropped: { ...NONE, refused: 5 } })
    expect(errors).toHaveLength(1)
    expect(errors[0]!.message).toContain("It is not so.")
    trackMany(events, 2)
    await pass(1_000)
    expect(events.counts.dropped.refused).toBe(7)
    trackMany(events, 2)
    await pass(1_000)
    expect(events.counts.told).toBe(2)
  })

  test("wait while the service does not know who tells them", async () => {
    const { events, sent } = world(inTurn(() => problem(401)))
    trackMany(events, 2)
    await pass(20_000)
    expect([sent.length, events.counts.waiting]).toEqual([1, 2])
    await pass(60_000)
    expect(events.counts).toEqual({ waiting: 0, told: 2, dropped: NONE })
  })

  test("that there is no room for, or that cannot be told, are counted, and nothing is thrown at the application", async () => {
    const { events, errors } = world(() => problem(503), { waitingMax: 10 })
    trackMany(events, 12)
    const around: Record<string, unknown> = {}
    around.around = around
    events.track("error", around as never)
    events.track("error", { type: "x".repeat(1_000_001) })
    events.track("error", { type: "x" }, { at: new Date(Number.NaN) })
    expect(events.counts).toEqual({ waiting: 10, told: 0, dropped: { ...NONE, full: 2, invalid: 3 } })
    const listens = world(kept, {
      tenantId: undefined,
      onError: () => {
        throw new Error("I fail")
      },
    } as never)
    listens.events.track("user_login", { userId: "ann" })
    expect(listens.events.counts.dropped.invalid).toBe(1)
    expect(errors.map(({ message }) => /\((\w+)\)/.exec(message)?.[1])).toEqual(["full", "invalid"])
  })

  test("are the running request's tenant's, and those under one id never go together", async () => {
    const { events, sent } = world()
    const tenants = new TestTenants({ tenants: { bolt: {}, zoom: {} } })
    const ofBolt = TenantContext.of({ view: tenants.of("bolt").view() })
    TenantContext.run(ofBolt, () => {
      events.track("order_created", order(1), { id: "order-1" })
      events.track("order_created", order(2), { tenantId: "zoom", id: "order-1" })
    })
    events.track("order_created", order(3), { id: "order-1" })
    events.track("order_created", order(1), { tenantId: "bolt", id: "order-1" })
    await pass(1_000)
    expect(sent.map(({ events }) => events.map(({ tenantId, id }) => `${tenantId} ${id}`))).toEqual([
      ["bolt order-1", "zoom order-1", "acme order-1"],
      ["bolt order-1"],
    ])
  })

  test("are sent outside of the request that happens to start it, unless somebody waits for them: then in its trace", async () => {
    const contexts: unknown[] = []
    const spying: Answer = (sent, signal) => {
      contexts.push(TenantContext.find())
      return kept(sent, signal)
    }
    let fails = false
    const traceparent = () => {
      if (fails) throw new Error("no trace")
      return `00-${"a".repeat(32)}-${"b".repeat(16)}-01`
    }
    const { events, sent } = world(spying, { traceparent })
    const tenants = new TestTenants({ tenants: { bolt: {} } })
    await tenants.run("bolt", async () => {
      trackMany(events, 500)
      await pass(0)
      events.track("order_created", order(1))
      await pass(1_000)
      events.track("order_created", order(1))
      expect(await events.flush()).toBe(true)
    })
    fails = true
    events.track("order_created", order(1))
    expect(await events.flush()).toBe(true)
    expect(contexts).toEqual([null, null, null, null])
    expect(sent.map(({ headers }) => headers.get("traceparent"))).toEqual([null, null, traceparentOf(), null])
  })

  const traceparentOf = () => `00-${"a".repeat(32)}-${"b".repeat(16)}-01`

  test("are told at once by who waits for it, who is told when that did not come about", async () => {
    vi.spyOn(Math, "random").mockReturnValue(1)
    let answer: Answer = () => problem(503)
    const { events, sent } = world((...asked) => answer(...asked))
    expect(await events.flush()).toBe(true)
    trackMany(events, 3)
    const late = events.flush(200)
    await pass(200)
    expect([await late, events.counts.waiting]).toEqual([false, 3])
    answer = kept
    // In the middle of a pause of a second.
    expect(await events.flush()).toBe(true)
    expect([sizesOf(sent), events.counts.told]).toEqual([[3, 3], 3])
    vi.restoreAllMocks()
  })

  test("that wait when it is closed are told, and what could not be told in time is counted; later ones are not taken", async () => {
    const { events, sent } = world()
    trackMany(events, 3)
    await events.close()
    events.track("order_created", order(4))
    expect(sizesOf(sent)).toEqual([3])
    expect(events.counts).toEqual({ waiting: 0, told: 3, dropped: { ...NONE, late: 1 } })
    const never = world((_, signal) => {
      const { promise, reject } = Promise.withResolvers<Response>()
      signal.addEventListener("abort", () => reject(signal.reason))
      return promise
    })
    trackMany(never.events, 3)
    const closing = never.events.close(100)
    await pass(100)
    await closing
    expect(never.events.counts).toEqual({ waiting: 0, told: 0, dropped: { ...NONE, late: 3 } })
    await pass(60_000)
    expect(never.sent).toHaveLength(1)
  })
})

test("what the service answers is in the cause of what is told of it", async () => {
  const { events, errors } = world(() => problem(500))
  trackMany(events, 1)
  await pass(1_000)
  expect(errors[0]!.cause).toMatchObject({ name: new HotswapError(500, null).name, status: 500 })
})
