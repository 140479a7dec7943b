import { sha256Hex } from "../../core/hash.ts"
import type { TenantId } from "../../core/ids.ts"
import { LAST_KNOWN_GOOD_MS } from "../../core/release/pointer-document.ts"
import { certificateOf, type ErasureStatement } from "../../core/report/certificate.ts"
import type { Database } from "../../db/client.ts"
import {
  addOutside,
  beginErasing,
  dueErasures,
  type ErasableTable,
  erasableTables,
  eraseRows,
  erasureOf,
} from "../../db/queries/erasing.ts"
import { certifyErasure } from "../../db/queries/erasure.ts"
import type { CachePort } from "../platform/cache.ts"
import type { CheckpointSigner } from "../platform/checkpoint-signer.ts"
import type { Clock } from "../platform/clock.ts"
import type { Log } from "../platform/log.ts"

export interface ErasingDeps {
  /** As the role that may destroy what is due. */
  system: Database
  /** As the role that writes the platform's audit. */
  db: Database
  cache: CachePort
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
const eraseOne = async (
  deps: ErasingDeps,
  tenantId: TenantId,
  tables: readonly ErasableTable[],
): Promise<boolean> => {
  if ((await beginErasing(deps.system, tenantId, deps.signer !== undefined)) === "unsigned") return false
  await shredded(deps, tenantId)
  if (!(await eraseTables(deps, tenantId, tables))) return false
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
