import { setImmediate as turn } from "node:timers/promises"
import {
  type Consumer,
  type ConsumerConfig,
  type JetStreamClient,
  type JsMsg,
  jetstream,
  jetstreamManager,
} from "@nats-io/jetstream"
import { headers } from "@nats-io/nats-core"
import { connect, type NatsConnection } from "@nats-io/transport-node"
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest"
import { TenantConfigService, TenantContext } from "../../sdk/src/context.ts"
import {
  byMessageHeader,
  bySubject,
  type MessageMetric,
  TenantConsumer,
  type TenantConsumerOptions,
  toSubject,
} from "../../sdk/src/nats.ts"
import { TestLimits, TestTenants } from "../../sdk/src/testing.ts"
import { hasNats, type RunningNats, startNats } from "../support/nats.ts"

const NAMES = Array.from({ length: 100 }, (_, index) => `tenant-${index}`)
const ACK_WAIT_MS = 400
const configs = new TenantConfigService()

/** Until longer than the server waits has been said of the message that it is under way. */
const outlasting = async (message: JsMsg): Promise<void> => {
  const working = vi.spyOn(message, "working")
  await vi.waitFor(() => expect(working.mock.calls.length).toBeGreaterThan(5), ACK_WAIT_MS * 20)
}

describe.skipIf(!hasNats())("messages of a JetStream consumer", () => {
  let nats: RunningNats
  let connection: NatsConnection
  let js: JetStreamClient
  const consumers: TenantConsumer[] = []
  let streams = 0

  beforeAll(async () => {
    nats = await startNats()
    connection = await connect({ servers: nats.url })
    js = jetstream(connection)
  })
  afterEach(async () => {
    await Promise.all(consumers.splice(0).map((consumer) => consumer.stop()))
  })
  afterAll(async () => {
    await connection.close()
    await nats.stop()
  })

  /** A stream of its own, with what goes on at its consumer written down. */
  const world = async (config: Partial<ConsumerConfig> = {}) => {
    streams += 1
    const name = `s${streams}`
    const manager = await jetstreamManager(connection)
    await manager.streams.add({ name, subjects: [`${name}.>`] })
    await manager.consumers.add(name, {
      durable_name: "worker",
      ack_policy: "explicit",
      ack_wait: ACK_WAIT_MS * 1_000_000,
      ...config,
    })
    const consumer: Consumer = await js.consumers.get(name, "worker")
    const tenants = new TestTenants({
      tenants: Object.fromEntries(NAMES.map((each) => [each, { configs: { owner: each } }])),
    })
    const metrics: MessageMetric[] = []
    const errors: unknown[] = []
    const start = async (
      options: Pick<TenantConsumerOptions, "handler"> & Partial<TenantConsumerOptions>,
    ) => {
      const started = await TenantConsumer.start(consumer, {
        tenants,
        resolve: bySubject(1),
        retryDelayMs: () => 1,
        onMessage: (metric) => void metrics.push(metric),
        onError: (error) => void errors.push(error),
        ...options,
      })
      consumers.push(started)
      return started
    }
    const publish = (tenantId: string, text = "") => js.publish(`${name}.${tenantId}.created`, text)
    const outcomes = () => metrics.map(({ outcome }) => outcome)
    /** What the server still holds for the consumer: not delivered yet, and delivered without an answer. */
    const owed = async () => {
      const { num_pending, num_ack_pending } = await consumer.info()
      return [num_pending, num_ack_pending]
    }
    const isDeliveredAgain = () =>
      vi.waitFor(async () => expect((await consumer.info()).num_redelivered).toBe(1), 10_000)
    const told = (...expected: string[]) => vi.waitFor(() => expect(outcomes()).toEqual(expected), 10_000)
    return { name, manager, tenants, metrics, errors, start, publish, outcomes, owed, told, isDeliveredAgain }
  }

  test("are each handled in the context of their tenant, so many at once as was said", async () => {
    const { start, publish, metrics, tenants, owed } = await world()
    const seen: string[][] = []
    let [running, most] = [0, 0]
    await Promise.all(NAMES.flatMap((tenantId) => [publish(tenantId, tenantId), publish(tenantId, tenantId)]))
    await start({
      concurrency: 7,
      handler: async (message) => {
        running += 1
        most = Math.max(most, running)
        for (let turns = 0; turns < 20; turns++) await turn()
        running -= 1
        seen.push([message.string(), TenantContext.get().tenantId, String(configs.get("owner"))])
      },
    })
    await vi.waitFor(() => expect(metrics).toHaveLength(200), 10_000)
    expect(seen).toHaveLength(200)
    for (const names of seen) expect(new Set(names).size).toBe(1)
    expect(most).toBe(7)
    expect(
      metrics.every(
        ({ outcome, tenantId, subject }) => outcome === "done" && subject.includes(`.${tenantId}.`),
      ),
    ).toBe(true)
    expect(await owed()).toEqual([0, 0])
    expect(tenants.of("tenant-5").reports.map(({ ok }) => ok)).toEqual([true, true])
  })

  test("are told apart by a header, too", async () => {
    const { name, start, tenants, metrics, told } = await world()
    const seen: string[] = []
    const around: (TenantContext | null)[] = []
    // The consumer is nothing of the request that starts it.
    await tenants.run("tenant-9", () =>
      start({
        resolve: byMessageHeader(),
        handler: () => void seen.push(TenantContext.get().tenantId),
        onMessage: (metric) => {
          metrics.push(metric)
          around.push(TenantContext.find())
        },
      }),
    )
    const header = headers()
    header.set("X-Tenant-ID", "tenant-3")
    await js.publish(`${name}.any`, "", { headers: header })
    await told("done")
    expect(seen).toEqual(["tenant-3"])
    expect(around).toEqual([null])
  })

  test("are delivered again when the handler fails, and done once it does not", async () => {
    const { start, publish, told, metrics, tenants, errors, owed } = await world()
    let calls = 0
    await start({
      handler: () => {
        calls += 1
        if (calls < 3) throw new Error(`failure ${calls}`)
      },
    })
    await publish("tenant-1")
    await told("failed", "failed", "done")
    expect(metrics.map(({ deliveries }) => deliveries)).toEqual([1, 2, 3])
    expect(errors.map(String)).toEqual(["Error: failure 1", "Error: failure 2"])
    expect(tenants.of("tenant-1").reports.map(({ ok }) => ok)).toEqual([false, false, true])
    expect(await owed()).toEqual([0, 0])
  })

  test("that fail every time are put among the dead letters, once, with their own headers and why", async () => {
    const { name, manager, start, publish, told, owed } = await world()
    await manager.streams.add({ name: `dead-${name}`, subjects: [`dead.${name}`] })
    const bury = toSubject(js, `dead.${name}`)
    await start({
      failuresMax: 3,
      handler: (message) => {
        if (message.string() === "poison") throw new Error("cannot\nbe read")
      },
      // The letter arrives twice, as it would if the answer to the first had been lost.
      deadLetter: async (letter) => {
        await bury(letter)
        await bury(letter)
      },
    })
    const header = headers()
    header.set("Trace", "t-1")
    header.set("Nats-Expected-Stream", name)
    await js.publish(`${name}.tenant-1.created`, "poison", { headers: header, msgID: "m-1" })
    await told("failed", "failed", "dead")
    await publish("tenant-1", "wholesome")
    await told("failed", "failed", "dead", "done")
    expect(await owed()).toEqual([0, 0])
    expect((await manager.streams.info(`dead-${name}`)).state.messages).toBe(1)
    const letter = await manager.streams.getMessage(`dead-${name}`, { seq: 1 })
    expect(letter!.string()).toBe("poison")
    const told2 = Object.fromEntries([...letter!.header].map(([key, values]) => [key, values[0]]))
    expect(told2).toMatchObject({
      Trace: "t-1",
      "Hotswap-Dead-Reason": "It failed 3 times, at last: Error: cannot be read",
      "Hotswap-Dead-Subject": `${name}.tenant-1.created`,
      "Hotswap-Dead-Tenant": "tenant-1",
      "Hotswap-Dead-Deliveries": "3",
    })
  })

  test("are not lost where the dead letters cannot be put down", async () => {
    const { start, publish, outcomes } = await world()
    let isAway = true
    const handler = vi.fn(() => Promise.reject(new Error("no")))
    await start({
      failuresMax: 1,
      retryDelayMs: () => 1,
      handler,
      deadLetter: () => {
        if (isAway) throw new Error("no stream")
      },
    })
    await publish("tenant-1")
    await vi.waitFor(() => expect(outcomes()).toContain("failed"), 10_000)
    isAway = false
    await vi.waitFor(() => expect(outcomes().at(-1)).toBe("dead"), 10_000)
    expect(handler).toHaveBeenCalledTimes(1)
  })

  test("that name no tenant, or none that there is, are dead at once", async () => {
    const { name, start, told, owed } = await world()
    const handler = vi.fn()
    const reasons: string[] = []
    await start({ concurrency: 1, handler, deadLetter: ({ reason }) => void reasons.push(reason) })
    for (const subject of ["Not_One.created", "tenant-x.created", "tenant-1.created"])
      await js.publish(`${name}.${subject}`)
    await told("dead", "dead", "done")
    expect(handler).toHaveBeenCalledTimes(1)
    expect(reasons).toEqual(["What the message names is no tenant's id.", "There is no such tenant."])
    expect(await owed()).toEqual([0, 0])
  })

  test("beyond a tenant's limit come again when there is room, and that is no failure of theirs", async () => {
    const { start, publish, metrics, outcomes, owed } = await world()
    const limits = new TestLimits({ command: 1 })
    limits.retryAfterMs = 50
    const seen: string[] = []
    await start({
      limits,
      action: "command",
      failuresMax: 1,
      deliveriesMax: 2,
      concurrency: 1,
      handler: () => void seen.push(TenantContext.get().tenantId),
    })
    await publish("tenant-1")
    await publish("tenant-1")
    await publish("tenant-2")
    await vi.waitFor(
      () => expect(outcomes().filter((each) => each === "limited").length).toBeGreaterThan(3),
      10_000,
    )
    expect(seen).toEqual(["tenant-1", "tenant-2"])
    limits.reset()
    await vi.waitFor(() => expect(seen).toHaveLength(3), 10_000)
    await vi.waitFor(async () => expect(await owed()).toEqual([0, 0]), 10_000)
    expect(metrics.at(-1)!.deliveries).toBeGreaterThan(4)
    expect(outcomes()).not.toContain("dead")
  })

  test("come back no sooner than the limit says", async () => {
    const { start, publish, told } = await world()
    const naks: (number | undefined)[] = []
    const limits = new TestLimits({ command: 0 })
    limits.retryAfterMs = 86_400_000
    const resolve = (message: JsMsg) => {
      vi.spyOn(message, "nak").mockImplementation((delayMs) => void naks.push(delayMs))
      return "tenant-1"
    }
    await start({ limits, action: "command", resolve, handler: () => {} })
    await publish("tenant-1")
    await told("limited")
    expect(naks).toEqual([86_400_000])
  })

  test("come back later each time that they are put off, so that those that wait do not wear them out", async () => {
    const { start, publish, outcomes } = await world()
    const naks: (number | undefined)[] = []
    const limits = new TestLimits({ command: 0 })
    limits.retryAfterMs = 1_000
    await start({
      limits,
      action: "command",
      resolve: (message) => {
        const nak = message.nak.bind(message)
        vi.spyOn(message, "nak").mockImplementation((delayMs) => {
          naks.push(delayMs)
          nak(1)
        })
        return "tenant-1"
      },
      handler: () => {},
    })
    await publish("tenant-1")
    await vi.waitFor(() => expect(outcomes().length).toBeGreaterThanOrEqual(8), 10_000)
    expect(naks.slice(0, 8)).toEqual([1, 2, 4, 8, 16, 32, 60, 60].map((seconds) => seconds * 1_000))
  })

  test("that outlast the time to acknowledge them are not delivered a second time", async () => {
    const { start, publish, told, metrics } = await world()
    const handler = vi.fn(outlasting)
    await start({ handler })
    await publish("tenant-1")
    await told("done")
    expect(handler).toHaveBeenCalledTimes(1)
    expect(metrics[0]!.deliveries).toBe(1)
  })

  test("that are delivered again while they are under way are handled once", async () => {
    const { start, publish, told, owed, isDeliveredAgain } = await world()
    const handler = vi.fn(isDeliveredAgain)
    await start({
      handler,
      concurrency: 2,
      // The server hears nothing of its being under way.
      resolve: (message) => {
        vi.spyOn(message, "working").mockImplementation(() => {})
        return "tenant-1"
      },
    })
    await publish("tenant-1")
    await told("done")
    expect(handler).toHaveBeenCalledTimes(1)
    await vi.waitFor(async () => expect(await owed()).toEqual([0, 0]), 10_000)
  })

  test("whose acknowledgement was lost are acknowledged again, and not handled again", async () => {
    const { start, publish, told, owed } = await world()
    const handler = vi.fn()
    let isLost = true
    await start({
      handler,
      resolve: (message) => {
        if (isLost) vi.spyOn(message, "ackAck").mockRejectedValue(new Error("the connection broke"))
        isLost = false
        return "tenant-1"
      },
    })
    await publish("tenant-1")
    await told("done")
    await vi.waitFor(async () => expect(await owed()).toEqual([0, 0]), 10_000)
    expect(handler).toHaveBeenCalledTimes(1)
  })

  test("that end the process each time are given up after so many deliveries", async () => {
    const { name, start, publish, told } = await world()
    await publish("tenant-1")
    // Two processes that were ended by it: each took it, and none answered.
    for (let crash = 0; crash < 2; crash++) {
      const consumer = await js.consumers.get(name, "worker")
      expect((await consumer.next({ expires: 5_000 }))!.info.deliveryCount).toBe(crash + 1)
    }
    const handler = vi.fn()
    await start({ deliveriesMax: 2, handler })
    await told("dead")
    expect(handler).not.toHaveBeenCalled()
  })

  test("are given back when the consumer stops, but for those begun, which it waits for", async () => {
    const { name, start, publish, outcomes, owed } = await world()
    let go = (): void => {}
    const until = new Promise<void>((resolve) => {
      go = resolve
    })
    const outlasted = new Set<string>()
    const handler = vi.fn(async (message: JsMsg) => {
      await outlasting(message)
      outlasted.add(message.subject)
      await until
    })
    const started = await start({ handler, concurrency: 2 })
    for (const tenantId of ["tenant-1", "tenant-2", "tenant-3"]) await publish(tenantId)
    await vi.waitFor(() => expect(handler).toHaveBeenCalledTimes(2), 10_000)
    let hasStopped = false
    const stopped = started.stop().then(() => {
      hasStopped = true
    })
    await vi.waitFor(() => expect(outlasted.size).toBe(2), 10_000)
    expect(hasStopped).toBe(false)
    go()
    await stopped
    expect(outcomes()).toEqual(["done", "done"])
    expect(handler).toHaveBeenCalledTimes(2)
    expect(await owed()).toEqual([1, 0])
    const next = await (await js.consumers.get(name, "worker")).next({ expires: 5_000 })
    expect([next!.subject, next!.info.deliveryCount]).toEqual([`${name}.tenant-3.created`, 1])
    next!.ack()
  })

  test("that were taken when the consumer stops, but not begun, are given back at once", async () => {
    const { name, start, publish, outcomes, owed } = await world({ ack_wait: 3_600_000_000_000 })
    await publish("tenant-1")
    await publish("tenant-2")
    const handler = vi.fn()
    let stopped: Promise<void> = Promise.reject(new Error("not yet"))
    stopped.catch(() => {})
    const started: TenantConsumer = await start({
      handler,
      concurrency: 2,
      resolve: ({ subject }) => {
        stopped = started.stop()
        return subject.split(".")[1]
      },
    })
    await vi.waitFor(() => stopped, 10_000)
    expect(outcomes()).toEqual(["returned", "done"])
    expect(handler).toHaveBeenCalledTimes(1)
    const next = await (await js.consumers.get(name, "worker")).next({ expires: 5_000 })
    expect([next!.subject, next!.info.deliveryCount]).toEqual([`${name}.tenant-2.created`, 2])
    next!.ack()
    await vi.waitFor(async () => expect(await owed()).toEqual([0, 0]), 10_000)
  })

  test("cannot be had once the connection is gone, and that is told", async () => {
    const { name, tenants } = await world()
    const own = await connect({ servers: nats.url })
    const started = await TenantConsumer.start(await jetstream(own).consumers.get(name, "worker"), {
      tenants,
      resolve: bySubject(1),
      handler: () => {},
      onError: () => {},
    })
    await own.close()
    await expect(started.closed).rejects.toThrow(/closed/)
  })
})
