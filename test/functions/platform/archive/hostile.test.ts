import { randomBytes, randomUUID } from "node:crypto"
import { promisify } from "node:util"
import { constants, createZstdCompress, zstdCompress } from "node:zlib"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { ArchivePart, Manifest } from "../../../../core/backup/manifest.ts"
import { PLATFORM, type ScopeId } from "../../../../core/ids.ts"
import { createArchives } from "../../../../functions/platform/archive/archives.ts"
import { sealManifest } from "../../../../functions/platform/archive/sealed-manifest.ts"
import { hashOf, partIdOf, partPlace, subKeys } from "../../../../functions/platform/archive/sub-keys.ts"
import { seal } from "../../../../functions/platform/keys/sealing.ts"
import { cutEverywhere, flipBits, refusal, type Victim, victim } from "./hostile-runs.ts"
import {
  ACME,
  type ArchiveWorld,
  archiveWorld,
  GLOBEX,
  newRing,
  ringKeys,
  rowsOf,
  saying,
  writeArchive,
} from "./world.ts"

let world: ArchiveWorld
let small: Victim
beforeAll(async () => {
  world = await archiveWorld()
  small = await victim(world, 1, 40)
})
afterAll(() => world.stop())

const total = (counts: Readonly<Record<string, number>>) =>
  Object.values(counts).reduce((sum, one) => sum + one, 0)

describe("an archive that was damaged is refused", () => {
  test("wherever a file of it is cut off", async () => {
    const refused = await cutEverywhere(world, small, 1024)
    expect(total(refused)).toBeGreaterThan(40)
  })

  test("whichever bit of it was turned round", async () => {
    expect(total(await flipBits(world, small, 2, 400))).toBe(400)
  })

  test("by what is wrong and where", async () => {
    const part = small.files.find(({ name }) => name.includes("/parts/"))!
    const told = async (name: string, bytes: Uint8Array | null) => {
      const { code, message } = await refusal(world, small.backupId, name, bytes)
      return `${code}: ${message}`
    }
    const id = part.name.split("/").at(-1)!
    const where = String.raw`ARCHIVE_DAMAGED: Part \d+ of \d+ of table "[a-z_]+" \(${id}\)`
    expect(await told(part.name, null)).toMatch(new RegExp(`${where} is not in the store`))
    expect(await told(part.name, part.bytes.subarray(1))).toMatch(new RegExp(`${where} does not open`))
    expect(await told(part.name, new Uint8Array(3 * 1024 * 1024))).toMatch(
      new RegExp(`${where} has 3145728 bytes, as no part`),
    )
    const other = Uint8Array.from(part.bytes, (byte, at) => (at === 30 ? byte ^ 1 : byte))
    expect(await told(part.name, other)).toMatch(new RegExp(`${where} does not open: it was altered`))
    expect(await told(small.manifest.name, null)).toBe(
      `ARCHIVE_NOT_FOUND: There is no archive "${small.backupId}" of acme.`,
    )
    expect(await told(small.manifest.name, small.manifest.bytes.subarray(0, -1))).toMatch(
      /^ARCHIVE_DAMAGED: The manifest does not open: it was cut off or altered/,
    )
    expect(await told(small.manifest.name, new Uint8Array(4 * 1024 * 1024 + 1))).toMatch(
      /^ARCHIVE_TOO_LARGE: The manifest has 4194305 bytes/,
    )
    expect(await told(small.manifest.name, new Uint8Array(4 * 1024 * 1024))).toMatch(
      /^ARCHIVE_DAMAGED: .*first line/,
    )
  })
})

test("a first line that says the same in other bytes is not the one that was sealed", async () => {
  const { name, bytes } = small.manifest
  const text = Buffer.from(bytes).toString("latin1")
  for (const [from, to] of [
    ['{"format"', '{ "format"'],
    ['"by":"ring"', '"by":"r\\u0069ng"'],
    ['"by":"ring"', '"by":"ring","more":1'],
  ] as const) {
    expect(text).toContain(from)
    const changed = await refusal(world, small.backupId, name, Buffer.from(text.replace(from, to), "latin1"))
    expect(changed.message, to).toContain("The manifest does not open")
  }
})

