import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { ARCHIVED } from "../../../core/backup/tables.ts"
import { PLATFORM, type ScopeId } from "../../../core/ids.ts"
import { SCHEDULE_OWNER } from "../../../core/job/job.ts"
import type { Database } from "../../../db/client.ts"
import { withSnapshot } from "../../../db/queries/backup-snapshot.ts"
import { type BackupRow, findBackup } from "../../../db/queries/backups.ts"
import { createArchive } from "../../../functions/backup/create.ts"
import { systemIds } from "../../../functions/platform/ids.ts"
import { fill, sentinelOf } from "../../isolation/filling.ts"
import { createWorld, must, type World } from "../manage/world.ts"
import { localMessenger } from "../notify/world.ts"
import { type ArchiveWorld, archiveWorld, UNDISTURBED } from "./archive-world.ts"

let world: World
let archiving: ArchiveWorld
beforeAll(async () => {
  world = await createWorld({ messenger: { ...localMessenger(), checkUrl: async () => {} } })
  archiving = archiveWorld(world, world.platform as never)
})
afterAll(async () => {
  await archiving.close()
  await world.close()
})

const backUp = async (...args: Parameters<ArchiveWorld["backUp"]>): Promise<BackupRow> => {
  const made = await archiving.backUp(...args)
  if (made === "later") throw new Error("parts are being removed")
  return made
}

const collect = async (rows: AsyncIterable<string>): Promise<string[]> => {
  const all: string[] = []
  for await (const row of rows) all.push(row)
  return all
}

const put = (tenantId: string, name: string, value: unknown) =>
  must(
    world.call("POST", "/api/v1/configs", {
      body: { tenantId, environment: "Development", key: name, value },
    }),
    201,
  )

const written = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))

