import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { Refusal } from "../../core/errors.ts"
import {
  type BlobLocation,
  type LocationFailure,
  type Locations,
  LocationsFailed,
  severalLocations,
} from "../../functions/platform/blob-locations.ts"
import type { BlobStore } from "../../functions/platform/blob-store.ts"
import { diskBlobStore } from "../../functions/platform/blob-store-disk.ts"
import { allNames, textOf, utf8 } from "./blob-store.contract.ts"

let folder: string
let told: (LocationFailure & { doing: string })[]
let primary: BlobLocation
let copy: BlobLocation
let both: Locations
/** Why the copy does not answer, while it does not. */
let down: Error | null

/** The same store, which answers nothing while it is down. */
const fragile = (store: BlobStore): BlobStore =>
  new Proxy(store, {
    get:
      (target, name: keyof BlobStore) =>
      async (...given: unknown[]) => {
        if (down) throw down
        return await (target[name] as (...given: unknown[]) => unknown)(...given)
      },
  })

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "hotswap-blobs-"))
  down = null
  told = []
  primary = { name: "primary", store: diskBlobStore(join(folder, "primary")) }
  copy = { name: "copy", store: fragile(diskBlobStore(join(folder, "copy"))) }
  both = severalLocations([primary, copy], (failure) => told.push(failure))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const at = async ({ store }: BlobLocation, name: string) => textOf(await store.get(name))
const damage = (location: "primary" | "copy", name: string) =>
  rm(join(folder, location, name), { force: true }).then(() =>
    writeFile(join(folder, location, name), "rubbish"),
  )
const isWhole = (bytes: Uint8Array): boolean => textOf(bytes) !== "rubbish"
const unreachable = new Error("no answer")

