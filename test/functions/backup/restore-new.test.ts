import { sql } from "drizzle-orm"
import { afterAll, beforeAll, expect, test } from "vitest"
import { drillIdOf } from "../../../core/backup/drill-id.ts"
import { PLATFORM, type TenantId } from "../../../core/ids.ts"
import { BACKUPS } from "../../../core/secret/place.ts"
import { listAudit } from "../../../db/queries/audit.ts"
import { planErasure } from "../../../db/queries/erasure.ts"
import { findOrigin, isTenantHere } from "../../../db/queries/restore.ts"
import { externalIds } from "../../../db/schema/tenants.ts"
import { withTenant } from "../../../db/tenant.ts"
import type { OpenArchive } from "../../../functions/platform/archive/archives.ts"
import { systemIds } from "../../../functions/platform/ids.ts"
import { fileKeyRing } from "../../../functions/platform/keys/file-key-ring.ts"
import { makeMasterKey } from "../../../functions/platform/keys/master-key.ts"
import { keyFolder } from "../../support/keys.ts"
import { archiveOf, HOSTILE } from "./hostile-archives.ts"
import {
  bareTenant,
  linesOf,
  type NewTenantWorld,
  newTenantWorld,
  populate,
  type Side,
  SOURCE,
} from "./new-tenant-world.ts"

let scene: NewTenantWorld
let archive: OpenArchive
let lines: Record<string, string[]>
let empty: Side & { url: string }

beforeAll(async () => {
  scene = await newTenantWorld()
  await bareTenant(scene.world, SOURCE)
  await populate(scene.world, SOURCE, 20)
  archive = await scene.here.archive(SOURCE)
  lines = await linesOf(archive)
  const there = await scene.elsewhere()
  empty = { ...there, url: there.database.url("postgres") }
}, 60_000)
afterAll(() => scene.close())

const from = (given: OpenArchive) => ({ archives: { open: async () => given } })
const { backupId } = { backupId: "00000000-0000-7000-8000-00000000000a" }
const AUDIT = { action: "tenant.delete", actor: { subject: "a", tokenId: "startup" }, target: "x" }
let made = 0
const newId = () => `made-${++made}` as TenantId

test.each(HOSTILE)(
  "an archive that is whole and holds $name is refused, with where, and nothing is written",
  async ({ table, alter }) => {
    const hostile = archiveOf(archive, alter(lines))
    const restoring = empty.restore({ backupId, target: SOURCE }, from(hostile))
    await expect(restoring).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
      errors: [{ path: expect.stringMatching(new RegExp(`^${table}(/|$)`)) }],
    })
    expect(await isTenantHere(empty.db, SOURCE)).toBe(false)
  },
)

test("the same archive unaltered is taken", async () => {
  const result = await empty.restore(
    { backupId, target: SOURCE, dryRun: true },
    from(archiveOf(archive, lines)),
  )
  expect(result).toMatchObject({ verbatim: true, dryRun: true, rows: { tenants: 1 } })
})

test("an archive of a later schema is refused, and so is one of a schema that had none", async () => {
  const of = (schemaVersion: number) => from(archiveOf(archive, lines, { schemaVersion }))
  await expect(empty.restore({ backupId, target: SOURCE }, of(99))).rejects.toMatchObject({
    code: "ARCHIVE_NEWER",
  })
  await expect(empty.restore({ backupId, target: SOURCE }, of(3))).rejects.toMatchObject({
    code: "ARCHIVE_INVALID",
  })
})

test("a rehearsal tells all that would come of it, and leaves nothing: no row, no key, no word in the audit", async () => {
  const target = newId()
  const told = () => listAudit(scene.world.app, PLATFORM, { limit: 100 })
  const before = await told()
  const wraps: string[] = []
  const { keyRing } = scene.here
  const watched = {
    ...keyRing,
    wrap: (...given: Parameters<typeof keyRing.wrap>) => {
      wraps.push(given[0].scope)
      return keyRing.wrap(...given)
    },
  }
  const result = await scene.here.restore(
    { backupId: archive.manifest.backupId, target, dryRun: true },
    { keyRing: watched },
  )
  expect(result).toMatchObject({
    dryRun: true,
    rows: { secret_values: 2 },
    leftOut: { changes: 3, channels: 1 },
    findings: ["3 changes that were not over are left out."],
  })
  expect(await isTenantHere(scene.world.app, target)).toBe(false)
  expect(wraps).toEqual([])
  expect(await told()).toEqual(before)
  const real = await scene.here.restore({ backupId: archive.manifest.backupId, target })
  expect({ ...real, dryRun: true }).toEqual(result)
})

