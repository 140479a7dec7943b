import { describe, expect, test } from "vitest"
import { PLATFORM, type TenantId } from "../../../core/ids.ts"
import { REST_MS } from "../../../functions/platform/breaker.ts"
import { encodePointer } from "../../../functions/platform/pointer-json.ts"
import { ACME, acmeWorld, jsonOf, VIEW } from "./world.ts"

type World = ReturnType<typeof acmeWorld>
const PLACE = `${ACME}/Staging`

const reads = async (world: World) => {
  const token = await world.reader("*")
  return async () => {
    const result = await world.call(VIEW, token)
    await world.background.settled()
    return result
  }
}
const limitOf = (result: { body: string }) => JSON.parse(result.body).configs["limit.b"]
/** A commit that told nobody: the crash between commit and cache update, and pub/sub silent. */
const commitSilently = (world: World, limit: number) => world.database.move(ACME, { "limit.b": limit })

describe("with everything well", () => {
  test("a fresh read asks nobody", async () => {
    const world = acmeWorld()
    const read = await reads(world)
    await read()
    const asked = [world.database.commands, world.cache.commands]
    world.clock.advance(2_000)
    for (let i = 0; i < 10; i++) await read()
    expect([world.database.commands, world.cache.commands]).toEqual(asked)
  })

  test("a hundred readers at once of what nobody has make one database command", async () => {
    const world = acmeWorld()
    const token = await world.reader()
    const results = await Promise.all(Array.from({ length: 100 }, () => world.call(VIEW, token)))
    expect(new Set(results.map(({ body }) => body)).size).toBe(1)
    expect(world.database.commands).toBe(1)
  })

  test("a commit that told nobody is read within 10 s of rest, and nobody reads the old value after", async () => {
    const world = acmeWorld()
    const read = await reads(world)
    await read()
    commitSilently(world, 8)
    for (let ms = 0; ms < 10_000; ms += 250) {
      world.clock.advance(250)
      await read()
    }
    expect(limitOf(await read())).toBe(8)
  })

  test("the same without a reader in between: who comes after 10 s waits for the new value", async () => {
    const world = acmeWorld()
    const read = await reads(world)
    await read()
    commitSilently(world, 8)
    world.clock.advance(10_000)
    expect(limitOf(await read())).toBe(8)
  })

  test("what moved lately is read again within 4 s", async () => {
    const world = acmeWorld()
    commitSilently(world, 8)
    const read = await reads(world)
    await read()
    commitSilently(world, 9)
    world.clock.advance(4_000)
    expect(limitOf(await read())).toBe(9)
  })

  test("a busy tenant is refreshed ahead: its readers never wait and never cost more than a command each few seconds", async () => {
    const world = acmeWorld()
    const read = await reads(world)
    await read()
    const before = world.database.commands
    for (let ms = 0; ms < 60_000; ms += 200) {
      world.clock.advance(200)
      const result = await read()
      expect(result.headers["hotswap-stale"]).toBeUndefined()
    }
    expect(world.database.commands - before).toBeLessThanOrEqual(8)
  })

  test("another process starts from Redis, without the database", async () => {
    const world = acmeWorld()
    const read = await reads(world)
    const first = await read()
    const asked = world.database.commands
    world.restart()
    expect(await read()).toEqual(first)
    expect(world.database.commands).toBe(asked)
  })

  test("a move of the platform reaches a tenant's readers when the mark says so, or after 10 s without", async () => {
    const world = acmeWorld()
    const read = await reads(world)
    await read()
    world.database.move(PLATFORM, { everywhere: 1 })
    await world.cache.raiseMark({ scope: PLATFORM, environment: "Staging" as never, epoch: 0, seq: 1 })
    world.clock.advance(2_100)
    await read()
    expect(jsonOf(await read()).configs.everywhere).toBe(1)
    world.database.move(PLATFORM, { everywhere: 2 })
    world.clock.advance(10_000)
    expect(jsonOf(await read()).configs.everywhere).toBe(2)
  })
})

