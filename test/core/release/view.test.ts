import fc from "fast-check"
import { describe, expect, test } from "vitest"
import type { Environment } from "../../../core/environment.ts"
import type { ConfigKey, Layer, TenantId } from "../../../core/ids.ts"
import { canonical, type Json } from "../../../core/json.ts"
import { chunkIndex } from "../../../core/release/bucket.ts"
import type { Entry } from "../../../core/release/release.ts"
import {
  compileView,
  type LayerEntries,
  type Merged,
  mergeLayers,
  type View,
  verifyView,
  viewBits,
  viewDifference,
  viewText,
} from "../../../core/release/view.ts"
import { parseViewId } from "../../../core/release/view-id.ts"
import { jsonValues } from "../json-values.ts"

const seed = 20261105
const acme = "acme" as TenantId
const globex = "globex" as TenantId
const staging = "Staging" as Environment
const production = "Production" as Environment

const LAYERS = ["platform", "tier", "tenant"] as const
type Given = Partial<Record<Layer, Record<string, Entry>>>

const layered = (given: Given): LayerEntries[] =>
  LAYERS.map((layer) => ({
    layer,
    entries: new Map(Object.entries(given[layer] ?? {})) as Map<ConfigKey, Entry>,
  }))
const merge = (given: Given): Merged => mergeLayers(layered(given))
const at = (merged: Merged, key: string) => merged.get(key as ConfigKey)

const entry = (value: Json, version = 1): Entry => ({ value, version })
const locked = (value: Json, version = 1): Entry => ({ value, version, locked: true })

/** The rule, said the slow way: who wins, asked key by key. */
const winner = (given: Given, key: string): { layer: Layer; entry: Entry } | null => {
  const having = LAYERS.flatMap((layer) => {
    const found = given[layer]?.[key]
    return found ? [{ layer, entry: found }] : []
  })
  return having.find(({ layer, entry: found }) => layer !== "tenant" && found.locked) ?? having.at(-1) ?? null
}

const smallKeys = fc.constantFrom("a", "b", "c", "d.e", "10", "9")
const someEntries = fc.dictionary(
  smallKeys,
  fc
    .record({ value: jsonValues(2), version: fc.nat(9), isLocked: fc.boolean() })
    .map(({ value, version, isLocked }) => (isLocked ? locked(value, version) : entry(value, version))),
)
const someLayers: fc.Arbitrary<Given> = fc.record({
  platform: someEntries,
  tier: someEntries,
  tenant: someEntries,
})

describe("layers", () => {
  test("merge as if each key were asked for alone", () => {
    fc.assert(
      fc.property(someLayers, (given) => {
        const merged = merge(given)
        for (const key of ["a", "b", "c", "d.e", "10", "9"]) {
          const expected = winner(given, key)
          const { value, version, locked: isLocked } = expected?.entry ?? {}
          expect(at(merged, key)).toEqual(
            expected ? { value, version, layer: expected.layer, locked: isLocked === true } : undefined,
          )
        }
      }),
      { seed, numRuns: 1_000 },
    )
  })

  test("give the nearest one's value, and say whose it is", () => {
    const given = {
      platform: { a: entry(1), b: entry(1), c: entry(1, 7) },
      tier: { a: entry(2), b: entry(2) },
      tenant: { a: entry(3, 4) },
    }
    expect(at(merge(given), "a")).toEqual({ value: 3, layer: "tenant", version: 4, locked: false })
    expect(at(merge(given), "b")).toMatchObject({ value: 2, layer: "tier" })
    expect(at(merge(given), "c")).toMatchObject({ value: 1, layer: "platform", version: 7 })
  })

  test("obey a key locked at the platform before tier and tenant", () => {
    const merged = merge({ platform: { a: locked(1) }, tier: { a: entry(2) }, tenant: { a: entry(3) } })
    expect(at(merged, "a")).toEqual({ value: 1, layer: "platform", version: 1, locked: true })
  })

  test("obey a key locked at the tier before the tenant, over the platform", () => {
    const merged = merge({ platform: { a: entry(1) }, tier: { a: locked(2) }, tenant: { a: entry(3) } })
    expect(at(merged, "a")).toMatchObject({ value: 2, layer: "tier" })
  })

  test("obey the platform's lock before the tier's", () => {
    const merged = merge({ platform: { a: locked(1) }, tier: { a: locked(2) }, tenant: { a: locked(3) } })
    expect(at(merged, "a")).toMatchObject({ value: 1, layer: "platform" })
  })

  test("let a tenant's own lock stop nobody", () => {
    expect(at(merge({ platform: { a: entry(1) }, tenant: { a: locked(3) } }), "a")).toMatchObject({
      value: 3,
      locked: true,
    })
  })

  test("reveal what is below a key that is gone", () => {
    expect(at(merge({ platform: { a: entry(1) }, tenant: {} }), "a")).toMatchObject({ value: 1 })
  })
})

test("what the service keeps for itself is in no view, and no view's id depends on it", () => {
  const policy = { "~policy": locked({ stages: [] }) }
  const given = { platform: { a: entry(1) }, tenant: { b: entry(2) } }
  const kept = {
    platform: { ...given.platform, ...policy },
    tier: policy,
    tenant: { ...given.tenant, ...policy },
  }
  expect(at(merge(kept), "~policy")).toBeUndefined()
  expect(viewOf(kept)).toEqual(viewOf(given))
  expect(viewDifference(viewOf(given), viewOf(kept))).toEqual({ set: {}, unset: [] })
})

const viewOf = (given: Given, tenant = acme, environment = staging): View =>
  compileView(tenant, environment, merge(given))

