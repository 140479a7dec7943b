import { afterEach, beforeEach, describe, expect, test } from "vitest"
import type { BlobStore } from "../../functions/platform/blob-store.ts"
import { s3BlobStore } from "../../functions/platform/blob-store-s3.ts"
import { startS3 } from "../support/s3.ts"
import { allNames, textOf, utf8 } from "./blob-store.contract.ts"

const DAY_MS = 86_400_000

let nowMs = Date.UTC(2026, 10, 21)
const clock = { nowMs: () => nowMs, now: () => new Date(nowMs) }
let s3: Awaited<ReturnType<typeof startS3>>
let paused: number[]
beforeEach(async () => {
  paused = []
  s3 = await startS3(
    {
      plain: {},
      locked: { versioned: true, lockedMs: DAY_MS },
      terse: { versioned: true, lockedMs: DAY_MS, terse: true },
      ruled: { ruled: true },
      versioned: { versioned: true },
      marked: { versioned: true, denied: ["DeleteObjectVersion"] },
      writeonly: {
        versioned: true,
        denied: ["DeleteObject", "DeleteObjectVersion", "GetObject", "ListBucket"],
      },
      undeletable: { denied: ["DeleteObject"] },
      readonly: { denied: ["PutObject"] },
    },
    clock.nowMs,
  )
})
afterEach(() => s3.stop())

const open = (bucket: string, more: object = {}): BlobStore =>
  s3BlobStore({
    ...{ bucket, variables: s3.variables, endpoint: s3.endpoint, clock, random: () => 1 },
    pause: async (durationMs: number) => paused.push(durationMs),
    ...more,
  })
const versionsOf = (bucket: string, name: string) =>
  (s3.buckets.get(bucket)?.get(name) ?? []).map(({ bytes }) => (bytes === null ? "mark" : bytes.toString()))

describe("a bucket that locks", () => {
  test.each(["locked", "terse"])(
    "keeps what is removed too early, readable as before, and lets it go afterwards: %s",
    async (bucket) => {
      const store = open(bucket)
      await store.putOnce("a/1", utf8("x"))
      expect(await store.remove("a/1")).toBe("kept")
      expect(textOf(await store.get("a/1"))).toBe("x")
      expect(await allNames(store, "a")).toEqual(["a/1"])
      nowMs += DAY_MS
      expect(await store.remove("a/1")).toBe("removed")
      expect(versionsOf(bucket, "a/1")).toEqual([])
      expect(await store.remove("a/1")).toBe("absent")
    },
  )

  test("hides what nobody comes back for, so that its lifecycle destroys it, and keeps it for as long as it is locked", async () => {
    const store = open("locked")
    await store.putOnce("a/1", utf8("x"))
    for (const _again of [1, 2]) expect(await store.remove("a/1", { forGood: true })).toBe("kept")
    expect(await store.get("a/1")).toBeNull()
    expect(await allNames(store, "")).toEqual([])
    expect(versionsOf("locked", "a/1")).toEqual(["x", "mark"])
  })

  test("by a rule of its own, without versions, is told from one where nothing may be removed", async () => {
    await open("ruled").putOnce("a/1", utf8("x"))
    expect(await open("ruled").remove("a/1")).toBe("kept")
    await open("undeletable").putOnce("a/1", utf8("x"))
    await expect(open("undeletable").remove("a/1")).rejects.toMatchObject({
      code: "BLOB_STORE_FORBIDDEN",
      message: "Nothing may be removed where archives are kept.",
    })
  })

  test("is not written over, whoever asks", async () => {
    await open("locked").putOnce("a/1", utf8("x"))
    expect(await open("locked").putOnce("a/1", utf8("y"))).toBe("there")
    expect(versionsOf("locked", "a/1")).toEqual(["x"])
  })

  test("says so too of what somebody else has hidden under a mark of deletion", async () => {
    const store = open("locked")
    await store.putOnce("a/1", utf8("x"))
    s3.buckets.get("locked")!.get("a/1")!.push({ id: "mark", bytes: null, lockedUntilMs: 0 })
    expect(await store.get("a/1")).toBeNull()
    expect(await store.remove("a/1")).toBe("kept")
    nowMs += DAY_MS
    expect(await store.remove("a/1")).toBe("removed")
    expect(versionsOf("locked", "a/1")).toEqual([])
  })
})

describe("a bucket that keeps versions", () => {
  test("has none left of what was removed", async () => {
    const store = open("versioned")
    await store.putOnce("a/1", utf8("x"))
    await store.putOnce("a/10", utf8("another"))
    s3.buckets
      .get("versioned")!
      .get("a/1")!
      .push({ id: "2", bytes: Buffer.from("y"), lockedUntilMs: 0 })
    expect(await store.remove("a/1")).toBe("removed")
    expect(versionsOf("versioned", "a/1")).toEqual([])
    expect(versionsOf("versioned", "a/10")).toEqual(["another"])
  })

  test("and whose versions may not be removed hides the name, once, and can be undone by its owner", async () => {
    const store = open("marked")
    await store.putOnce("a/1", utf8("x"))
    expect(await store.remove("a/1")).toBe("removed")
    expect(await store.remove("a/1")).toBe("absent")
    expect(versionsOf("marked", "a/1")).toEqual(["x", "mark"])
    expect(await store.get("a/1")).toBeNull()
  })
})

