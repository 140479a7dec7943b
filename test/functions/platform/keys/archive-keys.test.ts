import { randomUUID } from "node:crypto"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { ScopeId, TenantId } from "../../../../core/ids.ts"
import { listDataKeys } from "../../../../db/queries/secrets.ts"
import { createArchives } from "../../../../functions/platform/archive/archives.ts"
import { archiveKeys } from "../../../../functions/platform/keys/archive-keys.ts"
import { rotateKeys } from "../../../../functions/platform/keys/rotate.ts"
import { KEY_KEPT_MS } from "../../../../functions/platform/keys/vault.ts"
import { shredKeys } from "../../../../functions/platform/shred.ts"
import { makeTenant } from "../../../db/fixtures.ts"
import { type OpenTestDatabase, openTestDatabase } from "../../../support/database.ts"
import { testKeys } from "../../../support/keys.ts"
import { type ArchiveWorld, archiveWorld, saying, sources } from "../archive/world.ts"
import { handClock } from "../fakes.ts"

const clock = handClock()
let database: OpenTestDatabase
let keyRing: ReturnType<typeof testKeys>["keyRing"]
let world: ArchiveWorld
beforeAll(async () => {
  database = await openTestDatabase()
  keyRing = testKeys({ db: database.app, clock }).keyRing
  world = await archiveWorld()
  for (const tenant of ["racing", "rotated", "doomed", "lost"])
    await makeTenant(database.app, tenant as TenantId, "Free")
})
afterAll(async () => {
  await world.stop()
  await database.close()
})

const scopeOf = (name: string) => name as ScopeId
/** As a process that has just begun. */
const fresh = () => {
  const keys = archiveKeys({ db: database.app, keyRing, clock })
  return { keys, archives: createArchives({ blobs: world.blobs, keys }) }
}
const write = (archives: ReturnType<typeof fresh>["archives"], scope: ScopeId, more = {}) =>
  archives.write({ ...saying(randomUUID(), scope), tables: sources({ heads: ['{"a":1}'] }), ...more })

describe("the key of a scope's archives", () => {
  test("is one data key, made once by whoever comes first", async () => {
    const scope = scopeOf("racing")
    const all = await Promise.all(Array.from({ length: 8 }, () => fresh().keys.forWriting(scope)))
    expect(new Set(all.map(({ key }) => Buffer.from(key).toString("hex"))).size).toBe(1)
    expect(await listDataKeys(database.app, scope)).toMatchObject([{ realm: "~backups", generation: 1 }])
    const { key, wrapped } = all[0]!
    expect(Buffer.from(wrapped.wrapped as string, "base64").includes(Buffer.from(key.subarray(0, 8)))).toBe(
      false,
    )
  })

  test("opens with nothing but the ring", async () => {
    const scope = scopeOf("racing")
    const { manifest } = await write(fresh().archives, scope)
    const keys = archiveKeys({ db: undefined as never, keyRing, clock })
    await (await createArchives({ blobs: world.blobs, keys }).open(scope, manifest.backupId)).check()
    const none = archiveKeys({ db: database.app, keyRing: undefined, clock })
    const without = createArchives({ blobs: world.blobs, keys: none })
    await expect(without.open(scope, manifest.backupId)).rejects.toMatchObject({ code: "SECRET_UNSUPPORTED" })
  })

  test("rotated is another one for what is written from then on, and what was written before still opens", async () => {
    const scope = scopeOf("rotated")
    const { archives } = fresh()
    const { manifest } = await write(archives, scope)
    expect(await archives.canBuildOn(manifest)).toBe(true)
    const audit = () => ({ action: "secret.rotate", actor: { subject: "ann", tokenId: "t" }, target: scope })
    await rotateKeys({ db: database.app, keyRing }, scope, audit, () => undefined)
    expect(await archives.canBuildOn(manifest)).toBe(false)
    await expect(write(archives, scope, { previous: manifest })).rejects.toThrow("were rotated")
    const after = await write(archives, scope)
    expect(await archives.canBuildOn(after.manifest)).toBe(true)
    expect(after.manifest.tables[0]!.parts[0]!.id).not.toBe(manifest.tables[0]!.parts[0]!.id)
    for (const { backupId } of [manifest, after.manifest])
      await (await archives.open(scope, backupId)).check()
  })

  test("destroyed opens no archive there ever was, nor seals another", async () => {
    const scope = scopeOf("doomed")
    const before = fresh()
    const { manifest } = await write(before.archives, scope)
    await shredKeys({ db: database.app, keyRing }, scope)
    const shredded = { code: "SECRET_SHREDDED" }
    await expect(fresh().archives.open(scope, manifest.backupId)).rejects.toMatchObject(shredded)
    await expect(write(fresh().archives, scope)).rejects.toMatchObject(shredded)
    await expect(write(before.archives, scope)).rejects.toMatchObject(shredded)
    clock.advance(KEY_KEPT_MS)
    await expect(before.archives.open(scope, manifest.backupId)).rejects.toMatchObject(shredded)
  })

  test("that another deployment wrapped is opened by whoever can, and refused by everybody else", async () => {
    const scope = scopeOf("lost")
    const { key } = await fresh().keys.forWriting(scope)
    const handed = { by: "hand_over", jwe: "…" }
    const away = { forWriting: async () => ({ key, wrapped: handed }), opened: async () => ({ key }) }
    const { manifest } = await write(createArchives({ blobs: world.blobs, keys: away }), scope)
    await expect(fresh().archives.open(scope, manifest.backupId)).rejects.toMatchObject({
      code: "ARCHIVE_KEY_UNKNOWN",
    })
    const unwrap = keyRing.unwrap
    const others = { hand_over: async () => ({ key, unwrap }) }
    const keys = archiveKeys({ db: database.app, keyRing, clock, others })
    const archive = await createArchives({ blobs: world.blobs, keys }).open(scope, manifest.backupId)
    await archive.check()
    expect(archive).toMatchObject({ unwrap, header: { key: handed } })
  })

  test("written in any other way than the ring does is refused before the ring is asked", async () => {
    const scope = scopeOf("racing")
    const { wrapped } = await fresh().keys.forWriting(scope)
    const changed = (change: Record<string, unknown>) => ({ ...wrapped, ...change }) as typeof wrapped
    const unknown = { code: "ARCHIVE_KEY_UNKNOWN" }
    const unwrap = () => Promise.reject(new Error("the ring was asked"))
    const unasked = archiveKeys({ db: database.app, keyRing: { ...keyRing, unwrap }, clock })
    for (const change of [
      { generation: 0.5 },
      { generation: "1" },
      { wrapped: "%%%" },
      { wrapped: 7 },
      { wrapped: "A".repeat(20_000) },
      { wrappedBy: null },
    ])
      await expect(unasked.opened(scope, changed(change)), Object.keys(change)[0]).rejects.toMatchObject(
        unknown,
      )
    for (const change of [{ generation: 2 }, { wrappedBy: "file:../../x:1" }, { wrapped: "AAAA" }])
      await expect(fresh().keys.opened(scope, changed(change))).rejects.toMatchObject(unknown)
    await expect(fresh().keys.opened(scopeOf("lost"), wrapped)).rejects.toMatchObject(unknown)
  })
})
