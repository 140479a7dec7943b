import { generateKeyPairSync, randomBytes, randomUUID } from "node:crypto"
import type { JSONWebKeySet } from "jose"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import type { HandOverNote } from "../../../core/backup/hand-over.ts"
import { backupIdOf, PLATFORM, type ScopeId, type TenantId, tokenIdOf } from "../../../core/ids.ts"
import type { Job, JobKind, JobOwner } from "../../../core/job/job.ts"
import type { JsonObject } from "../../../core/json.ts"
import { Secret } from "../../../core/secret/secret.ts"
import { adoptWork } from "../../../functions/backup/adopt.ts"
import { handOverWork } from "../../../functions/backup/hand-over.ts"
import { importWork } from "../../../functions/backup/import.ts"
import { removeStaleTransfers } from "../../../functions/backup/stale-transfers.ts"
import type { Work, WorkContext } from "../../../functions/backup/work.ts"
import { createArchives } from "../../../functions/platform/archive/archives.ts"
import { composeArchives } from "../../../functions/platform/archive/compose-archives.ts"
import { archiveName, partName } from "../../../functions/platform/archive/names.ts"
import { blobNames } from "../../../functions/platform/blob-store.ts"
import { checkpointSigner } from "../../../functions/platform/checkpoint-signer.ts"
import type { BackupPlatform } from "../../../functions/platform/compose-backup.ts"
import {
  handOverRoot,
  keysFor,
  openersOf,
  statementName,
} from "../../../functions/platform/deployment-keys.ts"
import { archiveKeys } from "../../../functions/platform/keys/archive-keys.ts"
import { stagedName } from "../../../functions/platform/staged-imports.ts"
import { type ScheduleWorld, scheduleWorld } from "./schedule-world.ts"

const keySet = (type: "ed25519" | "x25519"): JSONWebKeySet => {
  const { privateKey } = type === "ed25519" ? generateKeyPairSync(type) : generateKeyPairSync(type)
  return { keys: [{ ...privateKey.export({ format: "jwk" }), kid: "1" }] } as JSONWebKeySet
}
const receiving = keySet("x25519")
const TO = String(receiving.keys[0]!.x)

let world: ScheduleWorld
let platform: BackupPlatform
let nth = 0
let tenant: TenantId
beforeAll(async () => {
  world = await scheduleWorld()
  const planning = world.planning as unknown as BackupPlatform
  platform = { ...planning, signer: checkpointSigner(keySet("ed25519")) }
})
afterAll(() => world.close())
beforeEach(async () => {
  tenant = await world.newTenant(`moving-${++nth}`)
  await world.put(tenant, "greeting", "hello")
})

/** As a job keeps whoever has the start-up token. */
const OPERATOR: JobOwner = {
  subject: "platform",
  tokenId: "startup",
  roles: ["platform_admin"],
  ancestors: [],
}

/** Does a job as one attempt of a runner would; `progress` may end it as a kill does. */
const attempt = async (
  work: Work,
  job: { scope: ScopeId; kind: JobKind; params: JsonObject; checkpoint?: JsonObject; createdBy?: JobOwner },
  { progress = async () => {} }: { progress?: WorkContext["progress"] } = {},
): Promise<JsonObject> => {
  const context = {
    job: { jobId: randomUUID(), checkpoint: {}, createdBy: OPERATOR, ...job } as unknown as Job,
    progress,
    checkpoint: async () => {},
    hold: async () => {},
    signal: new AbortController().signal,
  } as unknown as WorkContext
  const outcome = await work(context)
  if (outcome.kind !== "done") throw new Error("it would go on later")
  return outcome.result
}

const handOver = (backupId: string, more: { progress?: WorkContext["progress"] } = {}) =>
  attempt(
    handOverWork(platform),
    { scope: tenant, kind: "backup.hand_over", params: { backupId, receivingKey: TO } },
    more,
  )
const adopt = (home?: string) =>
  attempt(adoptWork(platform), { scope: PLATFORM, kind: "backup.adopt", params: home ? { home } : {} })

const namesIn = async (folder: string): Promise<string[]> => {
  const names: string[] = []
  for await (const name of blobNames(platform.blobs, folder)) names.push(name)
  return names
}
/** The archive as the deployment opens it that it is for. */
const opened = (backupId: string) =>
  createArchives({
    blobs: platform.blobs,
    keys: archiveKeys({ ...platform, keyRing: undefined, others: openersOf(receiving) }),
    root: handOverRoot(tenant, backupId),
  }).open(tenant, backupId)