describe("who may not", () => {
  test.each([
    ["written", "readonly", (store: BlobStore) => store.putOnce("a/1", utf8("x"))],
    ["written", "nosuch", (store: BlobStore) => store.putOnce("a/1", utf8("x"))],
    ["read", "nosuch", (store: BlobStore) => store.get("a/1")],
    ["read", "writeonly", (store: BlobStore) => store.get("a/1")],
    ["read", "writeonly", (store: BlobStore) => store.size("a/1")],
    ["read", "writeonly", (store: BlobStore) => store.list("a")],
  ] as const)("have %s is told so, and not asked again: %s", async (verb, bucket, ask) => {
    await open("writeonly").putOnce("a/1", utf8("x"))
    await expect(ask(open(bucket))).rejects.toMatchObject({
      code: "BLOB_STORE_FORBIDDEN",
      message: `Nothing may be ${verb} where archives are kept.`,
    })
    expect(paused).toEqual([])
  })

  test("sign with another key is let in nowhere", async () => {
    const variables = { ...s3.variables, AWS_SECRET_ACCESS_KEY: "another" }
    const stranger = open("plain", { variables })
    await expect(stranger.putOnce("a/1", utf8("x"))).rejects.toMatchObject({
      code: "BLOB_STORE_FORBIDDEN",
      cause: { message: expect.stringContaining("SignatureDoesNotMatch") },
    })
    await expect(stranger.list("", { after: "a" })).rejects.toMatchObject({ code: "BLOB_STORE_FORBIDDEN" })
    expect(s3.buckets.get("plain")!.size).toBe(0)
  })

  test("has a clock that is wrong is told of it", async () => {
    const late = { nowMs: () => nowMs - DAY_MS, now: () => new Date(nowMs - DAY_MS) }
    await expect(open("plain", { clock: late }).get("a/1")).rejects.toMatchObject({
      cause: { message: expect.stringContaining("RequestTimeTooSkewed") },
    })
  })

  test("has no room left is told so", async () => {
    s3.faults.push("QuotaExceeded")
    await expect(open("plain").putOnce("a/1", utf8("x"))).rejects.toMatchObject({ code: "BLOB_STORE_FULL" })
  })
})

describe("a bucket that has a bad moment", () => {
  test.each([
    ["SlowDown", [200, 400]],
    ["InternalError", [200, 400]],
    ["OperationAborted", [200, 400]],
    ["answer lost", [200]],
    ["cut", [200]],
  ] as const)("is asked again after a longer and longer while: %s", async (fault, pauses) => {
    const store = open("plain")
    await store.putOnce("a/1", utf8("x"))
    const asks: [string, () => Promise<unknown>, unknown][] = [
      ["get", async () => textOf(await store.get("a/1")), "x"],
      ["list", () => store.list("a"), { names: ["a/1"], after: null }],
      ["put", () => store.putOnce(`a/${fault}`.replace(" ", "-"), utf8("x")), "written"],
      ["remove", () => store.remove("a/1"), "removed"],
    ]
    for (const [what, ask, outcome] of asks) {
      paused = []
      s3.faults.push(...pauses.map(() => fault))
      expect(await ask(), what).toEqual(outcome)
      expect(paused, what).toEqual(pauses)
    }
  })

  test("is asked again when it says nothing at all", async () => {
    await open("plain").putOnce("a/1", utf8("x"))
    s3.faults.push("silent")
    expect(textOf(await open("plain", { tryMs: 300 }).get("a/1"))).toBe("x")
    expect(paused).toEqual([200])
  })

  test("is given up after five tries, and the last answer told", async () => {
    s3.faults.push(...Array.from({ length: 9 }, () => "SlowDown" as const))
    await expect(open("plain").get("a/1")).rejects.toThrow(/S3 answered 503 for GET a\/1: .*SlowDown/)
    expect(s3.asked).toHaveLength(5)
    expect(paused).toEqual([200, 400, 800, 1600])
  })

  test("tells a write whose answer was lost from one that somebody else was first with", async () => {
    await open("plain").putOnce("a/theirs", utf8("theirs"))
    s3.faults.push("answer lost")
    expect(await open("plain").putOnce("a/ours", utf8("ours"))).toBe("written")
    s3.faults.push("InternalError")
    expect(await open("plain").putOnce("a/theirs", utf8("ours"))).toBe("there")
    expect(textOf(await open("plain").get("a/theirs"))).toBe("theirs")
  })

  test("is believed nothing that does not fit its checksum", async () => {
    await open("plain").putOnce("a/1", utf8("x"))
    s3.faults.push("damaged")
    await expect(open("plain").get("a/1")).rejects.toThrow("is not what was kept")
  })

  test("is believed no listing that breaks off or says nothing", async () => {
    s3.faults.push("damaged")
    await expect(open("plain").list("a")).rejects.toThrow("did not send a whole ListBucketResult")
  })
})

test("is asked page by page, and for no more than is wanted", async () => {
  const store = open("plain")
  s3.limits.page = 3
  for (let nth = 10; nth < 20; nth++) await store.putOnce(`a/${nth}`, utf8("x"))
  s3.asked.length = 0
  expect(await store.list("a", { limit: 7 })).toEqual({
    names: [10, 11, 12, 13, 14, 15, 16].map((nth) => `a/${nth}`),
    after: "a/16",
  })
  expect(s3.asked.map((line) => /max-keys=(\d+)/.exec(line)?.[1])).toEqual(["7", "4", "1"])
  expect(await store.list("a", { after: "a/16" })).toEqual({ names: ["a/17", "a/18", "a/19"], after: null })
})

test("what stands in a bucket beside blobs is no blob", async () => {
  const store = open("plain")
  await store.putOnce("a/1", utf8("x"))
  for (const key of ["a/", "a/.hidden", "a/ b", "a/ä&<>", "a/..", "A"])
    s3.buckets.get("plain")!.set(key, [{ id: "null", bytes: Buffer.from("x"), lockedUntilMs: 0 }])
  expect(await allNames(store, "")).toEqual(["a/1"])
})