describe("what belongs elsewhere is refused", () => {
  test("one part in the place of another, of the same archive, of another and of another tenant", async () => {
    const theirs = await victim(world, 1, 40, GLOBEX)
    const parts = (from: Victim) => from.files.filter(({ name }) => name.includes("/parts/"))
    const [mine] = parts(small)
    const later = await writeArchive(world.archives, { heads: ['{"a":1}'] })
    const other = `backups/acme/parts/${later.manifest.tables[0]!.parts[0]!.id}`
    for (const { bytes } of [...parts(small).slice(1), ...parts(theirs)])
      expect((await refusal(world, small.backupId, mine!.name, bytes)).code).toBe("ARCHIVE_DAMAGED")
    const moved = await refusal(world, small.backupId, mine!.name, await world.blobs.get(other))
    expect(moved.code).toBe("ARCHIVE_DAMAGED")
  })

  test("a manifest under another's id, and another tenant's", async () => {
    const theirs = await victim(world, 1, 10, GLOBEX)
    const later = await writeArchive(world.archives, { heads: ["{}"] })
    const laterBytes = await world.archives.sealedManifest(ACME, later.manifest.backupId)
    const swapped = await refusal(world, small.backupId, small.manifest.name, laterBytes)
    expect(swapped.message).toBe(`The manifest is that of the archive ${later.manifest.backupId}.`)
    const name = `backups/acme/archives/${theirs.backupId}`
    const foreign = await refusal(world, theirs.backupId, name, theirs.manifest.bytes)
    expect(foreign.message).toBe("The manifest is of an archive of globex, where those of acme are.")
  })

  test("under a ring that did not wrap its key, or a kind of key that is not known", async () => {
    const elsewhere = { blobs: world.blobs, keys: ringKeys(newRing()) }
    const { name, bytes } = small.manifest
    expect((await refusal(elsewhere, small.backupId, name, bytes)).code).toBe("ARCHIVE_KEY_UNKNOWN")
    const text = Buffer.from(bytes).toString("latin1")
    const unheard = Buffer.from(text.replace('"by":"ring"', '"by":"__proto__"'), "latin1")
    expect((await refusal(world, small.backupId, name, unheard)).code).toBe("ARCHIVE_KEY_UNKNOWN")
  })
})

test("a format that is yet to come is told from a damaged one", async () => {
  const { name, bytes } = small.manifest
  const as = async (format: string) => {
    const text = Buffer.from(bytes).toString("latin1").replace("hotswap-archive/1", format)
    return (await refusal(world, small.backupId, name, Buffer.from(text, "latin1"))).code
  }
  expect(await as("hotswap-archive/2")).toBe("ARCHIVE_NEWER")
  expect(await as("hotswap-archive/17")).toBe("ARCHIVE_NEWER")
  expect(await as("hotswap-archive/0")).toBe("ARCHIVE_DAMAGED")
  expect(await as("hotswap-backup/1")).toBe("ARCHIVE_DAMAGED")
})

