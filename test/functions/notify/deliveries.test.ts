import { Webhook } from "standardwebhooks"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { createMessenger } from "../../../functions/platform/messages/messenger.ts"
import { createOutbound } from "../../../functions/platform/outbound.ts"
import { must } from "../manage/world.ts"
import { type ChannelWorld, channelWorld } from "./channel-world.ts"
import { type Receiver, startReceiver } from "./receivers.ts"

let world: ChannelWorld
let receiver: Receiver
beforeAll(async () => {
  world = await channelWorld()
})
afterAll(() => world.close())
beforeEach(async () => {
  receiver = await startReceiver()
  world.swap()
})
afterEach(() => receiver.stop())

const hook = () => ({ type: "webhook", url: receiver.url })

interface Delivery {
  deliveryId: string
  state: string
  lastError: string | null
}

describe("a test message", () => {
  test("is sent at once, signed like any other, and what came of it is said", async () => {
    const { create, ask } = await world.newTenant()
    const { body: channel } = await must(create(hook()), 201)
    const sent = await must(ask("POST", `/${channel.channelId}/test`), 200)
    expect(sent.body).toMatchObject({ delivered: true, words: "The receiver answered 204." })
    const [{ body, headers } = { body: "", headers: {} }] = receiver.received
    expect(new Webhook(channel.secret!).verify(body, headers as Record<string, string>)).toMatchObject({
      type: "channel.test",
    })
    receiver.answer = (response) => void response.writeHead(500).end("the receiver's own secrets")
    const failed = await must(ask("POST", `/${channel.channelId}/test`), 200)
    expect(failed.body).toMatchObject({ delivered: false, words: "The receiver answered 500." })
  })

  test("goes nowhere when the name has come to lead inside", async () => {
    const { create, ask } = await world.newTenant()
    const answers = [["1.1.1.1"], ["127.0.0.1"]]
    const outbound = createOutbound({ allowed: [], resolve: async () => answers.shift()! })
    world.swap(createMessenger({ outbound, mailer: null, consoleUrl: null }))
    const url = "https://rebinding.example/"
    const { body: channel } = await must(create({ type: "webhook", url }), 201)
    const sent = await must(ask("POST", `/${channel.channelId}/test`), 200)
    expect(sent.body).toMatchObject({
      delivered: false,
      words: "The host does not resolve to public addresses only.",
    })
  })
})

test("a secret that is replaced is still signed with for a day, and the new one at once", async () => {
  const { create, ask } = await world.newTenant()
  const { body: channel } = await must(create(hook()), 201)
  const { body: rotated } = await must(ask("POST", `/${channel.channelId}/rotate`), 200)
  await must(ask("POST", `/${channel.channelId}/test`), 200)
  const { body, headers } = receiver.received.at(-1)!
  for (const secret of [channel.secret!, rotated.secret!])
    expect(new Webhook(secret).verify(body, headers as Record<string, string>)).toBeTruthy()
  world.moveClock(86_400_000)
  await must(ask("POST", `/${channel.channelId}/test`), 200)
  expect(String(receiver.received.at(-1)!.headers["webhook-signature"]).split(" ")).toHaveLength(1)
})

