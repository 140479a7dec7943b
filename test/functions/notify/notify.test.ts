import { spawn } from "node:child_process"
import { once } from "node:events"
import type { ServerResponse } from "node:http"
import { join } from "node:path"
import { Webhook } from "standardwebhooks"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest"
import { deleteChannel, retryDelivery } from "../../../db/queries/notifications.ts"
import { ATTEMPTS_MAX, backoffMs } from "../../../functions/notify/backoff.ts"
import { newSecret } from "../../../functions/platform/messages/webhook.ts"
import { auditOf, DEVELOPMENT, makeTenant, PRODUCTION } from "../../db/fixtures.ts"
import { ROOT } from "../../support/source-tree.ts"
import { type Receiver, startMailReceiver, startReceiver } from "./receivers.ts"
import { localMessenger, type NotifyWorld, notifyWorld } from "./world.ts"

let world: NotifyWorld
let receiver: Receiver
let tenants = 0
beforeAll(async () => {
  world = await notifyWorld()
})
afterAll(() => world.close())
beforeEach(async () => {
  receiver = await startReceiver()
})
afterEach(() => receiver.stop())

const newTenant = async () => (await makeTenant(world.app, `told-${++tenants}`)).tenantId
type Scope = Awaited<ReturnType<typeof newTenant>>

const LIVE = { type: "change.live" as const, detail: { author: "erin", keys: ["a"] } }
const webhook = (scope: Scope, path = "/", parts: Partial<Parameters<NotifyWorld["channel"]>[1]> = {}) =>
  world.channel(scope, {
    type: "webhook",
    config: { url: receiver.url + path },
    secret: newSecret(),
    ...parts,
  })
const sweep = async (sender = world.senderWith(localMessenger())) => {
  const begun = await sender.sweep()
  await sender.settled()
  return begun
}
const ids = () => receiver.received.map(({ headers }) => headers["webhook-id"])
const answering = (status: number, headers: Record<string, string> = {}) => {
  receiver.answer = (response: ServerResponse) => void response.writeHead(status, headers).end()
}
const HOUR_MS = 3_600_000

describe("what a commit tells of", () => {
  test("reaches every kind of channel, and each once", async () => {
    const scope = await newTenant()
    const mail = await startMailReceiver()
    const { secret } = await webhook(scope, "/hook")
    await world.channel(scope, {
      type: "slack",
      config: { url: "shown" },
      secret: `${receiver.url}/services/T/B/X`,
    })
    await world.channel(scope, { type: "email", config: { to: ["a@example.com"] } })
    const changeId = await world.tell(scope, [LIVE])
    const sender = world.senderWith(localMessenger(mail.port))
    expect(await sweep(sender)).toBe(3)
    expect(await sweep(sender)).toBe(0)
    await mail.stop()

    const [hook] = receiver.received.filter(({ path }) => path === "/hook")
    expect(new Webhook(secret!).verify(hook!.body, hook!.headers as Record<string, string>)).toMatchObject({
      type: "change.live",
      data: { tenantId: scope, environment: PRODUCTION, changeId, author: "erin", keys: ["a"] },
    })
    const [slack] = receiver.received.filter(({ path }) => path === "/services/T/B/X")
    expect(JSON.parse(slack!.body).text).toBe(`Live: ${PRODUCTION} of ${scope}`)
    expect(receiver.received).toHaveLength(2)
    expect(mail.mails.map(({ to }) => to)).toEqual([["a@example.com"]])
    for (const delivery of await world.deliveries(scope))
      expect(delivery).toMatchObject({ state: "delivered", attempts: 1, lastError: null, dueAt: null })
  })

  test("reaches those who asked for it: of the environment, of the type", async () => {
    const scope = await newTenant()
    await webhook(scope, "/production", { environment: PRODUCTION })
    await webhook(scope, "/started", { events: ["change.started", "change.live"] })
    await webhook(scope, "/rejected", { events: ["change.rejected"] })
    await world.tell(scope, [LIVE], DEVELOPMENT)
    await sweep()
    expect(receiver.received.map(({ path }) => path)).toEqual(["/started"])
  })
})