describe("of two locations", () => {
  test("what one alone has is not said to be all there is while the other does not answer", async () => {
    await both.putOnce("a/1", utf8("x"))
    await copy.store.putOnce("a/2", utf8("x"))
    down = unreachable
    expect((await both.list("a")).names).toEqual(["a/1"])
    await expect(both.list("a", { isComplete: true })).rejects.toThrow("copy: no answer")
    down = null
    expect((await both.list("a", { isComplete: true })).names).toEqual(["a/1", "a/2"])
  })

  test("each has what was written when the write returns", async () => {
    expect(await both.putOnce("a/1", utf8("x"))).toBe("written")
    expect([await at(primary, "a/1"), await at(copy, "a/1")]).toEqual(["x", "x"])
  })

  test("one that fails is named with its reason, and the other has what was written", async () => {
    down = unreachable
    const failed = await both.putOnce("a/1", utf8("x")).catch((error: unknown) => error)
    expect(failed).toBeInstanceOf(LocationsFailed)
    expect(failed).toMatchObject({
      failed: [{ name: "copy", reason: unreachable }],
      done: ["primary"],
      message: "a/1 was not kept everywhere: copy: no answer",
    })
    expect(await at(primary, "a/1")).toBe("x")
  })

  test("one that was away gets what it lacks with the next write, which is asked for by its size", async () => {
    await both.putOnce("a/0", utf8("x"))
    expect(await both.size("a/0")).toBe(1)
    down = unreachable
    await expect(both.putOnce("a/1", utf8("x"))).rejects.toThrow("copy: no answer")
    expect(await both.size("a/1")).toBeNull()
    expect(told).toEqual([{ name: "copy", reason: unreachable, doing: "size" }])
    down = null
    expect(await both.size("a/1")).toBeNull()
    expect(await both.putOnce("a/1", utf8("x"))).toBe("there")
    expect(await both.size("a/1")).toBe(1)
    expect(await at(copy, "a/1")).toBe("x")
  })

  test("the first that has it whole is read, and it is told which has not", async () => {
    await both.putOnce("a/1", utf8("x"))
    await damage("primary", "a/1")
    expect(textOf(await both.get("a/1", isWhole))).toBe("x")
    expect(told).toMatchObject([{ name: "primary", doing: "read", reason: { message: "a/1 is damaged" } }])
    await primary.store.remove("a/1")
    expect(textOf(await both.get("a/1", isWhole))).toBe("x")
    await damage("copy", "a/1")
    // Nobody has it whole: whoever asks sees what there is, and says what is wrong with it.
    expect(textOf(await both.get("a/1", isWhole))).toBe("rubbish")
  })

  test("what one of them may have is never said to be missing while it does not answer", async () => {
    await copy.store.putOnce("a/1", utf8("x"))
    down = unreachable
    await expect(both.get("a/1")).rejects.toThrow("a/1 could not be read: copy: no answer")
    await primary.store.putOnce("a/1", utf8("x"))
    await damage("primary", "a/1")
    await expect(both.get("a/1", isWhole)).rejects.toThrow("copy: no answer")
    down = null
    expect(textOf(await both.get("a/1", isWhole))).toBe("x")
    expect(await both.get("a/2", isWhole)).toBeNull()
  })

  test("the names of both are listed once each, in order, page by page", async () => {
    for (const name of ["a/1", "a/3", "a/5", "a/6"]) await primary.store.putOnce(name, utf8("x"))
    for (const name of ["a/2", "a/3", "a/4", "a/7", "a/8"]) await copy.store.putOnce(name, utf8("x"))
    expect(await both.list("a", { limit: 2 })).toEqual({ names: ["a/1", "a/2"], after: "a/2" })
    expect(await both.list("a", { after: "a/2", limit: 3 })).toEqual({
      names: ["a/3", "a/4", "a/5"],
      after: "a/5",
    })
    expect(await both.list("a", { after: "a/5", limit: 9 })).toEqual({
      names: ["a/6", "a/7", "a/8"],
      after: null,
    })
    expect(await allNames(both, "")).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((nth) => `a/${nth}`))
    const slow: BlobStore = {
      ...primary.store,
      list: (at, page) => primary.store.list(at, { ...page, limit: 1 }),
    }
    const uneven = severalLocations([{ name: "slow", store: slow }, copy])
    expect(await allNames(uneven, "")).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((nth) => `a/${nth}`))
    down = unreachable
    expect(await allNames(both, "a")).toEqual(["a/1", "a/3", "a/5", "a/6"])
    expect(told).toEqual([{ name: "copy", reason: unreachable, doing: "list" }])
  })

  test("neither has what was removed, and one that could not is named", async () => {
    await both.putOnce("a/1", utf8("x"))
    await copy.store.putOnce("a/2", utf8("x"))
    expect(await both.remove("a/1")).toBe("removed")
    expect([await at(primary, "a/1"), await at(copy, "a/1")]).toEqual([null, null])
    expect(await both.remove("a/2")).toBe("removed")
    expect(await both.remove("a/2")).toBe("absent")
    const locked = severalLocations([
      primary,
      { name: "locked", store: { ...copy.store, remove: async () => "kept" } },
    ])
    await primary.store.putOnce("a/1", utf8("x"))
    expect(await locked.remove("a/1")).toBe("kept")
    expect(await at(primary, "a/1")).toBeNull()
    down = unreachable
    await expect(both.remove("a/1")).rejects.toMatchObject({ failed: [{ name: "copy" }], done: ["primary"] })
  })

  test("a copy that is missing or damaged is put right from the whole one, and each is told of", async () => {
    await both.putOnce("a/1", utf8("x"))
    expect(await both.mend("a/1", isWhole)).toEqual([
      { name: "primary", state: "whole" },
      { name: "copy", state: "whole" },
    ])
    await damage("primary", "a/1")
    expect(await both.mend("a/1", isWhole)).toMatchObject([{ state: "mended" }, { state: "whole" }])
    await copy.store.remove("a/1")
    expect(await both.mend("a/1", isWhole)).toMatchObject([{ state: "whole" }, { state: "mended" }])
    expect([await at(primary, "a/1"), await at(copy, "a/1")]).toEqual(["x", "x"])
  })

  test("what cannot be put right is said with the reason, and nothing is removed for it", async () => {
    await both.putOnce("a/1", utf8("x"))
    await damage("primary", "a/1")
    await damage("copy", "a/1")
    const problem = "no location has a whole copy"
    expect(await both.mend("a/1", isWhole)).toEqual([
      { name: "primary", state: "damaged", problem },
      { name: "copy", state: "damaged", problem },
    ])
    expect(await at(primary, "a/1")).toBe("rubbish")
    down = unreachable
    expect(await both.mend("a/1", isWhole)).toMatchObject([
      { state: "damaged" },
      { state: "unreachable", problem: "no answer" },
    ])
    const locked = severalLocations([
      { name: "locked", store: { ...primary.store, remove: async () => "kept" } },
      { name: "copy", store: diskBlobStore(join(folder, "third")) },
    ])
    await locked.locations[1]!.store.putOnce("a/1", utf8("x"))
    expect(await locked.mend("a/1", isWhole)).toMatchObject([
      { state: "damaged", problem: "the damaged copy is locked" },
      { state: "whole" },
    ])
  })
})

test("what a person has to put right everywhere is told as that, and a single location's own reason comes through", async () => {
  const full = new Refusal("BLOB_STORE_FULL", "There is no room.")
  const failing = (reason: Error): BlobStore =>
    new Proxy(diskBlobStore(folder), { get: () => () => Promise.reject(reason) })
  const single = (reason: Error) => severalLocations([{ name: "primary", store: failing(reason) }])
  await expect(single(full).putOnce("a/1", utf8("x"))).rejects.toBe(full)
  await expect(single(unreachable).get("a/1")).rejects.toBe(unreachable)
  const two = severalLocations([
    { name: "primary", store: failing(full) },
    { name: "copy", store: failing(unreachable) },
  ])
  await expect(two.putOnce("a/1", utf8("x"))).rejects.toBe(full)
  await expect(two.list("a")).rejects.toBe(full)
})
