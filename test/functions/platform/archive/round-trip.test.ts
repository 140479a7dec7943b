import { randomUUID } from "node:crypto"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { ScopeId } from "../../../../core/ids.ts"
import { createArchives } from "../../../../functions/platform/archive/archives.ts"
import { severalLocations } from "../../../../functions/platform/blob-locations.ts"
import {
  ACME,
  type ArchiveWorld,
  archiveWorld,
  newRing,
  ringKeys,
  rowsOf,
  saying,
  someRows,
  sources,
  writeArchive,
} from "./world.ts"

let world: ArchiveWorld
beforeAll(async () => {
  world = await archiveWorld()
})
afterAll(() => world.stop())

let scopes = 0
const newScope = () => `scope-${++scopes}` as ScopeId
const partsOf = ({ tables }: { tables: readonly { parts: readonly { id: string }[] }[] }) =>
  tables.flatMap(({ parts }) => parts.map(({ id }) => id))
const storedParts = async (scope: ScopeId) => {
  const ids: string[] = []
  for await (const id of world.archives.parts(scope)) ids.push(id)
  return ids.sort()
}

describe("an archive", () => {
  test("gives back every row of every table as it was, whatever is in it", async () => {
    const tables = {
      tenants: ['{"tenant_id":"acme","big":12345678901234567890.10,"twice":1,"twice":2}'],
      heads: [],
      chunks: someRows(1, 3_000, 2_000),
      releases: [
        `{"long":"${"ä家".repeat(900_000)}"}`,
        "{}",
        `{"round":"${"x".repeat(2 * 1024 * 1024 - 13)}"}`,
        `{"two":"${"y".repeat(2 * 1024 * 1024 - 10)}"}`,
        '{"\u2028":"\u0007\\u0000 \\ud800"}',
      ],
    }
    const written = await writeArchive(world.archives, tables)
    const archive = await world.archives.open(ACME, written.manifest.backupId)
    expect(archive).toMatchObject({ manifest: written.manifest, hash: written.hash })
    for (const [name, rows] of Object.entries(tables)) expect(await rowsOf(archive, name)).toEqual(rows)
    expect(await rowsOf(archive, "never_heard_of")).toEqual([])
    await archive.check()
    const [, , chunks] = written.manifest.tables
    expect(chunks).toMatchObject({ name: "chunks", rows: 3_000 })
    expect(chunks!.parts.length).toBeGreaterThan(2)
  })

  test("opens with the ring alone, for somebody who has no database", async () => {
    const { manifest } = await writeArchive(world.archives, { heads: ['{"a":1}'] })
    const line = Buffer.from((await world.archives.sealedManifest(ACME, manifest.backupId))!)
      .toString("latin1")
      .split("\n")[0]
    expect(JSON.parse(line!)).toMatchObject({
      format: "hotswap-archive/1",
      source: "acme",
      backupId: manifest.backupId,
    })
    expect(line).not.toContain("heads")
    await (await world.archives.open(ACME, manifest.backupId)).check()
  })

  test("leaves tables without rows out where it is asked to, and holds the fingerprints it is given", async () => {
    const tables = [{ ...sources({ heads: ["{}"] })[0]!, fingerprint: "ab12" }, ...sources({ chunks: [] })]
    const options = { includeEmptyTables: false }
    const { manifest } = await world.archives.write({ ...saying(randomUUID()), options, tables })
    expect(manifest.tables).toMatchObject([{ name: "heads", rows: 1, fingerprint: "ab12" }])
    const archive = await world.archives.open(ACME, manifest.backupId)
    expect(archive.manifest).toEqual(manifest)
  })

  test("is listed once its manifest is written, and not after that is removed", async () => {
    const scope = newScope()
    expect(await world.archives.list(scope)).toEqual([])
    const { manifest } = await writeArchive(world.archives, { heads: ["{}"] }, { source: scope })
    expect(await world.archives.list(scope)).toEqual([manifest.backupId])
    expect([...(await world.archives.partsNamed(scope))]).toEqual(partsOf(manifest))
    expect(await world.archives.removeManifest(scope, manifest.backupId)).toBe("removed")
    expect(await world.archives.list(scope)).toEqual([])
    await expect(world.archives.open(scope, manifest.backupId)).rejects.toMatchObject({
      code: "ARCHIVE_NOT_FOUND",
    })
    for (const part of await storedParts(scope)) await world.archives.removePart(scope, part)
    expect(await storedParts(scope)).toEqual([])
  })

  test("tells of its progress, and stops where it is when it is told to", async () => {
    const scope = newScope()
    const told: unknown[] = []
    const stop = new AbortController()
    const written = writeArchive(
      world.archives,
      { chunks: someRows(3, 4_000, 2_000) },
      { source: scope, signal: stop.signal, onPart: (done) => void (told.push(done) === 2 && stop.abort()) },
    )
    await expect(written).rejects.toThrow("aborted")
    expect(told).toHaveLength(2)
    expect(told[1]).toMatchObject({ parts: 2 })
    expect(await world.archives.list(scope)).toEqual([])
  })
})

