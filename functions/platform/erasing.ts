import { sha256Hex } from "../../core/hash.ts"
import { PLATFORM, type TenantId } from "../../core/ids.ts"
import { LAST_KNOWN_GOOD_MS } from "../../core/release/pointer-document.ts"
import { certificateOf, type ErasureStatement } from "../../core/report/certificate.ts"
import type { Database } from "../../db/client.ts"
import {
  addOutside,
  atLeastOutside,
  beginErasing,
  dueErasures,
  type ErasableTable,
  erasableTables,
  eraseRows,
  erasureOf,
  giveUpForeign,
} from "../../db/queries/erasing.ts"
import { certifyErasure } from "../../db/queries/erasure.ts"
import { ARCHIVE_ROOT, archiveName, archivesFolder } from "./archive/names.ts"
import { type BlobStore, blobNames } from "./blob-store.ts"
import type { CachePort } from "./cache.ts"
import type { CheckpointSigner } from "./checkpoint-signer.ts"
import type { Clock } from "./clock.ts"
import type { Log } from "./log.ts"
import { stagedName } from "./staged-imports.ts"

export interface ErasingDeps {
  /** As the role that may destroy what is due. */
  system: Database
  /** As the role that writes the platform's audit. */
  db: Database
  cache: CachePort
  /** Where archives are kept; absent: nowhere. */
  backups?: BlobStore | undefined
  clock: Clock
  log: Log
  /** Absent: certificates are not signed. */
  signer: CheckpointSigner | undefined
  /** Destroys the keys that a tenant's secrets are sealed with; returns what was destroyed. Twice is harmless. */
  shred: ((tenantId: TenantId) => Promise<Readonly<Record<string, number>>>) | undefined
}

const TENANTS_MAX = 100
/** Rows destroyed in one transaction. */
const BATCH = 1_000
/** Transactions for one tenant before others have their turn. */
const BATCHES_MAX = 200

/** Destroys the rows of every table, referring ones first. `false`: there are more. */
const eraseTables = async (
  { system }: ErasingDeps,
  tenantId: TenantId,
  tables: readonly ErasableTable[],
): Promise<boolean> => {
  let batches = 0
  for (const table of tables) {
    let gone = BATCH
    while (gone === BATCH) {
      if (batches++ >= BATCHES_MAX) return false
      gone = await eraseRows(system, tenantId, table, BATCH)
    }
  }
  return true
}

const shredded = async ({ system, shred }: ErasingDeps, tenantId: TenantId): Promise<void> => {
  const counts = await shred?.(tenantId)
  if (counts) await addOutside(system, tenantId, counts)
}

/** Below the root: of a tenant's own archives, of those that were coming back, and of those made for another deployment. */
const foldersOf = (tenantId: TenantId): string[] => [
  `${ARCHIVE_ROOT}/${tenantId}`,
  `imports/${tenantId}`,
  `hand-overs/${tenantId}`,
]

/**
 * Counted before they go and never less than before, so that being killed in between counts nothing twice and forgets nothing.
 * What is locked stays until its lock is over; its key is destroyed by then, so it opens for nobody.
 */
const unarchived = async ({ system, db, backups }: ErasingDeps, tenantId: TenantId): Promise<void> => {
  if (!backups) return
  const names: string[] = []
  for (const folder of foldersOf(tenantId))
    for await (const name of blobNames(backups, folder, { isComplete: true })) names.push(name)
  const own = names.filter((name) => name.startsWith(`${archivesFolder(ARCHIVE_ROOT, tenantId)}/`)).length
  const foreign = await giveUpForeign(db, tenantId)
  for (const backupId of foreign) {
    names.push(archiveName(ARCHIVE_ROOT, PLATFORM, backupId))
    const staged = stagedName(PLATFORM, backupId)
    if (await backups.get(staged)) names.push(staged)
  }
  if (names.length === 0) return
  await atLeastOutside(system, tenantId, { archives: own + foreign.length, archiveBlobs: names.length })
  let locked = 0
  for (const name of names) if ((await backups.remove(name, { forGood: true })) === "kept") locked++
  if (locked > 0) await atLeastOutside(system, tenantId, { archiveBlobsLocked: locked })
}

const forgotten = async ({ system, cache }: ErasingDeps, tenantId: TenantId): Promise<void> => {
  const cachedKeys = await cache.forget(tenantId)
  if (cachedKeys > 0) await addOutside(system, tenantId, { cachedKeys })
}

const certify = async (deps: ErasingDeps, tenantId: TenantId): Promise<boolean> => {
  const { system, db, clock, signer } = deps
  const erasure = await erasureOf(system, tenantId)
  if (!erasure?.evidence || erasure.erasedAt !== null) return false
  const { requestedAt, requestedBy, dueAt, evidence, counts, outside } = erasure
  const erasedAt = clock.now().toISOString()
  const statement: ErasureStatement = {
    format: "hotswap-erasure/1",
    tenantId,
    requestedAt,
    requestedBy,
    dueAt,
    erasedAt,
    rows: counts,
    outside,
    // What the edge keeps for when nothing else can be reached is of the time before the tenant was deleted.
    copiesGoneBy: new Date(Date.parse(requestedAt) + LAST_KNOWN_GOOD_MS).toISOString(),
    ...evidence,
  }
  const certificate = certificateOf(statement, signer ? (text) => signer.signText(text) : null)
  return await certifyErasure(
    db,
    tenantId,
    { erasedAt, certificate },
    {
      action: "tenant.erase",
      actor: { subject: "clock", tokenId: "system" },
      target: tenantId,
      detail: { certificate: sha256Hex(certificate) },
    },
  )
}

/**
 * Takes up where it was left: each part is done again until it has nothing left to do, and the last of them says that
 * it is done.
 */
export const eraseOne = async (
  deps: ErasingDeps,
  tenantId: TenantId,
  tables: readonly ErasableTable[],
  mustBeSigned = deps.signer !== undefined,
): Promise<boolean> => {
  if ((await beginErasing(deps.system, tenantId, mustBeSigned)) === "unsigned") return false
  await shredded(deps, tenantId)
  if (!(await eraseTables(deps, tenantId, tables))) return false
  // After the rows: nobody begins another archive of a tenant that is not there.
  await unarchived(deps, tenantId)
  // Last, as what was being read until the rows were gone may have been put there.
  await forgotten(deps, tenantId)
  return await certify(deps, tenantId)
}

/** Destroys what is due, as far as it gets. Returns how many tenants are gone for good. */
export const eraseDue = async (deps: ErasingDeps): Promise<number> => {
  const due = await dueErasures(deps.system, TENANTS_MAX)
  if (due.length === 0) return 0
  const tables = await erasableTables(deps.system)
  let done = 0
  for (const tenantId of due)
    try {
      if (await eraseOne(deps, tenantId, tables)) done++
    } catch (error) {
      // One that cannot be destroyed now keeps no other from its turn.
      deps.log.error("a tenant could not be erased", { error, scope: tenantId })
    }
  return done
}
