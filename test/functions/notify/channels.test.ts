import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import type { TenantId } from "../../../core/ids.ts"
import { listAudit } from "../../../db/queries/audit.ts"
import { must } from "../manage/world.ts"
import { type Channel, type ChannelWorld, channelWorld } from "./channel-world.ts"
import { type Receiver, startReceiver } from "./receivers.ts"
import { localMessenger } from "./world.ts"

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

describe("a channel", () => {
  test("of a webhook shows its secret once, and never again", async () => {
    const { create, ask, path } = await world.newTenant()
    const made = await must(create(hook()), 201)
    expect(made.body).toMatchObject({ type: "webhook", url: receiver.url, environment: null, events: null })
    expect(made.body.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
    const shown = await must(ask("GET", `/${made.body.channelId}`), 200)
    const { secret, ...rest } = made.body
    expect(shown.body).toEqual(rest)
    expect((await must(world.call("GET", path), 200)).text).not.toContain(secret!.slice(6))
    const edited = await must(ask("PUT", `/${rest.channelId}`, { events: ["change.live"] }), 200)
    expect(edited.body).toEqual({ ...rest, events: ["change.live"] })
  })

  test("of Slack never shows the path of its URL, which is its secret", async () => {
    const { create, ask } = await world.newTenant()
    const made = await must(create({ type: "slack", url: `${receiver.url}/services/T0/B0/hunter2` }), 201)
    expect(made.body).toMatchObject({ url: `${receiver.url}/…` })
    const edited = await must(
      ask("PUT", `/${made.body.channelId}`, { url: `${receiver.url}/services/T0/B0/hunter3` }),
      200,
    )
    const listed = await must(ask("GET", ""), 200)
    for (const { text } of [made, edited, listed]) expect(text).not.toMatch(/hunter|services|secret/)
    await must(ask("POST", `/${made.body.channelId}/test`), 200)
    expect(receiver.received.map(({ path }) => path)).toEqual(["/services/T0/B0/hunter3"])
  })

  test("by mail is refused where no mail server is set up", async () => {
    const { create } = await world.newTenant()
    const body = { type: "email", to: ["a@example.com"] }
    world.swap(localMessenger())
    expect((await must(create(body), 422)).body).toMatchObject({ code: "CHANNEL_INVALID" })
    world.swap()
    expect((await must(create(body), 201)).body).toMatchObject({ to: ["a@example.com"] })
  })

  test("is sent five test messages a minute at the most, all channels together twenty, each told by the audit", async () => {
    const { create, ask, tenantId } = await world.newTenant()
    const newChannel = async () => (await must(create(hook()), 201)).body.channelId
    const tests = async (channelId: string, count: number) => {
      const answers = await Promise.all(
        Array.from({ length: count }, () => ask("POST", `/${channelId}/test`, {})),
      )
      return answers.map(({ status, body }) => (status === 200 ? 200 : [status, body.code])).sort()
    }
    const refused = [429, "CHANNEL_TESTS_TOO_MANY"]
    expect(await tests(await newChannel(), 6)).toEqual([200, 200, 200, 200, 200, refused])
    for (let nth = 0; nth < 3; nth++) expect(await tests(await newChannel(), 5)).not.toContainEqual(refused)
    expect(await tests(await newChannel(), 1)).toEqual([refused])
    expect(receiver.received).toHaveLength(20)
    const kept = await listAudit(world.platform.db, tenantId as TenantId, {
      action: "channel.test",
      limit: 100,
    })
    expect(kept).toHaveLength(20)
  })

  test("is one of twenty at the most", async () => {
    const { create } = await world.newTenant()
    for (let nth = 0; nth < 17; nth++) await must(create(hook()), 201)
    // Only the last are raced for: all at once could keep a busy machine beyond a write's deadline.
    const made = await Promise.all(Array.from({ length: 5 }, () => create(hook())))
    expect(made.filter(({ status }) => status === 201)).toHaveLength(3)
    for (const { status, body } of made)
      if (status !== 201) expect([status, body.code]).toEqual([409, "CHANNELS_TOO_MANY"])
  })

  test("that is created twice under one Idempotency-Key is there once, its secret in no repeat", async () => {
    const { create, ask } = await world.newTenant()
    const first = await must(create(hook(), { "idempotency-key": "one" }), 201)
    const again = await must(create(hook(), { "idempotency-key": "one" }), 201)
    const { secret, ...rest } = first.body
    expect(secret).toBeDefined()
    expect(again.body).toEqual(rest)
    expect((await must(ask<{ items: Channel[] }>("GET", ""), 200)).body.items).toHaveLength(1)
  })

  test("of the platform and of the tiers is theirs alone, and platform admins' business", async () => {
    const { token } = await world.newTenant()
    for (const scope of ["~platform", "~tier.Pro"]) {
      const path = `/api/v1/tenants/${scope}/channels`
      await must(world.call("POST", path, { token, body: hook() }), 404)
      await must(world.call("POST", path, { body: hook() }), 201)
      const { body } = await must(world.call<{ items: { tenantId: string }[] }>("GET", path), 200)
      expect(body.items.map(({ tenantId }) => tenantId)).toEqual([scope])
    }
  })
})

describe("who may", () => {
  test("see and alter channels are the tenant's admins, and nobody of another tenant", async () => {
    const [one, other] = [await world.newTenant(), await world.newTenant()]
    const made = await must(one.create(hook()), 201)
    for (const role of ["viewer", "engineer", "manager", "compliance"] as const) {
      const token = one.tokens[role]
      await must(world.call("GET", one.path, { token }), 403)
      await must(world.call("POST", one.path, { token, body: hook() }), 403)
    }
    const token = other.token
    await must(world.call("GET", one.path, { token }), 404)
    await must(world.call("DELETE", `${one.path}/${made.body.channelId}`, { token }), 404)
    const elsewhere = await must(other.ask("GET", `/${made.body.channelId}`), 404)
    expect(elsewhere.body.code).toBe("CHANNEL_NOT_FOUND")
  })

  test("with a token bound to an environment reach that environment's channels only", async () => {
    const { issue, tenantId, create, ask, path } = await world.newTenant()
    const token = await issue(`qa@${tenantId}`, ["tenant_admin"], "QA")
    const everywhere = await must(create(hook()), 201)
    await must(world.call("POST", path, { token, body: hook() }), 403)
    await must(world.call("POST", path, { token, body: { ...hook(), environment: "Production" } }), 403)
    const own = await must(
      world.call<Channel>("POST", path, { token, body: { ...hook(), environment: "QA" } }),
      201,
    )
    const ownPath = `${path}/${own.body.channelId}`
    await must(world.call("PUT", ownPath, { token, body: { environment: null } }), 403)
    await must(world.call("GET", `${path}/${everywhere.body.channelId}`, { token }), 404)
    const { body } = await must(world.call<{ items: Channel[] }>("GET", path, { token }), 200)
    expect(body.items.map(({ channelId }) => channelId)).toEqual([own.body.channelId])
    expect((await must(ask<{ items: Channel[] }>("GET", ""), 200)).body.items).toHaveLength(2)
  })
})

describe("what is refused", () => {
  test.each([
    [{}, 400, "BODY_INVALID"],
    [{ type: "pigeon" }, 400, "BODY_INVALID"],
    [{ type: "webhook" }, 400, "BODY_INVALID"],
    [{ type: "webhook", url: "https://1.1.1.1", secret: "whsec_mine" }, 400, "BODY_INVALID"],
    [{ type: "webhook", url: "https://1.1.1.1", events: ["change.made_up"] }, 400, "BODY_INVALID"],
    [{ type: "webhook", url: "https://1.1.1.1", events: [] }, 400, "BODY_INVALID"],
    [{ type: "webhook", url: "https://1.1.1.1", environment: "Moon" }, 400, "ENVIRONMENT_UNKNOWN"],
    [{ type: "email", to: [] }, 400, "BODY_INVALID"],
    [{ type: "email", to: ["a@example.com\r\nBcc: b@example.com"] }, 400, "BODY_INVALID"],
    [{ type: "email", to: ["a@example.com, b@example.com"] }, 400, "BODY_INVALID"],
    [{ type: "email", to: Array.from({ length: 11 }, (_, n) => `a${n}@example.com`) }, 400, "BODY_INVALID"],
    [{ type: "webhook", url: "nonsense" }, 422, "CHANNEL_INVALID"],
    [{ type: "webhook", url: "https://user:hunter2@1.1.1.1/" }, 422, "CHANNEL_INVALID"],
    [{ type: "webhook", url: "https://1.1.1.1:22/" }, 422, "CHANNEL_INVALID"],
    [{ type: "slack", url: "http://1.1.1.1/" }, 422, "CHANNEL_INVALID"],
    [{ type: "webhook", url: "https://10.0.0.1/" }, 422, "ADDRESS_FORBIDDEN"],
    [{ type: "slack", url: "https://[::ffff:169.254.169.254]/" }, 422, "ADDRESS_FORBIDDEN"],
  ])("%j is one clear problem, and leaves nothing", async (body, status, code) => {
    const { create, ask } = await world.newTenant()
    const refused = await must(create(body), status)
    expect(refused.body.code).toBe(code)
    expect(refused.text).not.toContain("hunter2")
    expect((await must(ask<{ items: Channel[] }>("GET", ""), 200)).body.items).toEqual([])
  })

  test("an edit that does not suit the kind of channel", async () => {
    const { create, ask } = await world.newTenant()
    const webhook = await must(create(hook()), 201)
    const mailing = await must(create({ type: "email", to: ["a@example.com"] }), 201)
    const codeOf = async (channel: Channel, body: unknown) =>
      (await must(ask("PUT", `/${channel.channelId}`, body), 422)).body.code
    expect(await codeOf(webhook.body, { to: ["a@example.com"] })).toBe("CHANNEL_INVALID")
    expect(await codeOf(mailing.body, { url: receiver.url })).toBe("CHANNEL_INVALID")
    expect(await codeOf(webhook.body, { url: "https://192.168.0.1/" })).toBe("ADDRESS_FORBIDDEN")
    const rotated = await must(ask("POST", `/${mailing.body.channelId}/rotate`), 422)
    expect(rotated.body.code).toBe("CHANNEL_INVALID")
  })

  test("what was never there", async () => {
    const { ask, tenantId } = await world.newTenant()
    for (const id of ["nonsense", "0199c0de-0000-7000-8000-000000000001", "%00", "'"]) {
      expect((await must(ask("GET", `/${id}`), 404)).body.code).toBe("CHANNEL_NOT_FOUND")
      const path = `/api/v1/tenants/${tenantId}/deliveries/${id}/retry`
      expect((await must(world.call("POST", path), 404)).body.code).toBe("DELIVERY_NOT_FOUND")
    }
    await must(world.call("POST", "/api/v1/tenants/nobody/channels", { body: hook() }), 404)
    const list = `/api/v1/tenants/${tenantId}/deliveries`
    expect((await must(world.call(`GET`, `${list}?state=lost`), 400)).body.code).toBe("QUERY_INVALID")
    for (const position of [
      ["deliveries", "x"],
      ["deliveries", 1],
      ["tokens", "0199c0de-0000-7000-8000-000000000001"],
    ]) {
      const cursor = Buffer.from(JSON.stringify(position)).toString("base64url")
      expect((await must(world.call("GET", `${list}?cursor=${cursor}`), 400)).body.code).toBe(
        "CURSOR_INVALID",
      )
    }
  })
})
