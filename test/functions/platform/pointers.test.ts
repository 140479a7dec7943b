import { expect, test } from "vitest"
import { PLATFORM, type TenantId } from "../../../core/ids.ts"
import { viewText } from "../../../core/release/view.ts"
import { decodePointer, encodePointer } from "../../../functions/platform/pointer-json.ts"
import { createPointerBuilder } from "../../../functions/platform/pointers.ts"
import { ACME, fakeDatabase, STAGING } from "../read/world.ts"
import { handClock } from "./fakes.ts"

const made = () => {
  const clock = handClock()
  const { database, reading } = fakeDatabase(clock)
  database.tenants.set(ACME, { status: "active", tier: "Pro" })
  const builder = createPointerBuilder({ reading, clock })
  return { clock, database, builder }
}

test("a small tenant is built in one round trip, again and again", async () => {
  const { database, builder, clock } = made()
  database.move(ACME, { a: 1 })
  const first = await builder.build(ACME, STAGING, () => false)
  expect(database.commands).toBe(1)
  const has = new Set(first!.views.keys())
  clock.advance(5_000)
  const again = await builder.build(ACME, STAGING, (viewId) => has.has(viewId))
  expect(database.commands).toBe(2)
  expect(again!.views.size).toBe(0)
  expect(again!.pointer).toEqual({ ...first!.pointer, readAtMs: clock.nowMs() })
})

test("a large one costs one more, for the chunks that are new", async () => {
  const { database, builder } = made()
  database.move(
    ACME,
    Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`key.${i}`, "x".repeat(1_000)])),
  )
  await builder.build(ACME, STAGING, () => false)
  expect(database.commands).toBe(2)
})

test("the document is as old as the question, not as the answer", async () => {
  const { database, builder, clock } = made()
  database.move(ACME, { a: 1 })
  const asked = clock.nowMs()
  const opened = Promise.withResolvers<void>()
  database.gate = opened.promise
  const building = builder.build(ACME, STAGING, () => false)
  clock.advance(4_000)
  opened.resolve()
  expect((await building)!.pointer.readAtMs).toBe(asked)
})

test("a pointer counts as moving for a minute after it moved, and while anything rolls out", async () => {
  const { database, builder, clock } = made()
  const moving = async () => (await builder.build(ACME, STAGING, () => false))!.pointer.moving
  expect(await moving()).toBe(false)
  database.move(ACME, { a: 1 })
  clock.advance(59_999)
  expect(await moving()).toBe(true)
  clock.advance(1)
  expect(await moving()).toBe(false)
  const release = database.release({ a: 2 })
  database.set(PLATFORM, {
    stable: database.release({}),
    candidate: { release, changeId: `~platform:chg_${"0".repeat(32)}` as never, step: 0, weightBp: 1 },
  })
  clock.advance(120_000)
  expect(await moving()).toBe(true)
})

test("a wave of the platform's reaches the tenants of its tiers and its list, but for those it failed", async () => {
  const { database, builder } = made()
  const [globex, initech] = ["globex", "initech"] as TenantId[] as [TenantId, TenantId]
  database.tenants.set(globex, { status: "active", tier: "Free" })
  database.tenants.set(initech, { status: "active", tier: "Pro" })
  const audience = { tiers: ["Pro" as const], tenants: [globex, "gone" as TenantId], excluded: [initech] }
  const changeId = `~platform:chg_${"0".repeat(32)}` as never
  const release = database.release({ a: "new" })
  database.set(PLATFORM, {
    stable: database.release({ a: "old" }),
    candidate: { release, changeId, step: 0, weightBp: 0, audience },
  })
  const read = async (tenantId: TenantId) => {
    const { pointer, views } = (await builder.build(tenantId, STAGING, () => false))!
    expect(pointer.candidate).toBeNull()
    return viewText(views.get(pointer.stable)!)
  }
  expect(await read(ACME)).toBe('{"a":"new"}')
  expect(await read(globex)).toBe('{"a":"new"}')
  expect(await read(initech)).toBe('{"a":"old"}')
  // Out of the tier, out of the wave; and the other way round.
  database.tenants.set(ACME, { status: "active", tier: "Enterprise" })
  expect(await read(ACME)).toBe('{"a":"old"}')
})

test("two tenants with the same values have different views", async () => {
  const { database, builder } = made()
  const other = "other" as TenantId
  database.tenants.set(other, { status: "active", tier: "Pro" })
  database.move(ACME, { a: 1 })
  database.move(other, { a: 1 })
  const of = async (tenantId: TenantId) =>
    (await builder.build(tenantId, STAGING, () => false))!.pointer.stable
  expect(await of(ACME)).not.toBe(await of(other))
})

test("a document says of its flags whether they are what they were, for whom, whatever else there is", async () => {
  const { database, builder } = made()
  const flag = (state: string) => ({ state, variants: { on: true, off: false }, defaultVariant: "on" })
  const changeId = `acme:chg_${"0".repeat(32)}` as never
  const told = async (stable: object, candidate?: object, weightBp = 1_000): Promise<string | undefined> => {
    const release = (configs: object) => database.release(configs as never)
    const rollout = candidate && { release: release(candidate), changeId, step: 0, weightBp }
    database.set(ACME, { stable: release(stable), candidate: rollout ?? null })
    return (await builder.build(ACME, STAGING, () => false))!.pointer.flags
  }
  expect(await told({ a: 1 })).toBe("")
  const on = await told({ a: 1, new: flag("ENABLED") })
  expect(on).toMatch(/^[0-9a-f]{16}$/)
  expect(await told({ a: 2, b: 3, new: flag("ENABLED") })).toBe(on)
  const off = await told({ a: 2, new: flag("DISABLED") })
  const other = await told({ a: 2, other: flag("ENABLED") })
  expect(new Set([on, off, other, ""]).size).toBe(4)
  expect(await told({ a: 1, new: flag("ENABLED") }, { a: 2, new: flag("ENABLED") })).toBe(on)
  const some = await told({ new: flag("ENABLED") }, { new: flag("DISABLED") })
  const more = await told({ new: flag("ENABLED") }, { new: flag("DISABLED") }, 5_000)
  expect(new Set([on, off, some, more]).size).toBe(4)
})

test("a document that was kept before flags were named is still one", () => {
  const { builder, database } = made()
  database.move(ACME, { a: 1 })
  return builder
    .build(ACME, STAGING, () => false)
    .then((built) => {
      const { flags: _, ...older } = built!.pointer
      expect(decodePointer(encodePointer(older), ACME, STAGING)).toEqual(older)
      expect(decodePointer(encodePointer(built!.pointer), ACME, STAGING)).toEqual(built!.pointer)
      const wrong = encodePointer({ ...older, flags: 1 as never })
      expect(decodePointer(wrong, ACME, STAGING)).toBeNull()
    })
})