const large = (count: number): Record<string, Entry> =>
  Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`key.${i}`, entry({ n: i, text: "é".repeat(200) })]),
  )

describe("a view", () => {
  test("is the merged values as canonical JSON, each key in the chunk its hash says", () => {
    fc.assert(
      fc.property(someLayers, (given) => {
        const view = viewOf(given)
        const values = Object.fromEntries([...merge(given)].map(([key, { value }]) => [key, value]))
        expect(view.chunks).toEqual([canonical(values)])
        expect(viewText(view)).toBe(canonical(values))
      }),
      { seed, numRuns: 300 },
    )
    const view = viewOf({ tenant: large(1_000) })
    expect(view.bits).toBe(3)
    expect(view.chunks).toHaveLength(8)
    for (const [index, text] of view.chunks.entries()) {
      expect(canonical(JSON.parse(text))).toBe(text)
      for (const key of Object.keys(JSON.parse(text) as object)) expect(chunkIndex(key, 3)).toBe(index)
    }
    const whole = JSON.parse(viewText(view)) as Record<string, Json>
    expect(whole).toEqual(
      Object.fromEntries([...merge({ tenant: large(1_000) })].map(([k, { value }]) => [k, value])),
    )
  })

  test("has an id of its content, its tenant and its environment, and of nothing else", () => {
    const given = { tenant: { a: entry(1) } }
    const ids = [
      viewOf(given),
      viewOf(given, globex),
      viewOf(given, acme, production),
      viewOf({ tenant: { a: entry(2) } }),
    ]
    expect(new Set(ids.map(({ id }) => id)).size).toBe(4)
    expect(viewOf({ platform: { a: locked(1, 9) } }).id).toBe(viewOf(given).id)
    expect(viewOf({ tenant: { b: entry(1), a: entry(2) } }).id).toBe(
      viewOf({ tenant: { a: entry(2), b: entry(1) } }).id,
    )
  })

  test("names its chunking in its id", () => {
    for (const view of [viewOf({}), viewOf({ tenant: large(1_000) })]) {
      expect(viewBits(view.id)).toBe(view.bits)
      expect(parseViewId(view.id)).toBe(view.id)
    }
    for (const text of [
      "",
      "0",
      `9.${"0".repeat(64)}`,
      `0.${"0".repeat(63)}`,
      `0.${"G".repeat(64)}`,
      `00.${"0".repeat(64)}`,
    ])
      expect(parseViewId(text)).toBeNull()
  })

  test("of nothing is an empty object", () => {
    expect(viewText(viewOf({}))).toBe("{}")
  })

  test.each([
    ["small", { tenant: { a: entry(1) } }],
    ["chunked", { tenant: large(1_000) }],
  ])("that is %s is known again, and nothing else passes for it", (_, given) => {
    const { id, chunks } = viewOf(given)
    expect(verifyView(id, acme, staging, chunks)).toBe(true)
    expect(verifyView(id, globex, staging, chunks)).toBe(false)
    expect(verifyView(id, acme, production, chunks)).toBe(false)
    expect(verifyView(id, acme, staging, [])).toBe(false)
    expect(verifyView(id, acme, staging, [...chunks, "{}"])).toBe(false)
    expect(
      verifyView(
        id,
        acme,
        staging,
        chunks.map((text) => text.slice(0, -1)),
      ),
    ).toBe(false)
    expect(verifyView(id, acme, staging, ["{}", ...chunks.slice(1)])).toBe(false)
    if (chunks.length > 1) expect(verifyView(id, acme, staging, [...chunks].reverse())).toBe(false)
  })
})

describe("the difference between two views", () => {
  const apply = (
    base: Json,
    { set, unset }: { set: Record<string, Json>; unset: readonly string[] },
  ): Json => {
    const kept = Object.entries(base as Record<string, Json>).filter(([key]) => !unset.includes(key))
    return { ...Object.fromEntries(kept), ...set }
  }

  test("makes the one from the other, and names only what differs", () => {
    fc.assert(
      fc.property(someLayers, someLayers, (before, after) => {
        const [stable, candidate] = [viewOf(before), viewOf(after)]
        const difference = viewDifference(stable, candidate)
        expect(apply(JSON.parse(viewText(stable)), difference)).toEqual(JSON.parse(viewText(candidate)))
        for (const [key, value] of Object.entries(difference.set))
          expect(canonical(at(merge(before), key)?.value ?? "nothing like it")).not.toBe(canonical(value))
        for (const key of difference.unset) expect(at(merge(after), key)).toBeUndefined()
      }),
      { seed, numRuns: 300 },
    )
  })

  test("is nothing between a view and itself", () => {
    const view = viewOf({ tenant: large(1_000) })
    expect(viewDifference(view, view)).toEqual({ set: {}, unset: [] })
  })

  test("reaches across chunking sizes", () => {
    const small = viewOf({ tenant: { "key.1": entry(1), gone: entry(true) } })
    const big = viewOf({ tenant: large(1_000) })
    const difference = viewDifference(small, big)
    expect(difference.unset).toEqual(["gone"])
    expect(Object.keys(difference.set)).toHaveLength(1_000)
    expect(apply(JSON.parse(viewText(big)), viewDifference(big, small))).toEqual(JSON.parse(viewText(small)))
  })

  test("of two large views is what differs, in the chunks that differ", () => {
    const before = viewOf({ tenant: large(1_000) })
    const { "key.5": _, ...rest } = large(1_000)
    const after = viewOf({ tenant: { ...rest, "key.7": entry(false) } })
    expect(viewDifference(before, after)).toEqual({ set: { "key.7": false }, unset: ["key.5"] })
  })
})