describe("what is stored already", () => {
  test("is not stored again: the same rows write no part, one changed row the part it is in", async () => {
    const scope = newScope()
    const tables = { chunks: someRows(5, 5_000, 1_500), releases: someRows(6, 3_000, 1_500), heads: ["{}"] }
    const first = await writeArchive(world.archives, tables, { source: scope })
    const parts = await storedParts(scope)
    expect(parts.length).toBeGreaterThan(8)
    for (const previous of [first.manifest, null]) {
      const again = await writeArchive(world.archives, tables, { source: scope, previous })
      expect(again.manifest.tables).toEqual(first.manifest.tables)
      expect(await storedParts(scope)).toEqual(parts)
      expect(again.writtenBytes).toBeLessThan(8_192)
    }
    const changed = Object.fromEntries(
      Object.entries(tables).map(([name, rows]) => [name, rows.with(rows.length >> 1, '{"changed":true}')]),
    )
    const third = await writeArchive(world.archives, changed, { source: scope, previous: first.manifest })
    expect(partsOf(third.manifest).filter((id) => !parts.includes(id))).toHaveLength(3)
    expect(await storedParts(scope)).toHaveLength(parts.length + 3)
  })

  test("is taken over unread with a table that did not change", async () => {
    const scope = newScope()
    const first = await writeArchive(
      world.archives,
      { heads: ['{"a":1}'], chunks: ['{"b":1}'] },
      { source: scope },
    )
    const [heads] = first.manifest.tables
    const again = await world.archives.write({
      ...{ ...saying(randomUUID(), scope), previous: first.manifest },
      tables: [heads!, ...sources({ chunks: ['{"b":2}'] })],
    })
    const archive = await world.archives.open(scope, again.manifest.backupId)
    await archive.check()
    expect(await rowsOf(archive, "heads")).toEqual(['{"a":1}'])
    expect(await rowsOf(archive, "chunks")).toEqual(['{"b":2}'])
  })

  test("is not taken over from an archive that is not named", async () => {
    const scope = newScope()
    const first = await writeArchive(world.archives, { heads: ['{"a":1}'] }, { source: scope })
    const second = { ...saying(randomUUID(), scope), tables: first.manifest.tables }
    await expect(world.archives.write(second)).rejects.toThrow("is not from the archive that is built on")
  })

  test("and is gone meanwhile makes no archive", async () => {
    const scope = newScope()
    const first = await writeArchive(world.archives, { heads: ['{"a":1}'] }, { source: scope })
    const [part] = partsOf(first.manifest)
    await world.archives.removePart(scope, part!)
    expect(await world.archives.missingParts(scope, first.manifest)).toMatchObject([{ id: part }])
    const again = writeArchive(
      world.archives,
      { heads: ['{"a":1}'] },
      { source: scope, previous: first.manifest },
    )
    await expect(again).rejects.toThrow("are not any more")
    expect(await world.archives.list(scope)).toEqual([first.manifest.backupId])
    await writeArchive(world.archives, { heads: ['{"a":1}'] }, { source: scope })
    await (await world.archives.open(scope, first.manifest.backupId)).check()
  })

  test("and was damaged is put in order by an archive that relies on nothing", async () => {
    const scope = newScope()
    const first = await writeArchive(world.archives, { heads: ['{"a":1}'] }, { source: scope })
    const name = `backups/${scope}/parts/${partsOf(first.manifest)[0]}`
    const sealed = (await world.blobs.get(name))!
    sealed[20]! ^= 1
    await world.blobs.remove(name)
    await world.blobs.putOnce(name, sealed)
    const archive = await world.archives.open(scope, first.manifest.backupId)
    await expect(archive.check()).rejects.toMatchObject({ code: "ARCHIVE_DAMAGED" })
    await writeArchive(world.archives, { heads: ['{"a":1}'] }, { source: scope })
    await archive.check()
  })
})

