import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { SCHEMA_VERSION } from "../../../core/backup/rows.ts"
import type { TenantId } from "../../../core/ids.ts"
import { archivedSchemas, readFixture, writeFixture } from "./archive-fixture.ts"
import {
  bareTenant,
  linesOf,
  type NewTenantWorld,
  newTenantWorld,
  populate,
  SOURCE,
} from "./new-tenant-world.ts"

let scene: NewTenantWorld
beforeAll(async () => {
  scene = await newTenantWorld()
})
afterAll(() => scene.close())

/** Of a later row what an earlier one said. */
const asFarAs = (later: string, earlier: string): unknown => {
  const names = Object.keys(JSON.parse(earlier))
  return Object.fromEntries(Object.entries(JSON.parse(later)).filter(([name]) => names.includes(name)))
}

test.each(archivedSchemas())(
  "an archive that was made under schema version %s is restored, under its id and under another",
  async (version) => {
    const { backupId, blobs, keyRing } = await readFixture(version)
    const there = await scene.elsewhere(keyRing, blobs)
    const archive = await there.archives.open(SOURCE, backupId)
    expect(archive.manifest.schemaVersion).toBe(Number(version))
    expect(await there.restore({ backupId, target: SOURCE })).toMatchObject({ verbatim: true })
    const copied = await there.restore({ backupId, target: "copy-of-it" as TenantId })
    expect(copied).toMatchObject({ rows: { secret_values: 2, config_versions: 11 } })
    const earlier = await linesOf(archive)
    const later = await linesOf(await there.archive(SOURCE))
    for (const [table, lines] of Object.entries(earlier)) {
      expect(
        later[table]!.map((line, nth) => asFarAs(line, lines[nth]!)),
        table,
      ).toEqual(lines.map((line) => JSON.parse(line)))
    }
  },
)

test("there is an archive of every schema version that had archives", () => {
  const versions = Array.from({ length: SCHEMA_VERSION - 13 }, (_, nth) => String(nth + 14))
  expect(archivedSchemas()).toEqual(versions)
})

// `HOTSWAP_ARCHIVE_FIXTURE=yes npx vitest run --project behaviour test/functions/backup/earlier-archives.test.ts`, once, when the
// schema has a new version: what is kept of earlier ones stays as it is.
test.runIf(process.env.HOTSWAP_ARCHIVE_FIXTURE === "yes")(
  "writes the archive of this version down",
  async () => {
    const { world, here } = scene
    await bareTenant(world, SOURCE)
    await populate(world, SOURCE, 3)
    const { backupId } = (await here.archive(SOURCE)).manifest
    const { keyDirectory } = world.platform as unknown as { keyDirectory: string }
    await writeFixture(SCHEMA_VERSION, {
      backupId,
      keys: keyDirectory,
      blobs: join(world.folder, "archives"),
    })
  },
)
