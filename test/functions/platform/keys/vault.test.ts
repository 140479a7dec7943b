import { randomBytes } from "node:crypto"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import fc from "fast-check"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { ScopeId } from "../../../../core/ids.ts"
import { PLATFORM, tierScope } from "../../../../core/ids.ts"
import { framed, type Place, placeBytes } from "../../../../core/secret/place.ts"
import { Secret } from "../../../../core/secret/secret.ts"
import { findDataKey } from "../../../../db/queries/secrets.ts"
import { NotOpened, open, seal } from "../../../../functions/platform/keys/sealing.ts"
import { createVault, KEY_KEPT_MS, type Vault } from "../../../../functions/platform/keys/vault.ts"
import { shredKeys } from "../../../../functions/platform/shred.ts"
import { makeTenant } from "../../../db/fixtures.ts"
import { type OpenTestDatabase, openTestDatabase } from "../../../support/database.ts"
import { testKeys } from "../../../support/keys.ts"
import { handClock } from "../fakes.ts"

const ACME = "acme" as ScopeId
const OTHER = "other" as ScopeId
const clock = handClock(1_700_000_000_000)

let database: OpenTestDatabase
let keys: ReturnType<typeof testKeys>
let vault: Vault
beforeAll(async () => {
  database = await openTestDatabase()
  keys = testKeys({ db: database.app, clock })
  vault = keys.vault
  for (const tenant of [ACME, OTHER, "doomed", "racing"])
    await makeTenant(database.app, tenant as never, "Free")
})
afterAll(() => database.close())

const SCOPES = [ACME, OTHER, PLATFORM, tierScope("Pro")]
const REALMS = ["QA", "Production", "~channels"]
const NAMES = ["a", "a.b", "ab"]
const PLACES: Place[] = SCOPES.flatMap((scope) =>
  REALMS.flatMap((realm) =>
    NAMES.flatMap((name) => [1, 2, 11].map((version) => ({ scope, realm, name, version }))),
  ),
)

test("what was sealed opens in its place, and moved to any other tenant, environment, key or version nowhere", async () => {
  const sealed = new Map<Place, Awaited<ReturnType<Vault["seal"]>>>()
  for (const place of PLACES) sealed.set(place, await vault.seal(place, new Secret(placeBytes(place).length)))
  let refused = 0
  for (const [from, box] of sealed)
    for (const to of PLACES)
      if (from === to) expect((await vault.open(to, box)).reveal()).toBe(placeBytes(from).length)
      else {
        await expect(vault.open(to, box)).rejects.toThrow(NotOpened)
        refused++
      }
  expect(refused).toBe(PLACES.length * (PLACES.length - 1))
})

test("with the very data key in hand, a place still binds what was sealed for it", () => {
  const key = randomBytes(32)
  for (const from of PLACES) {
    const box = seal(key, Buffer.from("x"), placeBytes(from))
    for (const to of PLACES) if (from !== to) expect(() => open(key, box, placeBytes(to))).toThrow(NotOpened)
  }
})

test("no two places come to the same additional data", () => {
  const parts = fc.array(fc.string(), { maxLength: 5 })
  fc.assert(
    fc.property(parts, parts, (left, right) => {
      const same = Buffer.compare(framed(...left), framed(...right)) === 0
      return same === (JSON.stringify(left) === JSON.stringify(right))
    }),
    { seed: 11, numRuns: 2_000 },
  )
  expect(framed("ab", "c")).not.toEqual(framed("a", "bc"))
  expect(framed("a\0\0\0\0b")).not.toEqual(framed("a", "b"))
})

test("one bit changed anywhere, and it does not open", async () => {
  const place = PLACES[0]!
  const { generation, bytes } = await vault.seal(place, new Secret("of some length"))
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const altered = Uint8Array.from(bytes)
    altered[bit >> 3]! ^= 1 << (bit & 7)
    await expect(vault.open(place, { generation, bytes: altered })).rejects.toThrow(NotOpened)
  }
  for (const length of [0, 11, 27, bytes.length - 1])
    await expect(vault.open(place, { generation, bytes: bytes.subarray(0, length) })).rejects.toThrow(
      NotOpened,
    )
})