describe("an attempt that did not come to its end", () => {
  test("is gone on with: what it stored stays, and another attempt after the end changes nothing", async () => {
    const scope = newScope()
    const tables = { chunks: someRows(7, 4_000, 2_000) }
    const backupId = randomUUID()
    const stop = new AbortController()
    const onPart = ({ parts }: { parts?: number }) => void (parts === 3 && stop.abort())
    const killed = writeArchive(world.archives, tables, {
      source: scope,
      backupId,
      signal: stop.signal,
      onPart,
    })
    await expect(killed).rejects.toThrow()
    const before = await storedParts(scope)
    expect(before.length).toBeGreaterThanOrEqual(3)
    const written = await writeArchive(world.archives, tables, { source: scope, backupId })
    expect(partsOf(written.manifest)).toEqual(expect.arrayContaining(before))
    const again = await writeArchive(world.archives, {}, { source: scope, backupId })
    expect(again).toEqual({ ...written, writtenBytes: 0 })
  })

  test("because the disk is full says so, and leaves no archive", async () => {
    const scope = newScope()
    let room = 3
    const full = createArchives({
      keys: world.keys,
      blobs: {
        ...world.blobs,
        putOnce: async (name, bytes) => {
          if (room-- === 0) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" })
          return await world.blobs.putOnce(name, bytes)
        },
      },
    })
    const tables = { chunks: someRows(8, 4_000, 2_000) }
    await expect(writeArchive(full, tables, { source: scope })).rejects.toThrow("no space left")
    expect(await full.list(scope)).toEqual([])
    const { manifest } = await writeArchive(world.archives, tables, { source: scope })
    await (await world.archives.open(scope, manifest.backupId)).check()
  })

  test("because it is beyond a limit is refused by what is beyond it", async () => {
    const scope = newScope()
    const long = { releases: [`"${"x".repeat(32 * 1024 * 1024)}"`] }
    await expect(writeArchive(world.archives, long, { source: scope })).rejects.toMatchObject({
      code: "ARCHIVE_TOO_LARGE",
      message: expect.stringContaining("A row of releases has 33554435 bytes"),
    })
    const bad = { source: scope, at: "yesterday" }
    await expect(writeArchive(world.archives, {}, bad)).rejects.toThrow("/at is not what it should be")
    expect(await world.archives.list(scope)).toEqual([])
  })
})

test("two scopes' parts of the same rows share neither name nor key", async () => {
  const [one, other] = [newScope(), newScope()]
  const rows = { heads: ['{"a":1}'] }
  const first = await writeArchive(world.archives, rows, { source: one })
  const second = await writeArchive(world.archives, rows, { source: other })
  expect(partsOf(first.manifest)).not.toEqual(partsOf(second.manifest))
  const elsewhere = createArchives({
    blobs: world.blobs,
    keys: ringKeys(newRing()),
  })
  await expect(elsewhere.open(one, first.manifest.backupId)).rejects.toMatchObject({
    code: "ARCHIVE_KEY_UNKNOWN",
  })
})

describe("kept at two locations", () => {
  const twoOf = async () => {
    const [first, second] = [await archiveWorld(), await archiveWorld()]
    const down = { first: false, second: false }
    const at = (name: keyof typeof down, { blobs }: ArchiveWorld) => ({
      name,
      store: {
        ...blobs,
        putOnce: async (blob: string, bytes: Uint8Array) => {
          if (down[name]) throw new Error(`${name} is down`)
          return await blobs.putOnce(blob, bytes)
        },
      },
    })
    const blobs = severalLocations([at("first", first), at("second", second)])
    const archives = createArchives({ blobs, keys: world.keys })
    return { first, second, down, archives, stop: () => Promise.all([first.stop(), second.stop()]) }
  }

  test("it is made while one of them is down, and not while both are", async () => {
    const { archives, down, stop } = await twoOf()
    const tables = { chunks: someRows(9, 2_000, 2_000) }
    down.second = true
    const { manifest, writtenBytes } = await writeArchive(archives, tables)
    await (await archives.open(ACME, manifest.backupId)).check()
    expect(writtenBytes).toBeGreaterThan(100_000)
    down.first = true
    await expect(writeArchive(archives, { heads: ["{}"] })).rejects.toThrow("is down")
    expect(await archives.list(ACME)).toEqual([manifest.backupId])
    await stop()
  })

  test("it is read from whichever has it whole, manifest and parts", async () => {
    const { archives, first, second, stop } = await twoOf()
    const { manifest } = await writeArchive(archives, { heads: ['{"a":1}'], chunks: ['{"b":2}'] })
    const damage = async ({ blobs }: ArchiveWorld, name: string) => {
      const bytes = (await blobs.get(name))!
      await blobs.remove(name)
      await blobs.putOnce(name, Uint8Array.from(bytes).fill(0, 20, 40))
    }
    const [heads, chunks] = partsOf(manifest)
    await damage(first, `backups/acme/archives/${manifest.backupId}`)
    await damage(first, `backups/acme/parts/${heads}`)
    await damage(second, `backups/acme/parts/${chunks}`)
    await (await archives.open(ACME, manifest.backupId)).check()
    await damage(second, `backups/acme/archives/${manifest.backupId}`)
    await expect(archives.open(ACME, manifest.backupId)).rejects.toMatchObject({ code: "ARCHIVE_DAMAGED" })
    await stop()
  })
})
