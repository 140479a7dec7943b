import { request } from "node:http"
import { createUsage } from "../../functions/platform/usage.ts"
import { createRead, type ReadHandler } from "../../functions/read/read.ts"
import { startFunctionHost } from "../../local/functions.ts"
import { acmeWorld, eventOf, VIEW } from "../../test/functions/read/world.ts"
import { median, pairedRatio, quantile, round } from "../statistics.ts"
import { SMALL, startWorld, type World } from "../world.ts"
import type { Report, Suite } from "./suite.ts"

const CLIENTS = 8
const TURNS = 60
const WARM_UP = 3
const CALLS = 20_000
const REQUESTS = 1_500

const told = async (world: World, batch: number, batches: number): Promise<number[]> => {
  const event = { tenantId: SMALL.tenantId, type: "order_created", data: { orderId: "1", amountCents: 100 } }
  const times: number[] = []
  const send = async (client: number) => {
    for (let nth = 0; nth < batches / CLIENTS; nth++) {
      const events = Array.from({ length: batch }, (_, i) => ({
        ...event,
        data: { ...event.data, userId: `user-${(client * 7_919 + nth * batch + i) % 1_000}` },
      }))
      const startedMs = performance.now()
      const { status } = await world.hotswap.call("POST", "/api/v1/events", {
        body: { events },
        origin: true,
      })
      if (status !== 202) throw new Error(`events were answered with ${status}`)
      times.push(performance.now() - startedMs)
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, (_, client) => send(client)))
  return times
}

const accepting = async (world: World, report: Report, batch: number, batches: number): Promise<void> => {
  await told(world, batch, CLIENTS * 4)
  const startedMs = performance.now()
  const times = await told(world, batch, batches)
  const seconds = (performance.now() - startedMs) / 1_000
  report.figure({
    suite: "events",
    name: `events told in batches of ${batch}, ${CLIENTS} clients`,
    values: {
      eventsPerSecond: Math.round((batch * batches) / seconds),
      p50Ms: round(median(times)),
      p99Ms: round(quantile(times, 0.99)),
    },
  })
}

/** The hot read with what counts it and without, in one process, by turns. */
const counting = async (report: Report): Promise<void> => {
  const world = acmeWorld()
  const token = await world.reader()
  const usage = createUsage({ ...world, inbox: { put: async (batch) => JSON.stringify(batch).length > 0 } })
  const reads = {
    without: createRead({ ...world.platform, usage: undefined }),
    counting: createRead({ ...world.platform, usage }),
  }
  const micros = { without: [] as number[], counting: [] as number[] }
  const http = { without: [] as number[], counting: [] as number[] }
  const hosts = {
    without: await hostOf(reads.without),
    counting: await hostOf(reads.counting),
  }
  for (let turn = -WARM_UP; turn < TURNS; turn++) {
    const order = turn % 2 === 0 ? (["without", "counting"] as const) : (["counting", "without"] as const)
    for (const which of order) {
      const direct = await called(reads[which], token)
      const answered = await asked(hosts[which].url, token)
      if (turn >= 0) {
        micros[which].push(direct)
        http[which].push(answered)
      }
    }
    // A batch is handed on each turn, and the views stay as old as they are.
    world.clock.advance(1)
    await usage.flush()
  }
  await Promise.all(Object.values(hosts).map((host) => host.stop()))
  const ratio = round(pairedRatio(http.counting, http.without), 3)
  report.figure({
    suite: "events",
    name: "a hot read that is counted, beside one that is not",
    values: {
      overHttpRatio: ratio,
      overHttpMicros: round(median(http.counting)),
      inProcessRatio: round(pairedRatio(micros.counting, micros.without), 3),
      inProcessMicros: round(median(micros.counting)),
      addedMicros: round(median(micros.counting) - median(micros.without)),
    },
    goal: { text: "< 3 % of what is answered over HTTP", met: ratio < 1.03 },
  })
}

const hostOf = (handler: ReadHandler) => {
  const hosted = { handler, timeoutMs: 10_000 }
  return startFunctionHost({ route: () => hosted, port: 0, log: { error: () => undefined } })
}

/** Of the processor, for each of many calls of the function itself. */
const called = async (read: ReadHandler, token: string): Promise<number> => {
  const event = eventOf(VIEW, { token })
  const before = process.cpuUsage()
  for (let nth = 0; nth < CALLS; nth++) await read(event)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / CALLS
}

/** The same over a connection that stays. */
const asked = async (url: string, token: string): Promise<number> => {
  const ask = () =>
    new Promise<void>((done, failed) => {
      const asking = request(`${url}${VIEW}`, { headers: { authorization: `Bearer ${token}` } }, (answer) =>
        answer.resume().once("end", done),
      )
      asking.once("error", failed).end()
    })
  const before = process.cpuUsage()
  for (let nth = 0; nth < REQUESTS; nth++) await ask()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / REQUESTS
}

/** What applications tell, durable before it is answered; and what it costs readers to be counted. */
export const events: Suite = {
  name: "events",
  run: async (report) => {
    await counting(report)
    const world = await startWorld()
    try {
      await accepting(world, report, 1, 400)
      await accepting(world, report, 100, 160)
    } finally {
      await world.stop()
    }
  },
}