describe("an id that leads elsewhere", () => {
  const PATHS = [
    "",
    "..",
    "../../keys/master.key",
    "%2e%2e",
    "a/b",
    "A".repeat(64),
    "\0",
    `${"0".repeat(63)}/`,
  ]

  test("names no archive and no part", async () => {
    for (const path of PATHS) {
      await expect(world.archives.open(ACME, path)).rejects.toMatchObject({ code: "ARCHIVE_NOT_FOUND" })
      expect(await world.archives.sealedManifest(ACME, path)).toBeNull()
      expect(await world.archives.sealedPart(ACME, path)).toBeNull()
      await expect(world.archives.putPart(ACME, path, new Uint8Array(40))).rejects.toThrow(
        "not the id of a part",
      )
      await expect(world.archives.open(`acme/${path}` as ScopeId, small.backupId)).rejects.toThrow("no home")
    }
  })

  test("is refused in a manifest, sealed as it may be", async () => {
    for (const id of PATHS) {
      const part = { id, sha256: "0".repeat(64), plainBytes: 3, packedBytes: 40 }
      const made = sealed(manifestWith([{ name: "heads", rows: 1, sha256: "0".repeat(64), parts: [part] }]))
      await expect(made, id).rejects.toThrow("/tables/0/parts/0/id is not what it should be")
    }
    for (const name of ["../heads", "heads; drop table", "Heads", ""])
      await expect(
        sealed(manifestWith([{ name, rows: 0, sha256: "0".repeat(64), parts: [] }])),
        name,
      ).rejects.toThrow("/tables/0/name is not what it should be")
  })
})

const manifestWith = (tables: Manifest["tables"]): Manifest => {
  const { at, schemaVersion, environments, revisions, options, fingerprint, backupId, source } = saying(
    randomUUID(),
  )
  const says = { at, schemaVersion, environments, revisions, options, fingerprint, backupId, source }
  return { format: "hotswap-archive/1", ...says, partsKey: "0".repeat(32), tables }
}

/** Sealed by somebody who has the key and means no good. */
const sealed = async (manifest: Manifest) => {
  const { key, wrapped } = await world.keys.forWriting(ACME)
  return await sealManifest(manifest, wrapped, subKeys(key, ACME))
}

/** A part as one sealed it who has the key, whatever is in it. */
const sealedPart = async (
  packed: Uint8Array,
  says: Partial<ArchivePart>,
  plain: Uint8Array = Buffer.from("{}\n"),
) => {
  const keys = subKeys(await world.keys.keyOf(ACME), ACME)
  const id = says.id ?? partIdOf(keys, plain)
  const bytes = seal(keys.parts, packed, partPlace(ACME, id))
  const part = { sha256: hashOf(plain), plainBytes: plain.length, packedBytes: bytes.length, ...says, id }
  return { part, bytes }
}

const opened = async (
  tables: Manifest["tables"],
  parts: readonly { part: ArchivePart; bytes: Uint8Array }[],
) => {
  const manifest = manifestWith(tables)
  const bytes = await sealed(manifest)
  const stored = new Map(parts.map((one) => [`backups/acme/parts/${one.part.id}`, one.bytes]))
  stored.set(`backups/acme/archives/${manifest.backupId}`, bytes)
  const blobs = { ...world.blobs, get: async (name: string) => stored.get(name) ?? null }
  return await createArchives({ blobs, keys: world.keys }).open(ACME, manifest.backupId)
}

test("a part that was damaged and is stored anew by another packer is the part that the manifest means", async () => {
  const plain = Buffer.from('{"a":1}\n'.repeat(200))
  const before = await sealedPart(
    Buffer.concat([Uint8Array.of(1), await promisify(zstdCompress)(plain)]),
    {},
    plain,
  )
  const anew = await sealedPart(Buffer.concat([Uint8Array.of(0), plain]), {}, plain)
  expect(anew.bytes.length).not.toBe(before.bytes.length)
  const tables = [{ name: "heads", rows: 200, sha256: hashOf(plain), parts: [before.part] }]
  const archive = await opened(tables, [{ part: before.part, bytes: anew.bytes }])
  await archive.check()
  expect(await rowsOf(archive, "heads")).toHaveLength(200)
})

