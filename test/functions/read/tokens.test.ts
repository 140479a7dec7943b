import { expect, test } from "vitest"
import type { TenantId, TokenId } from "../../../core/ids.ts"
import { FLOOD } from "../../../functions/platform/attempts.ts"
import { RECHECK_MS } from "../../../functions/read/principals.ts"
import { ACME, ADMIN_TOKEN, acmeWorld, jsonOf, VIEW } from "./world.ts"

test("a revoked API token is refused within five seconds", async () => {
  const world = acmeWorld()
  const { token, tokenId } = world.apiToken(["viewer"])
  expect((await world.call(VIEW, token)).statusCode).toBe(200)
  world.database.tokens.set(tokenId, {
    ...world.database.tokens.get(tokenId)!,
    revokedAt: "2026-11-21T08:00:00Z",
  })
  world.clock.advance(RECHECK_MS)
  expect((await world.call(VIEW, token)).statusCode).toBe(401)
})

test("a revoked reader token is refused as soon as the pointer document says so", async () => {
  const world = acmeWorld()
  const tokenId = `${ACME}:tok_${"a".repeat(32)}` as TokenId
  const token = await world.reader([ACME], { tokenId })
  expect((await world.call(VIEW, token)).statusCode).toBe(200)
  world.database.revoked = [tokenId]
  world.clock.advance(15_000)
  expect(jsonOf(await world.call(VIEW, token)).code).toBe("UNAUTHENTICATED")
  expect((await world.call(VIEW, await world.reader())).statusCode).toBe(200)
})

test("an API token expires to the millisecond, remembered or not", async () => {
  const world = acmeWorld()
  const { token, tokenId } = world.apiToken(["viewer"])
  const row = world.database.tokens.get(tokenId)!
  world.database.tokens.set(tokenId, {
    ...row,
    expiresAt: new Date(world.clock.nowMs() + 2_000).toISOString(),
  })
  world.clock.advance(1_999)
  expect((await world.call(VIEW, token)).statusCode).toBe(200)
  world.clock.advance(1)
  expect((await world.call(VIEW, token)).statusCode).toBe(401)
})

test("a hundred people at once cost one look at their token and one at the pointer", async () => {
  const world = acmeWorld()
  const { token } = world.apiToken(["viewer"])
  await world.call(VIEW, await world.reader())
  const before = world.database.commands
  await Promise.all(Array.from({ length: 100 }, () => world.call(VIEW, token)))
  expect(world.database.commands - before).toBe(2)
  // Within five seconds the token is remembered; the pointer is always read again.
  world.clock.advance(1_000)
  await world.call(VIEW, token)
  expect(world.database.commands - before).toBe(3)
})

test("whoever is not an application is shown what they have just written, while memory still holds the old", async () => {
  const world = acmeWorld()
  const { token } = world.apiToken(["viewer"])
  const reader = await world.reader()
  await world.call(VIEW, reader)
  world.database.move(ACME, { theme: "light" })
  expect(jsonOf(await world.call(VIEW, token)).configs).toEqual({ theme: "light" })
})

test("while the database is down, one person in five seconds waits for it and the others are told what is known", async () => {
  const world = acmeWorld()
  const { token } = world.apiToken(["viewer"])
  await world.call(VIEW, token)
  world.database.down = true
  await world.call(VIEW, token)
  const before = world.database.commands
  for (let person = 0; person < 20; person++) expect((await world.call(VIEW, token)).statusCode).toBe(200)
  expect(world.database.commands - before).toBe(0)
})

test("an API token that was good serves on while the database is down; one that was never seen cannot be judged", async () => {
  const world = acmeWorld()
  const { token } = world.apiToken(["viewer"])
  const unseen = world.apiToken(["viewer"]).token
  await world.call(VIEW, token)
  world.database.down = true
  world.clock.advance(60_000)
  expect((await world.call(VIEW, token)).statusCode).toBe(200)
  expect(jsonOf(await world.call(VIEW, unseen)).code).toBe("DATABASE_UNAVAILABLE")
})

test("another secret behind a known token's address is refused, and does not disturb the right one", async () => {
  const world = acmeWorld()
  const { token } = world.apiToken(["viewer"])
  const forged = `${token.slice(0, -43)}${"A".repeat(43)}`
  expect((await world.call(VIEW, forged)).statusCode).toBe(401)
  expect((await world.call(VIEW, token)).statusCode).toBe(200)
  expect((await world.call(VIEW, forged)).statusCode).toBe(401)
})

test("a token of one tenant does not see another, a reader of several sees just those", async () => {
  const world = acmeWorld()
  const other = "other" as TenantId
  world.database.tenants.set(other, { status: "active", tier: "Free" })
  const path = `/api/v1/configs/tenant/${other}?environment=Staging`
  const status = async (token: string) => (await world.call(path, token)).statusCode
  expect(await status(world.apiToken(["tenant_admin"]).token)).toBe(404)
  expect(await status(await world.reader([ACME]))).toBe(404)
  expect(await status(await world.reader([ACME, other]))).toBe(200)
  expect(await status(await world.reader("*"))).toBe(200)
  expect(await status(ADMIN_TOKEN)).toBe(200)
})

test("no token is ever logged", async () => {
  const world = acmeWorld()
  const { token } = world.apiToken(["viewer"])
  await world.call(VIEW, token)
  world.database.down = true
  world.clock.advance(400_000)
  for (const bearer of [token, ADMIN_TOKEN, await world.reader()]) await world.call(VIEW, bearer)
  expect(world.log.lines.length).toBeGreaterThan(0)
  const logged = JSON.stringify(world.log.lines)
  for (const secret of [token.slice(-43), ADMIN_TOKEN, "hsr_"]) expect(logged).not.toContain(secret)
})

test("a flood of tokens that are none costs the database nothing, and who was let in before goes on", async () => {
  const world = acmeWorld()
  const { token } = world.apiToken(["viewer"])
  expect((await world.call(VIEW, token)).statusCode).toBe(200)
  const guess = (at: number) =>
    world.call(VIEW, `hs_${ACME}_${String(at).padStart(32, "0")}_${"A".repeat(43)}`)
  const codes: unknown[] = []
  for (let at = 0; at < FLOOD; at++) codes.push(jsonOf(await guess(at)).code)
  expect(new Set(codes)).toEqual(new Set(["UNAUTHENTICATED", "AUTHENTICATION_LIMITED"]))
  const asked = world.database.commands
  expect((await guess(FLOOD)).headers["retry-after"]).toBeDefined()
  expect(world.database.commands).toBe(asked)
  world.clock.advance(RECHECK_MS)
  expect((await world.call(VIEW, token)).statusCode).toBe(200)
})