describe("an archive for another deployment", () => {
  test("has the tenant's rows; secrets sealed as they were, under data keys that only the other one unwraps", async () => {
    const place = { scope: tenant, realm: "Production", name: "password", version: 1 }
    const sealed = await platform.vault.seal(place, new Secret("hidden"))
    const backupId = randomUUID()
    await handOver(backupId)
    const archive = await opened(backupId)
    await archive.check()
    const realms: string[] = []
    for await (const row of archive.rows("data_keys")) {
      const {
        realm,
        generation,
        wrapped,
        wrapped_by: by,
      } = JSON.parse(row) as Record<string, string> & { generation: number }
      realms.push(realm!)
      const name = { scope: tenant, realm: realm!, generation }
      const bytes = Buffer.from(wrapped!.slice(2), "hex")
      expect((await archive.unwrap!(name, { bytes, by: by! })).length).toBe(32)
      await expect(platform.keyRing.unwrap(name, { bytes, by: by! })).rejects.toThrow()
    }
    // What seals this deployment's own archives stays here.
    expect(realms).toEqual(["Production"])
    expect(sealed.generation).toBe(1)
    const keys: string[] = []
    for await (const row of archive.rows("config_versions"))
      keys.push((JSON.parse(row) as { key: string }).key)
    expect(keys).toEqual(["greeting"])
    expect(archive.manifest.tables.map(({ name }) => name)).not.toContain("tokens")
  })

  test("does not open here, and is no part of what retention and drills look at", async () => {
    const backupId = randomUUID()
    await handOver(backupId)
    expect(await platform.archives.list(tenant)).not.toContain(backupId)
    await expect(platform.archives.open(tenant, backupId)).rejects.toMatchObject({
      code: "ARCHIVE_NOT_FOUND",
    })
  })

  test("is gone on with after a kill, and is then one archive with one statement", async () => {
    const backupId = randomUUID()
    let parts = 0
    const killed = handOver(backupId, {
      progress: async () => {
        if (++parts === 3) throw new Error("killed")
      },
    })
    await expect(killed).rejects.toThrow("killed")
    const stored = await namesIn(handOverRoot(tenant, backupId))
    expect(stored.length).toBeGreaterThan(0)
    const first = await handOver(backupId)
    const after = await namesIn(handOverRoot(tenant, backupId))
    expect(stored.filter((name) => !after.includes(name))).toEqual([])
    await (await opened(backupId)).check()
    const note = async () =>
      JSON.parse(
        Buffer.from((await platform.blobs.get(statementName(tenant, backupId)))!).toString(),
      ) as HandOverNote
    const signed = await note()
    expect(await handOver(backupId)).toEqual(first)
    expect(await note()).toEqual(signed)
    const listed = signed.parts.map(({ id }) => partName(handOverRoot(tenant, backupId), tenant, id)).sort()
    expect(after.filter((name) => name.includes("/parts/")).sort()).toEqual(listed)
  })

  test("is not made in the name of who may not have it made any more", async () => {
    const backupId = randomUUID()
    const params = { backupId, receivingKey: TO }
    for (const createdBy of [
      { ...OPERATOR, roles: ["tenant_admin"] },
      { ...OPERATOR, tokenId: tokenIdOf(PLATFORM, "0".repeat(32)) },
    ])
      await expect(
        attempt(handOverWork(platform), { scope: tenant, kind: "backup.hand_over", params, createdBy }),
      ).rejects.toMatchObject({ code: "FORBIDDEN" })
    expect(await namesIn(`hand-overs/${tenant}`)).toEqual([])
  })

  test("is told of in the tenant's audit: for whom, and which manifest", async () => {
    const backupId = randomUUID()
    await handOver(backupId)
    const told = (await world.audit(tenant)).filter(({ action }) => action === "backup.hand_over")
    expect(told).toEqual([expect.objectContaining({ detail: expect.objectContaining({ to: TO }) })])
  })
})