describe("a delivery that fails", () => {
  test("is tried again after about 5 seconds and not before, under the same id", async () => {
    const scope = await newTenant()
    await webhook(scope)
    await world.tell(scope, [LIVE])
    answering(500)
    await sweep()
    const [failed] = await world.deliveries(scope)
    expect(failed).toMatchObject({ state: "pending", attempts: 1, lastError: "The receiver answered 500." })
    world.moveClock(4_999)
    expect(await sweep()).toBe(0)
    world.moveClock(1)
    answering(204)
    expect(await sweep()).toBe(1)
    expect(ids()).toEqual([failed!.deliveryId, failed!.deliveryId])
    expect((await world.deliveries(scope))[0]).toMatchObject({ state: "delivered", attempts: 2 })
  })

  test("twelve times is dead, says why, and is tried again when somebody asks", async () => {
    const scope = await newTenant()
    await webhook(scope)
    await world.tell(scope, [LIVE])
    answering(503)
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      expect(await sweep(), String(attempt)).toBe(1)
      world.moveClock(6 * HOUR_MS)
    }
    expect(await sweep()).toBe(0)
    const [dead] = await world.deliveries(scope)
    expect(dead).toMatchObject({
      state: "dead",
      attempts: ATTEMPTS_MAX,
      lastError: "Given up after 12 attempts. The receiver answered 503.",
    })
    expect(receiver.received).toHaveLength(ATTEMPTS_MAX)
    answering(204)
    await retryDelivery(world.app, scope, dead!.deliveryId, auditOf("delivery.retry", dead!.deliveryId))
    await sweep()
    expect((await world.deliveries(scope))[0]).toMatchObject({ state: "delivered", attempts: 1 })
    expect(new Set(ids())).toEqual(new Set([dead!.deliveryId]))
  })

  test("for good is dead at once: the receiver says it is gone, or the address is none to send to", async () => {
    const scope = await newTenant()
    await webhook(scope)
    await webhook(scope, "", { config: { url: "https://10.0.0.1/" } })
    await world.channel(scope, { type: "slack", config: {}, secret: `${receiver.url}/services/X` })
    await world.tell(scope, [LIVE])
    receiver.answer = (response, { path }) =>
      void response.writeHead(path === "/" ? 410 : 404).end("no_service")
    await sweep()
    const dead = (await world.deliveries(scope)).map(({ state, attempts, lastError }) => [
      state,
      attempts,
      lastError,
    ])
    expect(dead.sort()).toEqual([
      ["dead", 1, "Slack answered 404: no_service."],
      ["dead", 1, "The host does not resolve to public addresses only."],
      ["dead", 1, "The receiver answered 410: it wants no more of these."],
    ])
  })

  test.each([
    ["60", 60_000],
    ["1", 5_000],
    ["86400", HOUR_MS],
    ["in a while", 5_000],
  ])(
    "with Retry-After: %s waits as long as it says, an hour at the most, and never less than usual",
    async (after, waitMs) => {
      const scope = await newTenant()
      await webhook(scope)
      await world.tell(scope, [LIVE])
      answering(429, { "retry-after": after })
      await sweep()
      const [{ dueAt } = { dueAt: null }] = await world.deliveries(scope)
      expect(Date.parse(dueAt!) - world.nowMs()).toBe(waitMs)
    },
  )

  test("with Retry-After as a date waits until then", async () => {
    const scope = await newTenant()
    await webhook(scope)
    await world.tell(scope, [LIVE])
    const until = new Date(Math.ceil(world.nowMs() / 1_000) * 1_000 + 120_000)
    answering(503, { "retry-after": until.toUTCString() })
    await sweep()
    expect(Date.parse((await world.deliveries(scope))[0]!.dueAt!)).toBe(until.getTime())
  })
})

