import { beforeAll, describe, expect, test } from "vitest"
import type { Environment } from "../../core/environment.ts"
import { PLATFORM, type ScopeId, type TenantId, type TokenId, tierScope } from "../../core/ids.ts"
import type { PointerDocument } from "../../core/release/pointer-document.ts"
import { epochOf } from "../../core/release/revision.ts"
import { compileView, type View } from "../../core/release/view.ts"
import type { CachePort } from "../../functions/platform/cache.ts"
import { encodePointer } from "../../functions/platform/pointer-json.ts"

/** A cache, and the raw text behind it for spoiling. */
export interface CacheUnderTest {
  cache: CachePort
  nowMs: () => number
  spoilPointer(tenantId: TenantId, environment: Environment, text: string): Promise<void>
  /** Has this stand where the small view is that was stored last. */
  spoilLast(view: View, tenantId: TenantId, environment: Environment): Promise<void>
  spoilView(view: View, tenantId: TenantId, environment: Environment, texts: readonly string[]): Promise<void>
}

const STAGING = "Staging" as Environment
let tenants = 0
const newTenant = (): TenantId => `tenant-${++tenants}` as TenantId

const viewOf = (tenantId: TenantId, values: Record<string, unknown>, environment = STAGING): View => {
  const merged = new Map(
    Object.entries(values).map(([key, value]) => [key as never, { value: value as never }]),
  )
  const { flags: _, ...view } = compileView(tenantId, environment, merged)
  return view
}

const pointerOf = (
  tenantId: TenantId,
  readAtMs: number,
  changes: Partial<PointerDocument> = {},
): PointerDocument => ({
  tenantId,
  environment: STAGING,
  tier: "Pro",
  status: "active",
  revision: "0.1.1.1",
  stable: viewOf(tenantId, { a: 1 }).id,
  candidate: null,
  flags: "0123456789abcdef",
  moving: false,
  readAtMs,
  revoked: [],
  ...changes,
})

