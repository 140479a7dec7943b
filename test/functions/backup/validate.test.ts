import { generateKeyPairSync, randomBytes } from "node:crypto"
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { JSONWebKeySet } from "jose"
import { afterEach, beforeEach, expect, test } from "vitest"
import type { ScopeId } from "../../../core/ids.ts"
import { type Job, SCHEDULE_OWNER } from "../../../core/job/job.ts"
import { type BackupRow, findBackup } from "../../../db/queries/backups.ts"
import { checkCopies } from "../../../functions/backup/copies.ts"
import { locationsOf } from "../../../functions/backup/locations.ts"
import { validateWork } from "../../../functions/backup/validate.ts"
import type { WorkContext } from "../../../functions/backup/work.ts"
import { type Archives, createArchives } from "../../../functions/platform/archive/archives.ts"
import { composeArchives } from "../../../functions/platform/archive/compose-archives.ts"
import { archiveName } from "../../../functions/platform/archive/names.ts"
import { severalLocations } from "../../../functions/platform/blob-locations.ts"
import { keysFor } from "../../../functions/platform/deployment-keys.ts"
import { systemIds } from "../../../functions/platform/ids.ts"
import { archiveKeys } from "../../../functions/platform/keys/archive-keys.ts"
import { createWorld, type World } from "../manage/world.ts"
import { type ArchiveWorld, archiveWorld } from "./archive-world.ts"

const SCOPE = "acme" as ScopeId

let world: World
let archiving: ArchiveWorld
beforeEach(async () => {
  world = await createWorld()
  archiving = archiveWorld(world, { ...world.platform, keyRing: world.platform.keyRing!, places: 2 })
  await world.tenant("acme")
})
afterEach(async () => {
  await archiving.close()
  await world.close()
})

const backUp = async (): Promise<BackupRow> => {
  const made = await archiving.backUp("acme")
  if (made === "later") throw new Error("parts are being removed")
  return made
}

const validate = async ({ backupId }: BackupRow, archives: Archives = archiving.archives) =>
  await validateWork({ ...archiving, archives })({
    job: {
      scope: SCOPE,
      jobId: systemIds.uuid(),
      params: { backupId },
      createdBy: SCHEDULE_OWNER,
    } as unknown as Job,
    progress: async () => {},
    checkpoint: async () => {},
    hold: async () => {},
    signal: new AbortController().signal,
  } satisfies WorkContext)

const partsIn = async (place: number): Promise<string[]> => {
  const folder = join(archiving.folders[place]!, "backups", SCOPE, "parts")
  return (await readdir(folder)).sort().map((name) => join(folder, name))
}

const flip = async (path: string) => {
  const bytes = await readFile(path)
  bytes[bytes.length >> 1]! ^= 1
  await writeFile(path, bytes)
}

test("a backup that is whole everywhere is said to be verified", async () => {
  const made = await backUp()
  expect(made.verifiedAt).toBeNull()
  expect(await validate(made)).toMatchObject({ kind: "done", result: { isWhole: true, mended: 0 } })
  const row = await findBackup(world.app, SCOPE, made.backupId)
  expect(row!.verifiedAt).not.toBeNull()
  expect(row!.locations).toMatchObject([
    { name: "primary", ok: true },
    { name: "copy", ok: true },
  ])
})

test("copies that are damaged or missing at one location are put right from the other", async () => {
  const made = await backUp()
  const [primary, copy] = [await partsIn(0), await partsIn(1)]
  const good = await readFile(copy[0]!)
  await flip(primary[0]!)
  await rm(copy[1]!)
  expect(await validate(made)).toMatchObject({ result: { isWhole: true, mended: 2 } })
  expect((await readFile(primary[0]!)).equals(good)).toBe(true)
  expect(await partsIn(1)).toEqual(copy)
})