describe("archives that the database has lost", () => {
  test("are listed again out of the store, once, with what they hold", async () => {
    const { backupId } = await world.backUp(tenant)
    const before = await world.owner`select * from hotswap.backups where backup_id = ${backupId}`
    await world.owner`delete from hotswap.backups where tenant_id = ${tenant}`
    expect(await adopt(tenant)).toMatchObject({ adopted: 1, unopened: [] })
    expect(await adopt(tenant)).toMatchObject({ adopted: 0, known: 1 })
    const [after] = await world.owner`select * from hotswap.backups where backup_id = ${backupId}`
    const { tenant_id, source, state, origin, row_counts, manifest_hash, parts, packed_bytes } = before[0]!
    expect(after).toMatchObject({
      tenant_id,
      source,
      state,
      origin,
      row_counts,
      manifest_hash,
      parts,
      packed_bytes,
    })
  })

  test("of every tenant are found, of one that is lost with them as well", async () => {
    const { backupId } = await world.backUp(tenant)
    const other = await world.newTenant(`moving-${nth}-2`)
    const { backupId: second } = await world.backUp(other)
    // In another database nobody has heard of them.
    await world.owner`delete from hotswap.backups`
    const lost = "never-here" as TenantId
    for (const name of await namesIn(`backups/${tenant}`)) {
      const bytes = await platform.blobs.get(name)
      await platform.blobs.putOnce(name.replace(`/${tenant}/`, `/${lost}/`), bytes!)
    }
    const { adopted, unopened } = (await adopt()) as {
      adopted: number
      unopened: { code: string; backupId: string }[]
    }
    const rows = await world.owner`select tenant_id || ' ' || backup_id as name from hotswap.backups`
    expect(rows.map(({ name }) => name)).toEqual(
      expect.arrayContaining([`${tenant} ${backupId}`, `${other} ${second}`]),
    )
    expect(adopted).toBe(rows.length)
    // What says that it is another's is not taken for the folder's owner's.
    expect(unopened).toContainEqual(
      expect.objectContaining({ backupId: expect.stringMatching(/^never-here:/) }),
    )
  })

  test("are not what anybody can seal for this deployment who can write to the store", async () => {
    const { backupId: good } = await world.backUp(tenant)
    const { manifest, hash } = await platform.archives.open(tenant, good)
    const { format: _, tables: __, ...about } = manifest
    const rows = async function* () {
      yield JSON.stringify({ tenant_id: tenant })
    }
    const taking = composeArchives({ ...platform, settings: { handOverKey: receiving } })
    const forge = async (source: ScopeId, backupId: string) =>
      await createArchives({ blobs: platform.blobs, keys: keysFor(randomBytes(32), TO) }).write({
        ...about,
        source,
        backupId,
        tables: [{ name: "tenants", rows: rows() }],
      })
    await platform.blobs.remove(archiveName("backups", tenant, good))
    await forge(tenant, good)
    await expect(taking.open(tenant, good, hash)).rejects.toMatchObject({ code: "ARCHIVE_DAMAGED" })
    await world.owner`delete from hotswap.backups where tenant_id = ${tenant}`
    const own = randomUUID()
    await forge(PLATFORM, own)
    // As if it had been taken in, later than all there is: whoever looks for a tenant's latest would restore it.
    const planted = randomUUID()
    await forge(tenant, planted)
    for (const name of await namesIn(`backups/${tenant}`)) {
      const bytes = (await platform.blobs.get(name))!
      await platform.blobs.putOnce(name.replace(`/${tenant}/`, `/${PLATFORM}/`), bytes)
    }
    for (const [home, told] of [
      [tenant, good],
      [PLATFORM, own],
      [PLATFORM, planted],
    ] as const) {
      const { unopened } = await attempt(adoptWork({ ...platform, archives: taking }), {
        scope: PLATFORM,
        kind: "backup.adopt",
        params: { home },
      })
      expect(unopened).toContainEqual(
        expect.objectContaining({ backupId: backupIdOf(home, told), code: "HAND_OVER_INVALID" }),
      )
    }
    expect(await world.backups(tenant)).toEqual([])
    expect(await world.owner`select from hotswap.backups where source = ${tenant}`).toEqual([])
    for (const home of [tenant, PLATFORM])
      for (const name of await namesIn(`backups/${home}`)) await platform.blobs.remove(name)
  })

  test("are left alone where their tenant was deleted, and another process still knows its key", async () => {
    const { backupId } = await world.backUp(tenant)
    await world.owner.begin(async (sql) => {
      await sql`set local session_replication_role = replica`
      await sql`delete from hotswap.backups where tenant_id = ${tenant}`
      await sql`delete from hotswap.tenants where tenant_id = ${tenant}`
    })
    const gone = world.owner`insert into hotswap.erasures (tenant_id, requested_by, due_at)
      values (${tenant}, 'somebody', now() + interval '1 day')`
    await gone
    expect(await adopt(tenant)).toMatchObject({
      adopted: 0,
      unopened: [{ backupId: backupIdOf(tenant, backupId), code: "SECRET_SHREDDED" }],
    })
    expect(await world.owner`select from hotswap.backups where source = ${tenant}`).toEqual([])
  })

  test("are left alone where a part is missing, which is told", async () => {
    const { backupId } = await world.backUp(tenant)
    const { manifest } = await platform.archives.open(tenant, backupId)
    await world.owner`delete from hotswap.backups where tenant_id = ${tenant}`
    await platform.blobs.remove(partName("backups", tenant, manifest.tables[0]!.parts[0]!.id))
    const result = await adopt(tenant)
    expect(result).toMatchObject({ adopted: 0, unopened: [{ code: "ARCHIVE_DAMAGED" }] })
    expect(await world.backups(tenant)).toEqual([])
  })
})