/** What every cache promises. */
export const cacheContract = (name: string, make: () => Promise<CacheUnderTest>): void => {
  describe(`the cache over ${name}`, () => {
    let under: CacheUnderTest
    beforeAll(async () => {
      under = await make()
    })
    const keep = (pointer: PointerDocument) =>
      under.cache.store(pointer.tenantId, pointer.environment, { pointer })
    const kept = (tenantId: TenantId) => under.cache.readPointer(tenantId, STAGING)

    test("what was never kept is absent", async () => {
      const tenantId = newTenant()
      expect(await kept(tenantId)).toBeNull()
      expect(await under.cache.readView(tenantId, STAGING, viewOf(tenantId, { a: 1 }).id)).toBeNull()
    })

    test("a document comes back as it was kept, candidate, revoked tokens and all", async () => {
      const tenantId = newTenant()
      const pointer = pointerOf(tenantId, under.nowMs(), {
        candidate: {
          view: viewOf(tenantId, { a: 2 }).id,
          changeId: `${tenantId}:chg_${"0".repeat(32)}` as never,
          step: 1,
          weightBp: 1_000,
        },
        moving: true,
        revoked: [`${tenantId}:tok_${"1".repeat(32)}` as TokenId],
      })
      await keep(pointer)
      expect(await kept(tenantId)).toEqual(pointer)
    })

    test("no older revision replaces a newer one, whichever part of it is older", async () => {
      const tenantId = newTenant()
      const newest = pointerOf(tenantId, under.nowMs() - 500, { revision: "1.5.5.5" })
      await keep(newest)
      for (const revision of ["0.9.9.9", "1.4.5.9", "1.5.4.5", "1.5.5.4", "1.4.4.4"])
        await keep(pointerOf(tenantId, under.nowMs(), { revision }))
      expect(await kept(tenantId)).toEqual(newest)
    })

    test("a newer revision replaces an older one, also across a restore and a change of tier", async () => {
      const tenantId = newTenant()
      for (const revision of ["0.5.5.5", "0.6.5.5", "0.6.6.5", "0.6.1.6", "1.1.1.1"]) {
        await keep(pointerOf(tenantId, under.nowMs() - 500, { revision }))
        expect((await kept(tenantId))?.revision).toBe(revision)
      }
    })

    test("of one revision, what was read later stays", async () => {
      const tenantId = newTenant()
      const now = under.nowMs()
      await keep(pointerOf(tenantId, now - 1_000))
      await keep(pointerOf(tenantId, now, { status: "suspended" }))
      await keep(pointerOf(tenantId, now - 500))
      expect(await kept(tenantId)).toMatchObject({ readAtMs: now, status: "suspended" })
    })

    test.each([
      ["truncated", (text: string) => text.slice(0, 60)],
      ["truncated at its end", (text: string) => text.slice(0, -1)],
      ["of another environment", (text: string) => text.replace("Staging", "Production")],
      ["of a shape it never has", (text: string) => text.replace('"moving":false', '"moving":0')],
      ["not JSON", () => "\u0000\ufffd"],
    ])("a document that is %s is neither served nor in the way", async (_, spoil) => {
      const tenantId = newTenant()
      const later = pointerOf(tenantId, under.nowMs() - 100, { revision: "0.9.9.9" })
      await under.spoilPointer(tenantId, STAGING, spoil(encodePointer(later)))
      expect(await kept(tenantId)).toBeNull()
      const good = pointerOf(tenantId, under.nowMs(), { revision: "0.9.9.9" })
      await keep(good)
      expect(await kept(tenantId)).toEqual(good)
    })

    test("another tenant's document is neither served nor in the way", async () => {
      const tenantId = newTenant()
      const foreign = pointerOf(newTenant(), under.nowMs(), { revision: "0.9.9.9" })
      await under.spoilPointer(tenantId, STAGING, encodePointer(foreign))
      expect(await kept(tenantId)).toBeNull()
      const own = pointerOf(tenantId, under.nowMs())
      await keep(own)
      expect(await kept(tenantId)).toEqual(own)
    })

    test("a document that claims to have been read in the future is not served", async () => {
      const tenantId = newTenant()
      await keep(pointerOf(tenantId, under.nowMs() + 60_000))
      expect(await kept(tenantId)).toBeNull()
    })

    test("a document of an epoch that no database can be in yet is not served, the last there may be is", async () => {
      const tenantId = newTenant()
      const now = epochOf(new Date(under.nowMs()))
      await keep(pointerOf(tenantId, under.nowMs(), { revision: `${now + 30}.0.0.1` }))
      expect(await kept(tenantId)).not.toBeNull()
      for (const epoch of [now + 3_600, 999_999_999_999_999]) {
        const forged = newTenant()
        await keep(pointerOf(forged, under.nowMs(), { revision: `${epoch}.0.0.1` }))
        expect(await kept(forged)).toBeNull()
      }
    })

    test("a document behind the platform's mark or its tier's is not served; other tiers' marks do not matter", async () => {
      const environment = `Marked-${++tenants}` as Environment
      const tenantId = newTenant()
      const keepAt = (revision: string) => {
        const pointer = pointerOf(tenantId, under.nowMs(), { revision, environment })
        return under.cache.store(tenantId, environment, { pointer })
      }
      const served = async () => (await under.cache.readPointer(tenantId, environment))?.revision ?? null
      const mark = (scope: typeof PLATFORM, seq: number, epoch = 0) =>
        under.cache.raiseMark({ scope, environment, epoch, seq })
      await keepAt("0.1.1.1")
      await mark(tierScope("Free"), 9)
      await mark(tierScope("Pro"), 1)
      expect(await served()).toBe("0.1.1.1")
      await mark(tierScope("Pro"), 2)
      expect(await served()).toBeNull()
      await keepAt("0.1.2.1")
      expect(await served()).toBe("0.1.2.1")
      await mark(PLATFORM, 3)
      await mark(PLATFORM, 1)
      expect(await served()).toBeNull()
      await keepAt("1.1.1.1")
      expect(await served()).toBe("1.1.1.1")
    })

    test("a view comes back whole, in one piece and in many", async () => {
      const tenantId = newTenant()
      const small = viewOf(tenantId, { a: "é𝄞", b: null })
      const values = Object.fromEntries(
        Array.from({ length: 400 }, (_, i) => [`key.${i}`, "x".repeat(1_000)]),
      )
      const large = viewOf(tenantId, values)
      expect(large.chunks.length).toBeGreaterThan(1)
      await under.cache.store(tenantId, STAGING, { views: [small, large] })
      expect(await under.cache.readView(tenantId, STAGING, small.id)).toEqual(small)
      expect(await under.cache.readView(tenantId, STAGING, large.id)).toEqual(large)
    })

    test("the small view that came last comes along with the document, and nothing that it is not", async () => {
      const tenantId = newTenant()
      const [first, next, foreign] = [
        viewOf(tenantId, { a: 1 }),
        viewOf(tenantId, { a: 2 }),
        viewOf(newTenant(), { a: 2 }),
      ]
      const moved = async () => {
        const { pointer, views } = await under.cache.readMoved(tenantId, STAGING)
        return [pointer?.revision, ...views.values()]
      }
      const store = (revision: string, view: View) =>
        under.cache.store(tenantId, STAGING, {
          views: [view],
          pointer: pointerOf(tenantId, under.nowMs(), { revision, stable: view.id }),
        })
      expect(await moved()).toEqual([undefined])
      await store("0.1.1.1", first)
      expect(await moved()).toEqual(["0.1.1.1", first])
      await store("0.1.1.2", next)
      expect(await moved()).toEqual(["0.1.1.2", next])
      for (const spoilt of [{ ...next, chunks: ['{"a":3}'] }, foreign]) {
        await under.spoilLast(spoilt, tenantId, STAGING)
        expect(await moved()).toEqual(["0.1.1.2"])
      }
    })

    test("a view that is not what its id promises is not served", async () => {
      const [tenantId, other] = [newTenant(), newTenant()]
      const [view, foreign] = [viewOf(tenantId, { a: 1 }), viewOf(other, { a: 1 })]
      await under.cache.store(other, STAGING, { views: [foreign] })
      await under.cache.store(tenantId, STAGING, { views: [view] })
      expect(await under.cache.readView(tenantId, STAGING, foreign.id)).toBeNull()
      await under.spoilView(view, tenantId, STAGING, ['{"a":2}'])
      expect(await under.cache.readView(tenantId, STAGING, view.id)).toBeNull()
    })

    test("what is kept of a tenant can be forgotten, all of it, and nothing of one named alike", async () => {
      const [tenantId, other] = [newTenant(), `${newTenant()}-2` as TenantId]
      const values = Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`k${i}`, "x".repeat(1_000)]))
      for (const id of [tenantId, `${tenantId}-2` as TenantId, other]) {
        await keep(pointerOf(id, under.nowMs()))
        await under.cache.store(id, STAGING, { views: [viewOf(id, values)] })
      }
      expect(await under.cache.forget(tenantId)).toBeGreaterThanOrEqual(2)
      expect(await under.cache.forget(tenantId)).toBe(0)
      expect(await kept(tenantId)).toBeNull()
      expect(await under.cache.readView(tenantId, STAGING, viewOf(tenantId, values).id)).toBeNull()
      for (const id of [`${tenantId}-2` as TenantId, other]) {
        expect(await kept(id)).not.toBeNull()
        expect(await under.cache.readView(id, STAGING, viewOf(id, values).id)).not.toBeNull()
      }
    })

    test("an event can be told, whether or not anybody listens", async () => {
      const event = {
        type: "tenant_config",
        scope: newTenant(),
        environment: STAGING,
        revision: "0.1.1.1",
      } as const
      await under.cache.store(event.scope, STAGING, { event })
      const mark = { scope: "~tier.Pro" as ScopeId, environment: STAGING, epoch: 0, seq: 1 }
      await under.cache.raiseMark(mark, { ...event, type: "global_config", scope: mark.scope })
      await under.cache.ping()
    })
  })
}