describe("the dead-letter list", () => {
  test("says what was given up and why; what is asked for again is tried again", async () => {
    const { create, ask, tenantId, tokens, token } = await world.newTenant()
    await must(create(hook()), 201)
    const list = `/api/v1/tenants/${tenantId}/deliveries`
    const body = { tenantId, environment: "Production", edits: [{ key: "a", value: 1 }] }
    await must(world.call("POST", "/api/v1/changes", { token: tokens.engineer, body }), 202)
    const pending = await must(
      world.call<{ items: Delivery[] }>("GET", `${list}?state=pending`, { token }),
      200,
    )
    expect(pending.body.items).toHaveLength(1)
    receiver.answer = (response) => void response.writeHead(410).end()
    await world.sweep()
    const dead = await must(world.call<{ items: Delivery[] }>("GET", `${list}?state=dead`, { token }), 200)
    const [{ deliveryId, lastError } = { deliveryId: "", lastError: "" }] = dead.body.items
    expect(lastError).toBe("The receiver answered 410: it wants no more of these.")
    receiver.answer = (response) => void response.writeHead(204).end()
    const retry = `${list}/${deliveryId}/retry`
    await must(world.call("POST", retry, { token: tokens.engineer }), 403)
    expect((await must(world.call("POST", retry, { token }), 202)).body).toMatchObject({
      state: "pending",
      attempts: 0,
    })
    expect((await must(world.call("POST", retry, { token }), 409)).body.code).toBe("DELIVERY_NOT_DEAD")
    await world.sweep()
    expect(receiver.received.map(({ headers }) => headers["webhook-id"])).toEqual([deliveryId, deliveryId])
    const { items } = (await must(world.call<{ items: Delivery[] }>("GET", list, { token }), 200)).body
    expect(items.map(({ state }) => state)).toEqual(["delivered"])
    const { body: audit } = await must(
      world.call<{ items: { action: string }[] }>("GET", `/api/v1/audit?tenantId=${tenantId}`),
      200,
    )
    expect(audit.items.map(({ action }) => action)).toEqual(
      expect.arrayContaining(["channel.create", "delivery.retry"]),
    )
    await must(ask("GET", ""), 200)
  })

  test("is read page by page, newest first", async () => {
    const { create, tenantId, tokens } = await world.newTenant()
    for (let n = 0; n < 3; n++) await must(create(hook()), 201)
    const body = { tenantId, environment: "Production", edits: [{ key: "a", value: 1 }] }
    await must(world.call("POST", "/api/v1/changes", { token: tokens.engineer, body }), 202)
    const seen: string[] = []
    let cursor: string | null = ""
    while (cursor !== null) {
      const query: string = cursor === "" ? "" : `&cursor=${cursor}`
      const { body: read } = await must(
        world.call<{ items: Delivery[]; nextCursor: string | null }>(
          "GET",
          `/api/v1/tenants/${tenantId}/deliveries?limit=1${query}`,
        ),
        200,
      )
      seen.push(...read.items.map(({ deliveryId }) => deliveryId))
      cursor = read.nextCursor
    }
    expect(seen).toHaveLength(3)
    expect(seen).toEqual([...new Set(seen)].sort().reverse())
  })
})

test("no message holds a value, old or new, whatever becomes of the change", async () => {
  const { create, tenantId, tokens } = await world.newTenant()
  await must(create(hook()), 201)
  await must(create({ type: "slack", url: `${receiver.url}/slack` }), 201)
  await must(create({ type: "email", to: ["a@example.com"] }), 201)
  const before = world.mail.mails.length
  const values = ["sentinel-first", { deep: ["sentinel-second"] }]
  const submit = async (value: unknown) => {
    const body = {
      tenantId,
      environment: "Production",
      edits: [{ key: "a.key", value, description: "sentinel" }],
    }
    const made = await must(
      world.call<{ changeId: string }>("POST", "/api/v1/changes", { token: tokens.tenant_admin, body }),
      202,
    )
    return made.body.changeId
  }
  const act = (changeId: string, action: string, token: string) =>
    must(world.call("POST", `/api/v1/changes/${changeId}/${action}`, { token, body: {} }), 200)
  for (const value of values) {
    const changeId = await submit(value)
    for (const role of ["engineer", "manager", "compliance"] as const)
      await must(world.call("POST", `/api/v1/approvals/${changeId}/approve`, { token: tokens[role] }), 200)
    await act(changeId, "abort", tokens.manager)
  }
  await act(await submit("sentinel-third"), "cancel", tokens.manager)
  const rejected = await submit("sentinel-fourth")
  await must(world.call("POST", `/api/v1/approvals/${rejected}/reject`, { token: tokens.engineer }), 200)
  const broken = await submit("sentinel-fifth")
  await act(broken, "break-glass", tokens.tenant_admin)
  await act(broken, "rollback", tokens.manager)
  while (
    (await world.call<{ items: unknown[] }>("GET", `/api/v1/tenants/${tenantId}/deliveries?state=pending`))
      .body.items.length
  )
    await world.sweep()
  const types = new Set(
    receiver.received.filter(({ path }) => path === "/").map(({ body }) => JSON.parse(body).type),
  )
  expect([...types].sort()).toEqual(
    expect.arrayContaining([
      "change.approval_requested",
      "change.approved",
      "change.cancelled",
      "change.glass_broken",
      "change.rejected",
      "change.rolled_back",
      "change.started",
    ]),
  )
  const texts = [
    ...receiver.received.map(({ body }) => body),
    ...world.mail.mails.slice(before).map(({ text }) => text),
  ]
  expect(world.mail.mails.length - before).toBeGreaterThan(types.size)
  for (const text of texts) expect(text).not.toContain("sentinel")
  expect(texts.some((text) => text.includes("a.key"))).toBe(true)
})