describe("with the database down", () => {
  test("the last known good is served up to the hard TTL, and says so beyond the stated bound", async () => {
    const world = acmeWorld()
    const read = await reads(world)
    await read()
    world.database.down = true
    world.clock.advance(14_000)
    expect((await read()).headers["hotswap-stale"]).toBeUndefined()
    world.clock.advance(100_000)
    expect(await read()).toMatchObject({ statusCode: 200, headers: { "hotswap-stale": "114" } })
    world.clock.advance(187_000)
    const late = await read()
    expect([late.statusCode, jsonOf(late).code]).toEqual([503, "DATABASE_UNAVAILABLE"])
  })

  test("another process serves what Redis has", async () => {
    const world = acmeWorld()
    const read = await reads(world)
    await read()
    world.database.down = true
    world.clock.advance(60_000)
    world.restart()
    expect(await read()).toMatchObject({ statusCode: 200, headers: { "hotswap-stale": "60" } })
  })

  test("readers of what is known do not wait for it one after the other", async () => {
    const world = acmeWorld()
    const token = await world.reader()
    await world.call(VIEW, token)
    await world.background.settled()
    world.database.down = true
    world.clock.advance(20_000)
    await world.call(VIEW, token)
    const opened = Promise.withResolvers<void>()
    world.database.gate = opened.promise
    // The database hangs now, and its deadline has not come; were anybody to wait for it, this would never end.
    for (let i = 0; i < 10; i++) {
      world.clock.advance(400)
      expect((await world.call(VIEW, token)).statusCode).toBe(200)
    }
    opened.resolve()
    await world.background.settled()
  })

  test("with Redis down too and nothing in memory, it is DATABASE_UNAVAILABLE", async () => {
    const world = acmeWorld()
    world.database.down = true
    world.cache.down = true
    const result = await (await reads(world))()
    expect([result.statusCode, jsonOf(result).code]).toEqual([503, "DATABASE_UNAVAILABLE"])
  })

  test("who cannot be served without it asks it again, until it has failed others", async () => {
    const world = acmeWorld()
    const read = await reads(world)
    const failures = (count: number) => {
      const upTo = world.database.commands + count
      Object.defineProperty(world.database, "down", {
        configurable: true,
        get: () => world.database.commands <= upTo,
      })
    }
    failures(2)
    expect((await read()).statusCode).toBe(200)

    world.restart()
    world.cache.down = true
    Object.defineProperty(world.database, "down", { value: true })
    for (const asked of [3, 1]) {
      const before = world.database.commands
      expect((await read()).statusCode).toBe(503)
      expect(world.database.commands - before).toBe(asked)
    }
  })

  test("a healthy database is believed again at once by whoever has to wait", async () => {
    const world = acmeWorld()
    const read = await reads(world)
    await read()
    world.database.down = true
    world.clock.advance(20_000)
    await read()
    world.database.down = false
    commitSilently(world, 8)
    world.clock.advance(REST_MS)
    expect(limitOf(await read())).toBe(8)
  })
})

describe("with Redis wrong", () => {
  test("down, reads stay right", async () => {
    const world = acmeWorld()
    world.cache.down = true
    const read = await reads(world)
    expect(limitOf(await read())).toBe(7)
    commitSilently(world, 8)
    world.clock.advance(10_000)
    expect(limitOf(await read())).toBe(8)
  })

  test("an older revision in Redis never takes a reader back", async () => {
    const world = acmeWorld()
    const read = await reads(world)
    await read()
    const old = world.cache.pointers.get(PLACE)!
    commitSilently(world, 8)
    world.clock.advance(10_000)
    expect(limitOf(await read())).toBe(8)
    // Restored from an old copy, and dressed up as just read.
    const dressed = { ...JSON.parse(old.text), readAtMs: world.clock.nowMs() + 1_000 }
    for (let i = 0; i < 40; i++) {
      world.cache.pointers.set(PLACE, { text: encodePointer(dressed), untilMs: Number.POSITIVE_INFINITY })
      world.clock.advance(700)
      const result = await read()
      expect([limitOf(result), result.headers["hotswap-stale"]]).toEqual([8, undefined])
    }
    expect(world.log.lines.map(({ message }) => message)).toContain(
      "Redis holds an older revision than was served",
    )
  })

  test.each([
    ["truncated", (text: string) => text.slice(0, 100)],
    ["another tenant's", (text: string) => text.replaceAll(ACME, "other")],
    ["garbage", () => "}{"],
  ])("a document that is %s does not reach a reader", async (_, spoil) => {
    const world = acmeWorld()
    const read = await reads(world)
    await read()
    const { text } = world.cache.pointers.get(PLACE)!
    world.cache.pointers.set(PLACE, { text: spoil(text), untilMs: Number.POSITIVE_INFINITY })
    world.restart()
    expect(limitOf(await read())).toBe(7)
  })

  test("a view that is another tenant's does not reach a reader", async () => {
    const world = acmeWorld()
    world.database.tenants.set("other" as TenantId, { status: "active", tier: "Pro" })
    world.database.move("other" as TenantId, { "limit.b": 666 })
    const read = await reads(world)
    await read()
    for (const name of world.cache.views.keys()) world.cache.views.set(name, ['{"limit.b":666}'])
    world.restart()
    expect(limitOf(await read())).toBe(7)
  })
})

describe("going back", () => {
  test("a database that answers with an older revision is not believed", async () => {
    const world = acmeWorld()
    const read = await reads(world)
    commitSilently(world, 8)
    expect(limitOf(await read())).toBe(8)
    world.database.rewind(ACME)
    for (let i = 0; i < 8; i++) {
      world.clock.advance(9_000)
      expect(limitOf(await read())).toBe(8)
    }
    expect((await read()).headers["hotswap-stale"]).toBe("72")
  })

  test("a restore, which raises the epoch, is", async () => {
    const world = acmeWorld()
    const read = await reads(world)
    commitSilently(world, 8)
    expect(limitOf(await read())).toBe(8)
    world.database.epoch = 1
    commitSilently(world, 5)
    world.clock.advance(10_000)
    const result = await read()
    expect([limitOf(result), jsonOf(result).revision]).toEqual([5, "1.0.0.3"])
  })
})
