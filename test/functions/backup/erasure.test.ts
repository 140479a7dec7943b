import { afterAll, beforeAll, expect, test } from "vitest"
import { PLATFORM, type ScopeId } from "../../../core/ids.ts"
import { createArchives } from "../../../functions/platform/archive/archives.ts"
import { archiveName, partName } from "../../../functions/platform/archive/names.ts"
import { type BlobStore, blobNames } from "../../../functions/platform/blob-store.ts"
import { type ErasingDeps, eraseDue } from "../../../functions/platform/erasing.ts"
import { systemIds } from "../../../functions/platform/ids.ts"
import { archiveKeys } from "../../../functions/platform/keys/archive-keys.ts"
import { shredKeys } from "../../../functions/platform/shred.ts"
import { stagedName } from "../../../functions/platform/staged-imports.ts"
import { must } from "../manage/world.ts"
import { type ScheduleWorld, scheduleWorld } from "./schedule-world.ts"

let world: ScheduleWorld
beforeAll(async () => {
  world = await scheduleWorld()
})
afterAll(() => world.close())

const deps = (backups: BlobStore = world.archiving.blobs): ErasingDeps => ({
  system: world.system,
  db: world.app,
  cache: { forget: async () => 0 } as never,
  backups,
  clock: world.platform.clock,
  log: world.platform.log,
  signer: undefined,
  shred: async (tenantId) => ({ ...(await shredKeys({ ...world.platform, db: world.app }, tenantId)) }),
})

const names = async (folder: string): Promise<string[]> => {
  const found: string[] = []
  for await (const name of blobNames(world.archiving.blobs, folder)) found.push(name)
  return found
}

/** Deleted, with its time of grace over. */
const deleted = async (tenantId: string): Promise<void> => {
  await must(world.call("DELETE", `/api/v1/tenants/${tenantId}`), 200)
  await world.owner`update hotswap.erasures set due_at = now() where tenant_id = ${tenantId}`
}

const withArchives = async (tenantId: string): Promise<void> => {
  await world.newTenant(tenantId)
  for (const value of [1, 2]) {
    await world.put(tenantId, "key", value)
    await world.backUp(tenantId)
  }
}

const erasure = async (tenantId: string) =>
  (
    await must(
      world.call<{ state: string; outside: Record<string, number> }>(
        "GET",
        `/api/v1/tenants/${tenantId}/erasure`,
      ),
      200,
    )
  ).body

test("a tenant's archives go with it, at every location, and the certificate says how many; its neighbour's stay", async () => {
  await withArchives("gone")
  await withArchives("gone-2")
  const [own, neighbours] = [await names("backups/gone"), await names("backups/gone-2")]
  await deleted("gone")
  await eraseDue(deps())
  expect(await names("backups/gone")).toEqual([])
  expect(await names("backups/gone-2")).toEqual(neighbours)
  expect(await erasure("gone")).toMatchObject({
    state: "erased",
    outside: { archives: 2, archiveBlobs: own.length },
  })
  for (const { id } of await world.backups("gone-2"))
    await (await world.archiving.archives.open("gone-2" as ScopeId, id)).check()
})

test("archives of it that came from elsewhere and are the platform's go too", async () => {
  await withArchives("foreign")
  const { blobs } = world.archiving
  const backupId = systemIds.uuid()
  await world.owner`insert into hotswap.backups (tenant_id, backup_id, source, origin, state, created_by)
    values ('~platform', ${backupId}, 'foreign', 'imported', 'complete', 'x')`
  await blobs.putOnce(archiveName("backups", PLATFORM, backupId), new Uint8Array(1))
  await blobs.putOnce(partName("backups", PLATFORM, "0".repeat(64)), new Uint8Array(1))
  await deleted("foreign")
  await eraseDue(deps())
  expect(await erasure("foreign")).toMatchObject({ state: "erased", outside: { archives: 3 } })
  expect(await names("backups/~platform/archives")).toEqual([])
  const [row] = await world.owner`select state from hotswap.backups where backup_id = ${backupId}`
  expect(row).toMatchObject({ state: "removed" })
})

test("manifests that wait for the rest of an archive of it go too: nobody comes back for them", async () => {
  await withArchives("coming")
  const { blobs } = world.archiving
  const [own, foreign] = [systemIds.uuid(), systemIds.uuid()]
  await world.owner`insert into hotswap.backups (tenant_id, backup_id, source, origin, state, created_by)
    values ('~platform', ${foreign}, 'coming', 'imported', 'writing', 'x')`
  for (const name of [stagedName("coming" as ScopeId, own), stagedName(PLATFORM, foreign)])
    await blobs.putOnce(name, new Uint8Array(1))
  await deleted("coming")
  await eraseDue(deps())
  expect(await names("imports")).toEqual([])
})

test("killed before or after any removal, it counts each once and leaves none", async () => {
  class Killed extends Error {}
  for (const [nth, when] of [
    [1, "before"],
    [2, "after"],
    [4, "before"],
  ] as const) {
    const tenantId = `killed-${nth}`
    await withArchives(tenantId)
    const own = await names(`backups/${tenantId}`)
    await deleted(tenantId)
    const { blobs } = world.archiving
    let removals = 0
    const dying: BlobStore = {
      ...blobs,
      remove: async (name) => {
        const isIt = ++removals === nth
        if (isIt && when === "before") throw new Killed()
        const removal = await blobs.remove(name)
        if (isIt) throw new Killed()
        return removal
      },
    }
    await eraseDue(deps(dying))
    expect(await erasure(tenantId)).toMatchObject({ state: "erasing" })
    await eraseDue(deps())
    expect(await names(`backups/${tenantId}`)).toEqual([])
    expect(await erasure(tenantId)).toMatchObject({
      state: "erased",
      outside: { archives: 2, archiveBlobs: own.length },
    })
  }
})

test("what is locked stays and is told of, and opens for nobody, as its key is destroyed", async () => {
  await withArchives("held-back")
  const [{ id }] = (await world.backups("held-back")) as unknown as [{ id: string }]
  await deleted("held-back")
  const { blobs } = world.archiving
  await eraseDue(deps({ ...blobs, remove: async () => "kept" }))
  const { state, outside } = await erasure("held-back")
  expect([state, outside.archiveBlobsLocked]).toEqual(["erased", outside.archiveBlobs])
  // Whoever opened it a moment ago forgets the key within minutes.
  const keys = archiveKeys({ db: world.app, keyRing: world.platform.keyRing, clock: world.platform.clock })
  const archives = createArchives({ blobs, keys })
  await expect(archives.open("held-back" as ScopeId, id)).rejects.toMatchObject({
    code: expect.stringMatching(/^(SECRET_SHREDDED|ARCHIVE_KEY_UNKNOWN)$/),
  })
})