describe("what is taken in", () => {
  const importing = (backupId: string, scope: ScopeId = tenant) =>
    attempt(importWork(platform), { scope, kind: "backup.import", params: { backupId } })

  /** As if the archive came back: all of it is there but what makes it one. */
  const comingBack = async (): Promise<string> => {
    const { backupId } = await world.backUp(tenant)
    const sealed = await platform.archives.sealedManifest(tenant, backupId)
    await platform.blobs.putOnce(stagedName(tenant, backupId), sealed!)
    await platform.blobs.remove(archiveName("backups", tenant, backupId))
    await world.owner`update hotswap.backups set state = 'writing', job_id = null where backup_id = ${backupId}`
    return backupId
  }
  const stateOf = async (backupId: string) =>
    (await world.owner`select state from hotswap.backups where backup_id = ${backupId}`)[0]!.state as string

  test("counts once all of it was read, and what it waited in is gone", async () => {
    const backupId = await comingBack()
    await importing(backupId)
    expect(await stateOf(backupId)).toBe("complete")
    expect(await platform.blobs.get(stagedName(tenant, backupId))).toBeNull()
    await (await platform.archives.open(tenant, backupId)).check()
    await importing(backupId)
  })

  test("does not count where a part is not there any more", async () => {
    const backupId = await comingBack()
    const sealed = (await platform.blobs.get(stagedName(tenant, backupId)))!
    const { manifest } = await platform.archives.openManifest(sealed)
    await platform.blobs.remove(partName("backups", tenant, manifest.tables[0]!.parts[0]!.id))
    await expect(importing(backupId)).rejects.toMatchObject({ code: expect.stringMatching(/^ARCHIVE_/) })
    expect([await stateOf(backupId), await platform.archives.list(tenant)]).toEqual(["writing", []])
  })

  test("is removed when nobody completes it for a day, as is what was handed over seven days ago; nothing younger is", async () => {
    const [old, young] = [await comingBack(), await comingBack()]
    const [sent, justSent] = [randomUUID(), randomUUID()]
    const { backupId: kept } = await world.backUp(tenant)
    await handOver(sent)
    await handOver(justSent)
    const age = (backupId: string, hours: number) =>
      world.owner`update hotswap.backups set at = clock_timestamp() - make_interval(hours => ${hours}) where backup_id = ${backupId}`
    await age(old, 25)
    await age(young, 23)
    await age(kept, 1_000)
    await age(sent, 7 * 24 + 1)
    await age(justSent, 7 * 24 - 1)
    expect(await removeStaleTransfers(platform)()).toMatchObject({ found: 2, removed: 2 })
    expect(await Promise.all([old, young, sent, justSent, kept].map(stateOf))).toEqual([
      "removed",
      "writing",
      "removed",
      "complete",
      "complete",
    ])
    expect(await platform.blobs.get(stagedName(tenant, old))).toBeNull()
    expect(await platform.blobs.get(stagedName(tenant, young))).not.toBeNull()
    expect(await namesIn(handOverRoot(tenant, sent))).toEqual([])
    expect((await namesIn(handOverRoot(tenant, justSent))).length).toBeGreaterThan(0)
  })
})