describe("somebody who has the key and means no good", () => {
  const table = (parts: readonly ArchivePart[], rows = 1, plain: Uint8Array = Buffer.from("{}\n")) => [
    { name: "heads", rows, sha256: hashOf(plain), parts },
  ]
  const MIB = 1024 * 1024
  const zstd = async (plain: Uint8Array) =>
    Buffer.concat([Uint8Array.of(1), await promisify(zstdCompress)(plain)])

  test("unpacks no more than a part's two megabytes, whatever it says", async () => {
    const zeros = await zstd(Buffer.alloc(64 * MIB))
    const plain = await sealedPart(zeros, { plainBytes: 2 * MIB })
    await expect(opened(table([plain.part]), [plain])).rejects.toThrow(
      "/tables/0/parts/0 unpacks to more than 256 times its bytes",
    )
    const larger = await sealedPart(zeros, { plainBytes: 64 * MIB })
    await expect(opened(table([larger.part]), [larger])).rejects.toMatchObject({ code: "ARCHIVE_TOO_LARGE" })
    // With enough beside them that the ratio it admits to is one it may have.
    const mixed = await zstd(Buffer.concat([randomBytes(16 * 1024), Buffer.alloc(64 * MIB)]))
    const bomb = await sealedPart(mixed, { plainBytes: 2 * MIB })
    const archive = await opened(table([bomb.part]), [bomb])
    const before = process.memoryUsage().arrayBuffers
    await expect(archive.check()).rejects.toThrow("does not unpack to the 2097152 bytes")
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * MIB)
  })

  test("does not have memory taken for a window that a frame declares", async () => {
    const stream = createZstdCompress({ params: { [constants.ZSTD_c_windowLog]: 27 } })
    stream.end("{}\n")
    const packed = Buffer.concat([Uint8Array.of(1), ...(await stream.toArray())])
    const wide = await sealedPart(packed, {})
    const archive = await opened(table([wide.part]), [wide])
    await expect(archive.check()).rejects.toThrow("does not unpack")
  })

  test("does not have one part unpacked over and over", async () => {
    const plain = Buffer.alloc(64 * 1024, "{}\n")
    const one = await sealedPart(Buffer.concat([Uint8Array.of(0), plain]), {}, plain)
    const parts = Array.from({ length: 20_000 }, () => one.part)
    await expect(opened(table(parts, 5), [one])).rejects.toMatchObject({ code: "ARCHIVE_TOO_LARGE" })
    const many = Array.from({ length: 32_769 }, () => one.part)
    await expect(opened(table(many, 5), [one])).rejects.toMatchObject({ code: "ARCHIVE_TOO_LARGE" })
  })

  test("does not have a row put together that is beyond the limit", async () => {
    const keys = subKeys(await world.keys.keyOf(ACME), ACME)
    const plains = Array.from({ length: 17 }, (_, nth) =>
      Buffer.alloc(2 * MIB, String.fromCharCode(97 + nth)),
    )
    const parts = await Promise.all(
      plains.map((plain) =>
        sealedPart(Buffer.concat([Uint8Array.of(0), plain]), { id: partIdOf(keys, plain) }, plain),
      ),
    )
    const archive = await opened(
      table(
        parts.map(({ part }) => part),
        1,
        Buffer.concat(plains),
      ),
      parts,
    )
    await expect(rowsOf(archive, "heads")).rejects.toThrow(
      'Row 1 of table "heads" has more than 33554432 bytes',
    )
  })

  test("says nothing of rows, sums and names that is not so", async () => {
    const plain = Buffer.from('{"a":1}\n{"b":2}\n')
    const part = (says: Partial<ArchivePart> = {}, bytes: Uint8Array = plain) =>
      sealedPart(Buffer.concat([Uint8Array.of(0), bytes]), says, bytes)
    const well = await part()
    await (await opened(table([well.part], 2, plain), [well])).check()
    const refused = async (tables: Manifest["tables"], parts: { part: ArchivePart; bytes: Uint8Array }[]) =>
      await opened(tables, parts)
        .then((archive) => archive.check())
        .then(
          () => "taken",
          ({ message }: Error) => message,
        )
    expect(await refused(table([well.part], 3, plain), [well])).toContain(
      "has 2 rows where the manifest says 3",
    )
    expect(await refused(table([well.part], 100, plain), [well])).toContain(
      "cannot have 100 rows in 16 bytes",
    )
    expect(await refused(table([well.part], 2), [well])).toContain('Table "heads" has other bytes')
    const otherSum = await part({ sha256: "0".repeat(64) })
    expect(await refused(table([otherSum.part], 2, plain), [otherSum])).toContain("the manifest's SHA-256")
    const otherName = await part({ id: "a".repeat(64) })
    expect(await refused(table([otherName.part], 2, plain), [otherName])).toContain("those it is named after")
    const longer = await part({ plainBytes: plain.length + 1 })
    expect(await refused(table([longer.part], 2, plain), [longer])).toContain("unpacks to 16 bytes where")
    const unpackable = await sealedPart(Uint8Array.of(7, 1, 2), {}, plain)
    expect(await refused(table([unpackable.part], 2, plain), [unpackable])).toContain("does not unpack")
    const endless = Buffer.from('{"a":1}\n{"b":2}')
    const open = await part({}, endless)
    expect(await refused(table([open.part], 1, endless), [open])).toContain("has no end")
    const latin = Buffer.from('{"a":"\xe4"}\n', "latin1")
    const wrong = await part({}, latin)
    expect(await refused(table([wrong.part], 1, latin), [wrong])).toContain("is not a line of UTF-8")
    expect(
      await refused([...table([well.part], 2, plain), ...table([well.part], 2, plain)], [well]),
    ).toContain("twice")
  })
})