test("the same asked for again is answered the same; anything else finds the id taken", async () => {
  const target = newId()
  const { here } = scene
  const first = await here.restore({ backupId: archive.manifest.backupId, target })
  expect(await here.restore({ backupId: archive.manifest.backupId, target })).toEqual(first)
  const later = await here.archive(SOURCE)
  const taken = { code: "TENANT_EXISTS" }
  await expect(here.restore({ backupId: later.manifest.backupId, target })).rejects.toMatchObject(taken)
  await expect(
    here.restore({ backupId: archive.manifest.backupId, target, how: "clone" }),
  ).rejects.toMatchObject(taken)
  await expect(here.restore({ backupId: archive.manifest.backupId, target: SOURCE })).rejects.toMatchObject(
    taken,
  )
})

test("of two who make the same tenant at once both are answered, and it is made once", async () => {
  const target = newId()
  const wish = { backupId: archive.manifest.backupId, target }
  const both = await Promise.all([scene.here.restore(wish), scene.here.restore(wish)])
  expect(both[0]).toEqual(both[1])
  const entries = await listAudit(scene.world.app, PLATFORM, { limit: 100, target })
  expect(entries.map(({ body }) => body.action)).toEqual(["tenant.restore"])
})

test("an id that was a tenant's and was erased stays nobody's", async () => {
  const target = newId()
  await scene.here.restore({ backupId: archive.manifest.backupId, target })
  await scene.world.call("DELETE", `/api/v1/tenants/${target}`)
  const later = await scene.here.archive(SOURCE)
  await expect(scene.here.restore({ backupId: later.manifest.backupId, target })).rejects.toMatchObject({
    code: "TENANT_EXISTS",
  })
  // With nothing left of it but the word that it was.
  const there = await scene.elsewhere()
  await withTenant(there.db, SOURCE, (tx) => planErasure(tx, { by: "startup", afterDays: 7 }, AUDIT))
  await expect(there.restore({ backupId: later.manifest.backupId, target: SOURCE })).rejects.toMatchObject({
    code: "TENANT_EXISTS",
  })
})

test("a trial is nobody's tenant: it is hidden from the start, and no reader and no audit hears of it", async () => {
  const there = await scene.elsewhere()
  const target = drillIdOf(systemIds.uuid())
  await withTenant(there.db, target, (tx) => planErasure(tx, { by: "startup", afterDays: 0 }, AUDIT))
  const told = () => listAudit(there.db, PLATFORM, { limit: 100 })
  const before = await told()
  await there.restore({ backupId: archive.manifest.backupId, target, isDrill: true })
  const rows = await withTenant(there.db, target, (tx) =>
    tx.db.execute(sql`
    select (select status from hotswap.tenants) as status, (select count(*)::int from hotswap.outbox) as marks`),
  )
  expect([...rows]).toEqual([{ status: "deleted", marks: 0 }])
  expect(there.published).toEqual([])
  expect(await told()).toEqual(before)
})

test("external ids that belong to somebody by now keep a tenant from coming back whole", async () => {
  const there = await scene.elsewhere()
  const other = newId()
  await there.restore({ backupId: archive.manifest.backupId, target: other })
  const { app } = there.database
  await withTenant(app, other, (tx) =>
    tx.db.insert(externalIds).values({ tenantId: other, externalId: "guild:7001" }),
  )
  await expect(there.restore({ backupId: archive.manifest.backupId, target: SOURCE })).rejects.toMatchObject({
    code: "EXTERNAL_ID_TAKEN",
  })
  expect(await isTenantHere(app, SOURCE)).toBe(false)
})