test("a manifest that somebody put in the place of the one that was listed is put right, and not passed on", async () => {
  const made = await backUp()
  const [primary] = archiving.blobs.locations
  const name = archiveName("backups", SCOPE, made.backupId)
  const { bytes: good, manifest } = await archiving.archives.open(SCOPE, made.backupId)
  const { privateKey } = generateKeyPairSync("x25519")
  const handOverKey = { keys: [{ ...privateKey.export({ format: "jwk" }), kid: "1" }] } as JSONWebKeySet
  await primary!.store.remove(name)
  const { format: _, ...about } = manifest
  await createArchives({
    blobs: primary!.store,
    keys: keysFor(randomBytes(32), String(handOverKey.keys[0]!.x)),
  }).write({ ...about, tables: [] })
  const { keyRing, clock } = world.platform
  const archives = composeArchives({
    blobs: archiving.blobs,
    db: world.app,
    keyRing,
    clock,
    settings: { handOverKey },
  })
  expect((await archives.open(SCOPE, made.backupId)).manifest.tables).toEqual([])
  await validate(made, archives)
  for (const { store } of archiving.blobs.locations) expect(await store.get(name)).toEqual(Buffer.from(good))
})

test("one that no location has whole fails, and says where", async () => {
  const made = await backUp()
  for (const place of [0, 1]) await flip((await partsIn(place))[2]!)
  await expect(validate(made)).rejects.toMatchObject({ code: "ARCHIVE_DAMAGED" })
  const row = await findBackup(world.app, SCOPE, made.backupId)
  expect(row).toMatchObject({ verifiedAt: null, locations: [{ ok: false }, { ok: false }] })
  // The next one does not build on it.
  const next = await backUp()
  expect(await validate(next)).toMatchObject({ result: { isWhole: true } })
})

test("a location that does not answer keeps no tenant without a backup, and is told of until it is mended", async () => {
  const [, copy] = archiving.folders
  await rename(copy!, `${copy}-away`)
  await writeFile(copy!, "a file is no folder")
  const made = await backUp()
  expect(made.locations).toMatchObject([
    { name: "primary", ok: true },
    { name: "copy", ok: false },
  ])
  await rm(copy!)
  await mkdir(copy!)
  expect(await validate(made)).toMatchObject({ result: { isWhole: true } })
  const row = await findBackup(world.app, SCOPE, made.backupId)
  expect(row!.locations).toMatchObject([{ ok: true }, { ok: true }])
  expect((await partsIn(1)).length).toBe((await partsIn(0)).length)
})

test("what is wrong with a location is told without where it is: tenants read it", async () => {
  const made = await backUp()
  const { manifest } = await archiving.archives.open(SCOPE, made.backupId)
  const away = () =>
    Promise.reject(Object.assign(new Error("connect 10.0.0.7:9000"), { code: "ECONNREFUSED" }))
  const [primary, copy] = archiving.blobs.locations
  const blobs = severalLocations([primary!, { ...copy!, store: { ...copy!.store, list: away, get: away } }])
  const found = await locationsOf({ ...archiving, blobs }, SCOPE, manifest)
  expect(found[1]).toMatchObject({ ok: false, problem: "It could not be looked at (ECONNREFUSED)." })
  const { problems } = await checkCopies({ ...archiving, blobs }, SCOPE, made, {
    progress: async () => {},
    signal: new AbortController().signal,
  })
  expect(problems.get("copy")).toMatch(/ is unreachable$/)
})

test("while a location does not answer nobody says which parts no archive names", async () => {
  await backUp()
  const [primary, copy] = archiving.blobs.locations
  const away = { ...primary!, store: { ...primary!.store, list: () => Promise.reject(new Error("away")) } }
  const { keyRing, clock } = world.platform
  const archives = createArchives({
    blobs: severalLocations([away, copy!]),
    keys: archiveKeys({ db: world.app, keyRing: keyRing!, clock }),
  })
  await expect(archives.partsNamed(SCOPE)).rejects.toThrow("away")
})
