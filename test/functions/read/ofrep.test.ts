import { describe, expect, test } from "vitest"
import { DEFAULT_ENVIRONMENTS } from "../../../core/environment.ts"
import { readTicket } from "../../../core/flag/stream-ticket.ts"
import type { TenantId } from "../../../core/ids.ts"
import { createTicketSigner } from "../../../functions/edge/ticket-signer.ts"
import { ACME, ADMIN_TOKEN, acmeWorld, EDGE_SECRET, jsonOf, NEXT_EDGE_SECRET } from "./world.ts"

const FLAGS = "/ofrep/v1/evaluate/flags"
const OTHER = "other-corp" as TenantId

const saying = (value: string) => ({ state: "ENABLED", variants: { it: value }, defaultVariant: "it" })

const flagWorld = () => {
  const world = acmeWorld()
  world.database.move(ACME, { flag: saying("acme's"), plain: 1 })
  world.database.tenants.set(OTHER, { status: "active", tier: "Pro" })
  world.database.move(OTHER, { flag: saying("other's") })
  world.clock.advance(120_000)
  const post = async (path: string, token?: string, headers: Record<string, string> = {}, context = {}) => {
    const answer = await world.call(path, token, {
      method: "POST",
      headers,
      body: JSON.stringify({ context }),
    })
    return { ...answer, told: answer.body === "" ? null : jsonOf(answer) }
  }
  return { ...world, post }
}

describe("flags are evaluated by the read function", () => {
  test("for applications and for people who may read views, of the tenant and environment of their token", async () => {
    const world = flagWorld()
    const { token: viewer } = world.apiToken(["viewer"])
    const { token: ofOther } = world.apiToken(["engineer"], OTHER)
    const { token: bound } = world.apiToken(["viewer"], ACME, DEFAULT_ENVIRONMENTS[2])
    const valueFor = async (token: string, query = "", headers = {}) =>
      (await world.post(`${FLAGS}/flag${query}`, token, headers)).told.value
    expect(await valueFor(await world.reader())).toBe("acme's")
    expect(await valueFor(bound)).toBe("acme's")
    expect(await valueFor(viewer, "?environment=staging")).toBe("acme's")
    expect(await valueFor(ofOther, "?environment=Staging")).toBe("other's")
    world.database.externalIds.set("crm:7", OTHER)
    for (const named of [OTHER, "crm:7"])
      expect(await valueFor(ADMIN_TOKEN, "?environment=Staging", { "x-tenant-id": named })).toBe("other's")
  })

  test("and not for anybody else, nor without a tenant and an environment", async () => {
    const world = flagWorld()
    const { token: viewer } = world.apiToken(["viewer"])
    const refusalFor = async (token: string | undefined, query = "?environment=Staging", headers = {}) => {
      const { statusCode, told } = await world.post(`${FLAGS}/flag${query}`, token, headers)
      expect(told).toMatchObject({ key: "flag", errorCode: "GENERAL", status: statusCode })
      return told.code
    }
    expect(await refusalFor(undefined)).toBe("UNAUTHENTICATED")
    expect(await refusalFor("hs_nonsense")).toBe("UNAUTHENTICATED")
    expect(await refusalFor(viewer, "")).toBe("QUERY_INVALID")
    expect(await refusalFor(viewer, "?environment=Nowhere")).toBe("ENVIRONMENT_UNKNOWN")
    expect(await refusalFor(viewer, "?environment=Staging&environment=QA")).toBe("QUERY_INVALID")
    expect(await refusalFor(await world.reader(), "?environment=QA")).toBe("FORBIDDEN")
    expect(await refusalFor(ADMIN_TOKEN)).toBe("TENANT_UNNAMED")
    for (const named of [OTHER, "nobody", "crm:7", "~platform"])
      expect(await refusalFor(viewer, "?environment=Staging", { "x-tenant-id": named })).toBe(
        "TENANT_NOT_FOUND",
      )
  })

  test("with the tag answered 304, which is another for another context or other flags", async () => {
    const world = flagWorld()
    const token = await world.reader()
    const first = await world.post(FLAGS, token, {}, { targetingKey: "ada" })
    const { etag = "" } = first.headers
    expect(first.told.flags.map(({ key }: { key: string }) => key)).toEqual(["flag"])
    const again = (context: object) => world.post(FLAGS, token, { "if-none-match": etag }, context)
    expect(await again({ targetingKey: "ada" })).toMatchObject({
      statusCode: 304,
      body: "",
      headers: { etag },
    })
    expect((await again({ targetingKey: "bob" })).statusCode).toBe(200)
    world.database.move(ACME, { flag: saying("new") })
    world.clock.advance(120_000)
    expect((await again({ targetingKey: "ada" })).told.flags[0].value).toBe("new")
  })

  test("with a tag that is one tenant's alone, though another has the same flags", async () => {
    const world = flagWorld()
    for (const tenantId of [ACME, OTHER]) world.database.move(tenantId, { flag: saying("same") })
    world.clock.advance(120_000)
    const ask = (tenantId: string, headers = {}) =>
      world.post(`${FLAGS}?environment=Staging`, ADMIN_TOKEN, { "x-tenant-id": tenantId, ...headers })
    const first = await ask(ACME)
    const known = { "if-none-match": first.headers.etag! }
    expect((await ask(ACME, known)).statusCode).toBe(304)
    const second = await ask(OTHER, known)
    expect([second.statusCode, second.told?.metadata.tenantId]).toEqual([200, OTHER])
    expect(second.headers.vary).toMatch(/X-Tenant-ID/i)
  })

  test("by POST alone", async () => {
    const world = flagWorld()
    const token = await world.reader()
    for (const method of ["GET", "HEAD", "PUT", "DELETE"]) {
      const answer = await world.call(FLAGS, token, { method })
      expect([answer.statusCode, answer.headers.allow]).toEqual([405, "POST, OPTIONS"])
    }
    expect(await world.call(FLAGS, undefined, { method: "OPTIONS" })).toMatchObject({
      statusCode: 204,
      headers: { allow: "POST, OPTIONS" },
    })
    expect((await world.call("/ofrep/v1/configuration", token)).statusCode).toBe(404)
  })
})