describe("what is taken in from elsewhere", () => {
  test("is whole before its manifest is written, and never in the place of another", async () => {
    const other = await archiveWorld()
    try {
      const keys = { forWriting: other.keys.forWriting, opened: world.keys.opened }
      const inbox = createArchives({ blobs: other.blobs, keys })
      const sealedManifest = small.manifest.bytes
      await expect(inbox.accept(PLATFORM, sealedManifest)).rejects.toThrow("is not in the store")
      const { manifest, openPart } = await inbox.openManifest(sealedManifest)
      for (const part of manifest.tables.flatMap(({ parts }) => parts)) {
        const bytes = (await world.archives.sealedPart(ACME, part.id))!
        await expect(openPart(part, bytes.subarray(2))).rejects.toMatchObject({ code: "ARCHIVE_DAMAGED" })
        await openPart(part, bytes)
        await inbox.putPart(PLATFORM, part.id, bytes)
      }
      expect(await inbox.list(PLATFORM)).toEqual([])
      await expect(inbox.accept(GLOBEX, sealedManifest)).rejects.toMatchObject({ code: "ARCHIVE_DAMAGED" })
      await inbox.accept(PLATFORM, sealedManifest)
      await inbox.accept(PLATFORM, sealedManifest)
      const taken = await inbox.open(PLATFORM, manifest.backupId)
      expect(taken.manifest.source).toBe(ACME)
      await taken.check()
      // The same id sealed once more is another archive.
      const { key } = await world.keys.forWriting(ACME)
      const again = await sealManifest(manifest, taken.header.key, subKeys(key, ACME))
      await expect(inbox.accept(PLATFORM, again)).rejects.toMatchObject({ code: "ARCHIVE_EXISTS" })
    } finally {
      await other.stop()
    }
  })
})

test("each of a scope's keys does one thing, and for that scope alone", async () => {
  const { key, wrapped } = await world.keys.forWriting(ACME)
  const [keys, theirs] = [subKeys(key, ACME), subKeys(key, GLOBEX)]
  const derived = [keys, theirs].flatMap((one) => Object.values(one))
  expect(new Set(derived.map((one) => Buffer.from(one).toString("hex"))).size).toBe(10)
  const manifest = manifestWith([])
  for (const manifests of [keys.parts, keys.names, theirs.manifests]) {
    const bytes = await sealManifest(manifest, wrapped, { ...keys, manifests })
    await expect(world.archives.openManifest(bytes)).rejects.toMatchObject({ code: "ARCHIVE_DAMAGED" })
  }
  await world.archives.openManifest(await sealManifest(manifest, wrapped, keys))
})