test("waits grow from 5 seconds to 6 hours, spread by a quarter", () => {
  const waits = Array.from({ length: ATTEMPTS_MAX - 1 }, (_, index) => backoffMs(index + 1, 0.5))
  expect(waits[0]).toBe(5_000)
  expect(waits.at(-1)).toBe(6 * HOUR_MS)
  expect(waits).toEqual([...waits].sort((one, other) => one - other))
  expect([backoffMs(1, 0), backoffMs(1, 1)]).toEqual([3_750, 6_250])
  expect(backoffMs(1_000, 1)).toBe(6 * HOUR_MS)
})

describe("senders", () => {
  test("that look at once send each message once", async () => {
    const scope = await newTenant()
    await webhook(scope)
    await world.tell(
      scope,
      Array.from({ length: 12 }, () => LIVE),
    )
    const senders = Array.from({ length: 3 }, () => world.senderWith(localMessenger()))
    while ((await world.deliveries(scope)).some(({ state }) => state === "pending"))
      await Promise.all(senders.map(sweep))
    expect(ids()).toHaveLength(12)
    expect(new Set(ids()).size).toBe(12)
  })

  test("that are killed after sending, before it is written down, leave it to be sent again under the same id", async () => {
    // With a clock that nobody has moved yet: the one that is killed goes by the machine's.
    const [usual, fresh] = [world, await notifyWorld()]
    onTestFinished(async () => {
      world = usual
      await fresh.close()
    })
    world = fresh
    const scope = await newTenant()
    await webhook(scope)
    await world.tell(scope, [LIVE])
    const program = `
      import { composeNotify } from "${join(ROOT, "functions/platform/compose-notify.ts")}"
      import { createNotify } from "${join(ROOT, "functions/notify/notify.ts")}"
      await createNotify(composeNotify(process.env)).sweep()`
    const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", program], {
      env: {
        PATH: process.env.PATH,
        DATABASE_URL: world.url("hotswap_app"),
        DATABASE_SYSTEM_URL: world.url("hotswap_system"),
        HOTSWAP_OUTBOUND_ALLOW: "127.0.0.0/8",
      },
      stdio: ["ignore", "ignore", "inherit"],
    })
    receiver.answer = () => void child.kill("SIGKILL")
    await once(child, "exit")
    answering(204)
    expect(ids()).toHaveLength(1)
    expect((await world.deliveries(scope))[0]).toMatchObject({ state: "pending", attempts: 1 })
    expect(await sweep()).toBe(0)
    // A lease of a minute, from when the other one took it.
    world.moveClock(HOUR_MS)
    expect(await sweep()).toBe(1)
    expect(new Set(ids()).size).toBe(1)
    expect((await world.deliveries(scope))[0]).toMatchObject({ state: "delivered", attempts: 2 })
  })

  test("keep nobody waiting for another tenant's receiver, however slow it is and however much waits for it", async () => {
    const [slow, quick] = [await newTenant(), await newTenant()]
    await webhook(slow, "/slow")
    await world.tell(
      slow,
      Array.from({ length: 250 }, () => LIVE),
    )
    await webhook(quick, "/quick")
    await world.tell(quick, [LIVE])
    const held: ServerResponse[] = []
    const arrived = Promise.withResolvers<void>()
    receiver.answer = (response, { path }) => {
      if (path === "/slow") held.push(response)
      else {
        response.writeHead(204).end()
        arrived.resolve()
      }
    }
    const sender = world.senderWith(localMessenger())
    expect(await sender.sweep()).toBe(4 + 1)
    await arrived.promise
    receiver.answer = (response) => void response.writeHead(204).end()
    for (const response of held) response.writeHead(204).end()
    await sender.settled()
    expect(held.length).toBeLessThanOrEqual(4)
  })
})

test("a channel that is gone is sent nothing any more", async () => {
  const scope = await newTenant()
  const { channelId } = await webhook(scope)
  await world.tell(scope, [LIVE])
  await deleteChannel(world.app, scope, channelId, auditOf("channel.delete", channelId))
  await sweep()
  expect(receiver.received).toEqual([])
  expect((await world.deliveries(scope))[0]).toMatchObject({
    state: "dead",
    lastError: "The channel was deleted.",
  })
})
