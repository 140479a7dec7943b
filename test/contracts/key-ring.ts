import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { PLATFORM, type ScopeId, tierScope } from "../../core/ids.ts"
import type { KeyName } from "../../core/secret/place.ts"
import type { KeyRing } from "../../functions/platform/keys/key-ring.ts"
import { NotOpened } from "../../functions/platform/keys/sealing.ts"

const KEY = Uint8Array.from({ length: 32 }, (_, index) => index)
let counted = 0
const fresh = (): ScopeId => `tenant-${++counted}` as ScopeId
const nameOf = (scope: ScopeId, realm = "QA", generation = 1): KeyName => ({ scope, realm, generation })

/** What every ring keeps to; `again` opens another one on the same keys. */
export const keyRingContract = (
  name: string,
  setUp: () => Promise<{ ring: KeyRing; again: () => KeyRing; stop: () => Promise<void> }>,
): void => {
  describe(`a ring of keys: ${name}`, () => {
    let parts: Awaited<ReturnType<typeof setUp>>
    let ring: KeyRing
    beforeAll(async () => {
      parts = await setUp()
      ring = parts.ring
    })
    afterAll(() => parts.stop())

    test.each([fresh(), PLATFORM, tierScope("Pro"), "a".repeat(63) as ScopeId])(
      "what it wraps for %s it unwraps, also after a new start",
      async (scope) => {
        const wrapped = await ring.wrap(nameOf(scope), KEY)
        expect(Buffer.from(wrapped.bytes).includes(Buffer.from(KEY.subarray(0, 8)))).toBe(false)
        expect(Uint8Array.from(await ring.unwrap(nameOf(scope), wrapped))).toEqual(KEY)
        expect(Uint8Array.from(await parts.again().unwrap(nameOf(scope), wrapped))).toEqual(KEY)
      },
    )

    test("what was wrapped under one name unwraps under no other, nor altered, nor by another's key", async () => {
      const [scope, other] = [fresh(), fresh()]
      const wrapped = await ring.wrap(nameOf(scope), KEY)
      const theirs = await ring.wrap(nameOf(other), KEY)
      const moves: [KeyName, typeof wrapped][] = [
        [nameOf(other), wrapped],
        [nameOf(other), { ...wrapped, by: theirs.by }],
        [nameOf(scope), { ...wrapped, by: theirs.by, bytes: theirs.bytes }],
        [nameOf(scope, "Production"), wrapped],
        [nameOf(scope, "QA", 2), wrapped],
        [nameOf(scope), { ...wrapped, bytes: Uint8Array.from(wrapped.bytes, (byte) => byte ^ 1) }],
      ]
      for (const [name, moved] of moves) await expect(ring.unwrap(name, moved)).rejects.toThrow(NotOpened)
    })

    test("a new key wraps from then on, and what the old one wrapped still unwraps", async () => {
      const scope = fresh()
      const before = await ring.wrap(nameOf(scope), KEY)
      await ring.renew(scope)
      const after = await ring.wrap(nameOf(scope, "QA", 2), KEY)
      expect(after.by).not.toBe(before.by)
      await ring.unwrap(nameOf(scope), before)
      await ring.unwrap(nameOf(scope, "QA", 2), after)
    })

    test("a key is renewed before it was ever needed", async () => {
      const scope = fresh()
      await ring.renew(scope)
      await ring.unwrap(nameOf(scope), await ring.wrap(nameOf(scope), KEY))
    })

    test("many who need the first key at once come to one that opens what each wrapped", async () => {
      const scope = fresh()
      const names = Array.from({ length: 8 }, (_, index) => nameOf(scope, `realm-${index}`))
      const wrapped = await Promise.all(names.map((name) => parts.again().wrap(name, KEY)))
      for (const [index, name] of names.entries())
        expect(Uint8Array.from(await ring.unwrap(name, wrapped[index]!))).toEqual(KEY)
    })

    test("once shredded nothing of a scope unwraps or is wrapped again, whoever asks, and the others' does", async () => {
      const [scope, other] = [fresh(), fresh()]
      const first = await ring.wrap(nameOf(scope), KEY)
      await ring.renew(scope)
      const second = await ring.wrap(nameOf(scope, "QA", 2), KEY)
      const theirs = await ring.wrap(nameOf(other), KEY)
      // After a rotation the database names the new key alone; copies of it from before name the old one.
      expect(await ring.shred(scope, [second.by])).toBe(2)
      const shredded = { code: "SECRET_SHREDDED" }
      for (const one of [ring, parts.again()]) {
        await expect(one.unwrap(nameOf(scope), first)).rejects.toMatchObject(shredded)
        await expect(one.unwrap(nameOf(scope, "QA", 2), second)).rejects.toMatchObject(shredded)
        await expect(one.wrap(nameOf(scope), KEY)).rejects.toMatchObject(shredded)
        await expect(one.renew(scope)).rejects.toMatchObject(shredded)
      }
      expect(await ring.shred(scope, [second.by])).toBe(0)
      await ring.unwrap(nameOf(other), theirs)
    })

    test("a scope that never had a key can be shredded, and then never gets one", async () => {
      const scope = fresh()
      await ring.shred(scope, [])
      await expect(ring.wrap(nameOf(scope), KEY)).rejects.toMatchObject({ code: "SECRET_SHREDDED" })
    })
  })
}