describe("a ticket for the stream", () => {
  const sign = createTicketSigner(EDGE_SECRET)
  const throughEdge = { "hotswap-edge": EDGE_SECRET, "hotswap-site": "https://config.example.com" }

  test("is handed out through the edge to reader tokens, and the edge takes it", async () => {
    const world = flagWorld()
    const { told, headers } = await world.post(FLAGS, await world.reader(), throughEdge)
    const url = new URL(told.eventStreams[0].url)
    expect(url.origin + url.pathname).toBe("https://config.example.com/ofrep/v1/stream")
    const ticket = await readTicket(url.searchParams.get("ticket")!, sign, DEFAULT_ENVIRONMENTS)
    const nowSeconds = Math.floor(world.clock.nowMs() / 1_000)
    expect(ticket).toMatchObject({
      tenantId: ACME,
      environment: "Staging",
      revision: headers["hotswap-revision"],
      tokenExpiresAtSeconds: expect.any(Number),
      expiresAtSeconds: nowSeconds + 60,
    })
    expect(ticket!.tokenId).toMatch(/^acme-corp:tok_/)
  })

  test("is one that the edge which asked can check, while its secret is renewed", async () => {
    const world = flagWorld()
    const reader = await world.reader()
    for (const secret of [EDGE_SECRET, NEXT_EDGE_SECRET]) {
      const { told } = await world.post(FLAGS, reader, { ...throughEdge, "hotswap-edge": secret })
      const text = new URL(told.eventStreams[0].url).searchParams.get("ticket")!
      expect(await readTicket(text, createTicketSigner(secret), DEFAULT_ENVIRONMENTS)).not.toBeNull()
    }
  })

  test("is handed out to nobody whose token the edge could not look up, and nowhere but there", async () => {
    const world = flagWorld()
    const { token: bound } = world.apiToken(["viewer"], ACME, DEFAULT_ENVIRONMENTS[2])
    const streamsFor = async (token: string, headers: Record<string, string>, query = "") =>
      (await world.post(FLAGS + query, token, headers)).told.eventStreams
    const reader = await world.reader()
    expect(await streamsFor(bound, throughEdge)).toBeUndefined()
    expect(await streamsFor(reader, { "hotswap-site": "https://evil.example" })).toBeUndefined()
    expect(await streamsFor(reader, { ...throughEdge, "hotswap-edge": "another" })).toBeUndefined()
    expect(await streamsFor(reader, throughEdge, "?eventStreams=none")).toBeUndefined()
  })
})