describe("a backup", () => {
  test("holds every row of every table as it is, and is told of", async () => {
    await fill(world, "whole")
    const made = await backUp("whole")
    const archive = await archiving.archives.open("whole" as ScopeId, made.backupId)
    await archive.check()
    const tables: Record<string, string[]> = {}
    for (const { name } of ARCHIVED) tables[name] = await collect(archive.rows(name))
    const here = await withSnapshot(archiving.bulk, "whole" as ScopeId, async ({ rows }) => {
      const found: Record<string, string[]> = {}
      for (const { name } of ARCHIVED) found[name] = await collect(rows(name))
      return found
    })
    // What the backup itself added to the audit came after.
    const audited = ["audit_entries", "audit_heads", "audit_people"]
    for (const { name } of ARCHIVED)
      if (!audited.includes(name)) expect([name, tables[name]]).toEqual([name, here![name]])
    expect(here!.audit_entries!.slice(0, tables.audit_entries!.length)).toEqual(tables.audit_entries)
    expect(made).toMatchObject({
      state: "complete",
      origin: "requested",
      schemaVersion: archive.manifest.schemaVersion,
    })
    expect(made.rowCounts.config_versions).toBe(tables.config_versions!.length)
    expect(made.locations).toMatchObject([{ name: "primary", ok: true }])
    const last = JSON.parse(JSON.parse(here!.audit_entries!.at(-1)!).body)
    expect(last).toMatchObject({ action: "backup.create", actor: { subject: "clock" } })
    for (const { name } of ARCHIVED.filter(({ name }) => !["audit_drops", "external_ids"].includes(name)))
      expect([name, tables[name]!.length > 0 || name]).toEqual([name, tables[name]!.length > 0 || name])
  })

  test("of an unchanged tenant reads nothing and stores nothing but its manifest", async () => {
    await fill(world, "idle")
    const first = await backUp("idle")
    const files = (await written(archiving.folders[0]!)).length
    let transactions = 0
    const db: Database = {
      ...archiving.db,
      transaction: (...given) => {
        transactions += 1
        return archiving.db.transaction(...given)
      },
    }
    // What rows are read through is not there.
    const bulk = { transaction: () => Promise.reject(new Error("rows are read")) }
    const wish = { backupId: systemIds.uuid(), jobId: systemIds.uuid(), includeEmptyTables: true }
    const second = (await createArchive(
      { ...archiving, db, bulk: bulk as unknown as Database },
      { ...wish, scope: "idle" as ScopeId, origin: "scheduled", by: SCHEDULE_OWNER },
      UNDISTURBED,
    )) as BackupRow
    expect(transactions).toBe(2)
    expect(second).toEqual(await findBackup(world.app, "idle" as ScopeId, second.backupId))
    expect(second).toMatchObject({
      fingerprint: first.fingerprint,
      rowCounts: first.rowCounts,
    })
    expect((await written(archiving.folders[0]!)).length).toBe(files + 1)
    const archive = await archiving.archives.open("idle" as ScopeId, second.backupId)
    await archive.check()
  })

  test("stores all of a tenant anew once its keys were rotated", async () => {
    await fill(world, "rotated")
    await backUp("rotated")
    await must(world.call("POST", "/api/v1/tenants/rotated/keys/rotate"), 200)
    const second = await backUp("rotated")
    expect(second.writtenBytes).toBeGreaterThanOrEqual(second.packedBytes)
    await (await archiving.archives.open("rotated" as ScopeId, second.backupId)).check()
  })

  test("stores of a tenant that has changed only what has", async () => {
    await fill(world, "busy")
    const first = await backUp("busy")
    await put("busy", "another", 1)
    const second = await backUp("busy")
    expect(second.writtenBytes).toBeGreaterThan(0)
    const [before, after] = await Promise.all(
      [first, second].map(({ backupId }) => archiving.archives.open("busy" as ScopeId, backupId)),
    )
    const same = after!.manifest.tables
      .filter(({ name, sha256 }) =>
        before!.manifest.tables.some((one) => one.name === name && one.sha256 === sha256),
      )
      .map(({ name }) => name)
    expect(same).toEqual(expect.arrayContaining(["tenants", "channels", "data_keys", "secret_values"]))
    const changed = after!.manifest.tables.map(({ name }) => name).filter((name) => !same.includes(name))
    expect(changed).toEqual(
      expect.arrayContaining([
        "heads",
        "chunks",
        "releases",
        "changes",
        "config_versions",
        "pointers",
        "audit_entries",
        "audit_heads",
      ]),
    )
    await after!.check()
  })

  test("goes on where one that was interrupted ended, under the same id", async () => {
    await fill(world, "torn")
    const backupId = systemIds.uuid()
    const stop = new AbortController()
    let parts = 0
    const interrupted = archiving.backUp(
      "torn",
      { backupId },
      {
        progress: async () => {
          parts += 1
          if (parts === 5) stop.abort(new Error("killed"))
        },
        signal: stop.signal,
      },
    )
    await expect(interrupted).rejects.toThrow("killed")
    expect(await archiving.archives.list("torn" as ScopeId)).toEqual([])
    expect(await findBackup(world.app, "torn" as ScopeId, backupId)).toMatchObject({ state: "writing" })
    const made = await backUp("torn", { backupId })
    expect(made).toMatchObject({ backupId, state: "complete" })
    expect(made.writtenBytes).toBeLessThan(made.packedBytes)
    expect(await backUp("torn", { backupId })).toEqual(made)
  })

  test("names tables without rows only where it is asked to", async () => {
    await must(world.call("POST", "/api/v1/tenants", { body: { tenantId: "bare", name: "bare" } }), 201)
    const tables = async (includeEmptyTables: boolean) => {
      const { backupId } = await backUp("bare", { includeEmptyTables })
      const { manifest } = await archiving.archives.open("bare" as ScopeId, backupId)
      return manifest.tables.map(({ name }) => name)
    }
    const few = await tables(false)
    expect(few).not.toContain("channels")
    const all = ARCHIVED.map(({ name }) => name)
    expect(await tables(true)).toEqual(all)
    expect(await tables(true)).toEqual(all)
    expect(await tables(false)).toEqual(few)
  })

  test("can be made of the platform and of a tier", async () => {
    for (const scope of [PLATFORM, "~tier.Pro"]) {
      const { backupId } = await backUp(scope)
      const archive = await archiving.archives.open(scope as ScopeId, backupId)
      expect(await collect(archive.rows("tenants"))).toEqual([expect.stringContaining(`"${scope}"`)])
    }
  })

  test("holds no byte of another tenant, and what is stored shows none of its own", async () => {
    await fill(world, "ours")
    await fill(world, "theirs")
    const { backupId } = await backUp("ours")
    const archive = await archiving.archives.open("ours" as ScopeId, backupId)
    let all = ""
    for (const { name } of archive.manifest.tables) all += (await collect(archive.rows(name))).join("\n")
    expect(all).toContain(sentinelOf("ours"))
    expect(all).not.toContain(sentinelOf("theirs"))
    expect(all).not.toMatch(/"tenant_id":"(?!ours")/)
    const folder = join(archiving.folders[0]!, "backups", "ours")
    for (const path of await written(folder))
      expect((await readFile(path)).includes(sentinelOf("ours"))).toBe(false)
  })

  test("of a tenant that is not there is refused, and leaves nothing", async () => {
    await expect(archiving.backUp("nobody")).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" })
  })
})