test("the same value is never sealed alike", async () => {
  const boxes = await Promise.all(
    Array.from({ length: 200 }, () => vault.seal(PLACES[0]!, new Secret("again"))),
  )
  expect(new Set(boxes.map(({ bytes }) => Buffer.from(bytes.subarray(0, 12)).toString("hex"))).size).toBe(200)
})

test("a data key that is moved to another tenant, environment or generation does not unwrap", async () => {
  const place: Place = { scope: ACME, realm: "Moved", name: "k", version: 1 }
  await vault.seal(place, new Secret("x"))
  const { wrapped, wrappedBy } = (await findDataKey(database.app, ACME, "Moved"))!
  const moves = [
    { scope: OTHER, realm: "Moved", generation: 1 },
    { scope: ACME, realm: "Elsewhere", generation: 1 },
    { scope: ACME, realm: "Moved", generation: 2 },
  ]
  for (const name of moves) {
    const moved = { bytes: wrapped!, by: wrappedBy }
    await expect(keys.keyRing.unwrap(name, moved)).rejects.toThrow(NotOpened)
  }
})

test("many who seal the first secret at once come to one data key", async () => {
  const place = (name: string): Place => ({ scope: "racing" as ScopeId, realm: "QA", name, version: 1 })
  const vaults = Array.from({ length: 8 }, () =>
    createVault({ db: database.app, keyRing: keys.keyRing, clock }),
  )
  const boxes = await Promise.all(vaults.map((one, index) => one.seal(place(`k${index}`), new Secret(index))))
  for (const [index, box] of boxes.entries())
    for (const one of vaults) expect((await one.open(place(`k${index}`), box)).reveal()).toBe(index)
})

test("a data key in memory keeps nothing there but itself", async () => {
  const pages: WeakRef<ArrayBuffer>[] = []
  const unwrap: typeof keys.keyRing.unwrap = async (name, wrapped) => {
    const page = new Uint8Array(65_536)
    page.set(await keys.keyRing.unwrap(name, wrapped))
    pages.push(new WeakRef(page.buffer))
    return page.subarray(0, 32)
  }
  const place: Place = { scope: OTHER, realm: "Staging", name: "k", version: 1 }
  const box = await vault.seal(place, new Secret("plain"))
  const own = createVault({ db: database.app, keyRing: { ...keys.keyRing, unwrap }, clock })
  await own.open(place, box)
  setFlagsFromString("--expose-gc")
  const collect = runInNewContext("gc") as (options: { execution: "async" }) => Promise<void>
  await collect({ execution: "async" })
  expect(pages.map((page) => page.deref())).toEqual([undefined])
  expect((await own.open(place, box)).reveal()).toBe("plain")
  expect(pages).toHaveLength(1)
})

test("once its keys are shredded nothing of a tenant opens, with a dump from before either, and the others' does", async () => {
  const doomed = "doomed" as ScopeId
  const place: Place = { scope: doomed, realm: "QA", name: "k", version: 1 }
  const box = await vault.seal(place, new Secret("gone"))
  const before = (await findDataKey(database.app, doomed, "QA"))!
  const mine = await vault.seal(PLACES[0]!, new Secret("stays"))
  const elsewhere = createVault({ db: database.app, keyRing: keys.keyRing, clock })
  await elsewhere.open(place, box)

  expect(await shredKeys({ db: database.app, ...keys }, doomed)).toMatchObject({
    wrappingKeys: 1,
    dataKeys: 1,
  })
  await expect(vault.open(place, box)).rejects.toMatchObject({ code: "SECRET_SHREDDED" })
  await expect(vault.seal(place, new Secret("new"))).rejects.toMatchObject({ code: "SECRET_SHREDDED" })
  const wrapped = { bytes: before.wrapped!, by: before.wrappedBy }
  const named = { scope: doomed, realm: "QA", generation: 1 }
  await expect(keys.keyRing.unwrap(named, wrapped)).rejects.toMatchObject({ code: "SECRET_SHREDDED" })
  clock.advance(KEY_KEPT_MS)
  await expect(elsewhere.open(place, box)).rejects.toMatchObject({ code: "SECRET_SHREDDED" })
  expect((await vault.open(PLACES[0]!, mine)).reveal()).toBe("stays")
  expect(await shredKeys({ db: database.app, ...keys }, doomed)).toEqual({
    wrappingKeys: 0,
    dataKeys: 0,
    values: 0,
  })
})
