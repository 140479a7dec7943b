import { randomBytes } from "node:crypto"
import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type BlobStore, blobNames } from "../../functions/platform/blob-store.ts"

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
export const textOf = (bytes: Uint8Array | null): string | null => bytes && Buffer.from(bytes).toString()

export const allNames = async (store: BlobStore, folder: string): Promise<string[]> => {
  const names: string[] = []
  for await (const name of blobNames(store, folder)) names.push(name)
  return names
}

/** What leads elsewhere, or means something to a file system, a URL or a shell. */
const NOT_NAMES = [
  ...[
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    "..",
    "../a",
    "a/..",
    "a/../../b",
    "a/./b",
    "a..b",
    ".a",
    "a/.b",
    "a\\..\\b",
  ],
  ...["a\0b", "a\nb", "a b", "a?b", "a#b", "a%2fb", "a%00", "ä", "a:b", "C:/a", "A/b", "a/*", "-a", "a/$b"],
  ...[`a/${"b".repeat(201)}`, "a/".repeat(500) + "b".repeat(10)],
]

let folders = 0

/** What every store keeps to. `open` opens another one on the same names. */
export const blobStoreContract = (
  what: string,
  setUp: () => Promise<{ open: () => BlobStore; stop: () => Promise<unknown> }>,
): void => {
  describe(`a blob store: ${what}`, () => {
    let parts: Awaited<ReturnType<typeof setUp>>
    let store: BlobStore
    beforeAll(async () => {
      parts = await setUp()
      store = parts.open()
    }, 60_000)
    afterAll(() => parts?.stop())
    const fresh = (): string => `folder-${++folders}`

    test("keeps what was written first, byte by byte, whoever comes later", async () => {
      const name = `${fresh()}/~platform/1.json`
      const bytes = randomBytes(2 * 1024 * 1024)
      expect(await store.get(name)).toBeNull()
      expect(await store.size(name)).toBeNull()
      expect(await store.putOnce(name, bytes)).toBe("written")
      expect(await store.putOnce(name, bytes)).toBe("there")
      expect(await parts.open().putOnce(name, utf8("another"))).toBe("there")
      expect(Buffer.compare((await parts.open().get(name))!, bytes)).toBe(0)
      expect(await parts.open().size(name)).toBe(bytes.length)
    })

    test("keeps a blob without a byte, which is not the same as none", async () => {
      const name = `${fresh()}/empty`
      expect(await store.putOnce(name, new Uint8Array())).toBe("written")
      expect(await store.size(name)).toBe(0)
      expect(await store.get(name)).toHaveLength(0)
    })

    test("takes one of many who write a name at once", async () => {
      const name = `${fresh()}/race`
      const stores = Array.from({ length: 16 }, () => parts.open())
      const told = await Promise.all(stores.map((one, nth) => one.putOnce(name, utf8(`${nth}`))))
      expect(told.filter((one) => one === "written")).toHaveLength(1)
      expect(textOf(await store.get(name))).toBe(String(told.indexOf("written")))
    })

    test("lists what is below a folder and nothing beside it, in the order of bytes", async () => {
      const folder = fresh()
      const names = ["b", "a-b", "a/b", "a.b", "a/b-c", "a~/b", "aB", "a/b0/c", "0"].map(
        (name) => `${folder}/x/${name}`,
      )
      const beside = [`${folder}/x-y`, `${folder}/x.z`, `${folder}/xy/z`, `${folder}/w`]
      for (const name of [...names, ...beside]) await store.putOnce(name, utf8("x"))
      expect(await allNames(store, `${folder}/x`)).toEqual(names.toSorted())
      expect(await allNames(store, `${folder}/x/`)).toEqual(names.toSorted())
      expect(await allNames(store, folder)).toEqual([...names, ...beside].toSorted())
      expect(await store.list(`${folder}/nothing`)).toEqual({ names: [], after: null })
      expect(await allNames(store, "")).toEqual(expect.arrayContaining(names))
    })

    test("lists every name once, whatever the names are and however long the pages", async () => {
      const word = fc.constantFrom("a", "b", "a-", "-a", "a~", "0")
      const tree = fc.uniqueArray(fc.array(word, { minLength: 1, maxLength: 3 }), { maxLength: 12 })
      await fc.assert(
        fc.asyncProperty(tree, fc.integer({ min: 1, max: 5 }), async (paths, limit) => {
          const folder = fresh()
          // Files and folders have different words, as a disk cannot give one to both.
          const names = new Set(paths.map((path) => `${folder}/${path.join("x/")}`))
          for (const name of names) await store.putOnce(name, utf8("x"))
          const found: string[] = []
          let after: string | undefined
          for (;;) {
            const page = await store.list(folder, { after, limit })
            expect(page.names.length).toBeLessThanOrEqual(limit)
            found.push(...page.names)
            if (page.after === null) break
            after = page.after
          }
          expect(found).toEqual([...names].toSorted())
        }),
        { seed: 6, numRuns: 12 },
      )
    })

    test("has nothing of what was removed, and takes it again", async () => {
      const [name, other] = [`${fresh()}/a/1`, `${fresh()}/a/2`]
      await store.putOnce(name, utf8("first"))
      await store.putOnce(other, utf8("other"))
      expect(await store.remove(name)).toBe("removed")
      expect(await parts.open().get(name)).toBeNull()
      expect(await store.size(name)).toBeNull()
      expect(await allNames(store, name.split("/", 1)[0]!)).toEqual([])
      expect(await store.remove(name)).toBe("absent")
      expect(textOf(await store.get(other))).toBe("other")
      expect(await store.putOnce(name, utf8("second"))).toBe("written")
      expect(textOf(await store.get(name))).toBe("second")
    })

    test("loses nothing that is written where something else is removed", async () => {
      const folder = fresh()
      await Promise.all(
        Array.from({ length: 12 }, async (_, nth) => {
          await store.putOnce(`${folder}/a/b/${nth}`, utf8("x"))
          if (nth % 2 === 0) expect(await store.remove(`${folder}/a/b/${nth}`)).toBe("removed")
        }),
      )
      expect((await allNames(store, folder)).sort()).toEqual(
        [1, 11, 3, 5, 7, 9].map((nth) => `${folder}/a/b/${nth}`),
      )
    })

    test("takes no name that leads elsewhere, or that anything on the way could read otherwise", async () => {
      for (const name of NOT_NAMES) {
        const asked: Promise<unknown>[] = [
          store.putOnce(name, utf8("x")),
          store.get(name),
          store.size(name),
          store.remove(name),
        ]
        if (name !== "" && name !== "a/") asked.push(store.list(name))
        for (const told of await Promise.allSettled(asked))
          expect(String(told.status === "rejected" && told.reason), name).toContain("does not name a blob")
      }
    })

    test("takes no more than one blob may hold", async () => {
      const tooLarge = { length: 64 * 1024 * 1024 + 1 } as Uint8Array
      await expect(store.putOnce(`${fresh()}/large`, tooLarge)).rejects.toThrow(
        "of which one blob holds 67108864",
      )
    })
  })
}
