import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { SCHEDULE_OWNER } from "../../../core/job/job.ts"
import { createArchive } from "../../../functions/backup/create.ts"
import { severalLocations } from "../../../functions/platform/blob-locations.ts"
import { diskBlobStore } from "../../../functions/platform/blob-store-disk.ts"
import { systemIds } from "../../../functions/platform/ids.ts"
import { must } from "../manage/world.ts"
import { bareTenant, CONTEXT, type NewTenantWorld, newTenantWorld, SOURCE } from "./new-tenant-world.ts"

let made: NewTenantWorld
beforeAll(async () => {
  made = await newTenantWorld()
  await bareTenant(made.world, SOURCE)
})
afterAll(() => made.close())

/** A backup as a job makes it: on top of the last one, and told of in the audit. */
const backUp = async (): Promise<string> => {
  const { world, here } = made
  const blobs = severalLocations([{ name: "primary", store: diskBlobStore(join(world.folder, "archives")) }])
  const backupId = systemIds.uuid()
  const wish = { scope: SOURCE, backupId, origin: "scheduled", by: SCHEDULE_OWNER } as const
  await createArchive(
    { ...here, blobs },
    { ...wish, jobId: systemIds.uuid(), includeEmptyTables: true },
    CONTEXT,
  )
  return backupId
}

test("an archive whose audit was signed after the one it builds on comes back whole", async () => {
  const { call, sign } = made.world
  await must(call("PATCH", `/api/v1/tenants/${SOURCE}`, { body: { displayName: "another" } }), 200)
  await backUp()
  await sign()
  const backupId = await backUp()
  const lost = await made.elsewhere()
  expect(await lost.restore({ backupId, target: SOURCE })).toMatchObject({ verbatim: true })
})