test("a copy reads as its source does, its secrets are its own, and its audit begins with where it comes from", async () => {
  const target = newId()
  const { world, here } = scene
  await here.restore({ backupId: archive.manifest.backupId, target, name: "The second" })
  for (const environment of ["Development", "QA", "Staging", "Production"]) {
    const read = async (tenant: string) => {
      const path = `/api/v1/configs?tenantId=${tenant}&environment=${environment}&limit=100`
      const { body } = await world.call<{ items: object[] }>("GET", path)
      expect(body.items, environment).not.toHaveLength(0)
      return JSON.parse(JSON.stringify(body).replaceAll(tenant, "-"))
    }
    expect(await read(target), environment).toEqual(await read(SOURCE))
  }
  const secret = await world.call("GET", `/api/v1/configs/${target}:Staging:pin/secret`)
  expect(secret.body).toMatchObject({ value: "battery staple" })
  const entries = await listAudit(world.app, target, { limit: 100 })
  expect(entries.at(-1)?.body).toMatchObject({ action: "tenant.restore", target })
  expect(JSON.stringify(entries)).not.toContain(SOURCE)
  const verified = await world.call("POST", "/api/v1/audit/verify", { body: { tenantId: target } })
  expect(verified.body).toMatchObject({ ok: true })
  expect(await findOrigin(world.app, target)).toMatchObject({ source: SOURCE, how: "restore" })
  expect(here.published.filter((text) => text.startsWith(`${target} `))).toHaveLength(4)
})

test("a copy goes on as any tenant does: its keys' versions, its secrets' numbers and its policies", async () => {
  const target = newId()
  const { world, here } = scene
  await here.restore({ backupId: archive.manifest.backupId, target })
  const put = (environment: string, key: string, body: object) =>
    world.call("PUT", `/api/v1/configs/${target}:${environment}:${key}`, { body })
  expect((await put("Staging", "number", { value: 9 })).body).toMatchObject({ version: 3 })
  expect((await put("Staging", "pin", { value: "another" })).status).toBeLessThan(300)
  const waits = await put("QA", "number", { value: 9 })
  expect(waits.body).toMatchObject({ state: "awaiting_approval" })
})

test("a data key that another deployment wrapped is wrapped by the one that is here, and what it sealed stays", async () => {
  const there = await scene.elsewhere()
  const folder = keyFolder()
  const foreign = fileKeyRing(folder, makeMasterKey(folder))
  const rewrapped = await Promise.all(
    lines.data_keys!.map(async (line) => {
      const row = JSON.parse(line)
      const name = { scope: SOURCE, realm: row.realm, generation: row.generation }
      const bytes = (text: string) => Buffer.from(text.slice(2), "hex")
      const key = await there.keyRing.unwrap(name, { bytes: bytes(row.wrapped), by: row.wrapped_by })
      const wrapped = await foreign.wrap(name, key)
      const hex = Buffer.from(wrapped.bytes).toString("hex")
      return JSON.stringify({ ...row, wrapped: `\\x${hex}`, wrapped_by: wrapped.by })
    }),
  )
  const handedOver = (keys: string[]) => ({
    ...archiveOf(archive, { ...lines, data_keys: keys }),
    unwrap: foreign.unwrap,
  })
  const sealingArchives = rewrapped.filter((line) => JSON.parse(line).realm === BACKUPS)
  expect(sealingArchives).toHaveLength(1)
  await expect(
    there.restore({ backupId, target: SOURCE }, from(handedOver(rewrapped))),
  ).rejects.toMatchObject({ code: "ARCHIVE_INVALID", message: expect.stringContaining("data_keys") })
  const leaving = rewrapped.filter((line) => !sealingArchives.includes(line))
  await there.restore({ backupId, target: SOURCE }, from(handedOver(leaving)))
  const again = await linesOf(await there.archive(SOURCE))
  expect({ ...again, data_keys: [] }).toEqual({ ...lines, data_keys: [] })
  // Restored once more, by another id, it opens with nothing but what is here.
  const { backupId: own } = (await there.archive(SOURCE)).manifest
  expect(await there.restore({ backupId: own, target: newId() })).toMatchObject({
    rows: { secret_values: 2 },
  })
})
