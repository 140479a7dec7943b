import type { Environment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import { PLATFORM } from "../../core/ids.ts"
import type { Database } from "../../db/open.ts"
import { findExternalId } from "../../db/queries/external-ids.ts"
import { findChange } from "../../db/queries/find-change.ts"
import { findToken } from "../../db/queries/find-token.ts"
import {
  type PointerRead as Row,
  readChunks,
  readPointer,
  readPointerAsOf,
} from "../../db/queries/reading.ts"
import type { PointerRead, PointerReading, Reading, ScopeReading } from "./reading.ts"

/** A tenant has a tier; only the platform and the tiers themselves have none. */
const ofTenant = (row: Row | null): PointerRead | null => {
  if (row === null) return null
  const { status, tier } = row.tenant
  if (tier === null) throw new Error("the scope that was read is not a tenant")
  return { ...row, tenant: { status, tier } }
}

const layersOf = (db: Database): PointerReading & ScopeReading => ({
  readPointer: async (tenantId, environment, known) =>
    ofTenant(await readPointer(db, tenantId, environment, known)),
  readChunks: (scope, ids) => readChunks(db, scope, [...ids]),
  readLayers: (scope, environment) => readPointer(db, scope, environment, []),
})

/** Pointers and chunks, for whoever publishes. */
export const pointerReading = layersOf

/** All that the read function asks, as the role that may only read. */
export const postgresReading = (db: Database, environments: readonly Environment[]): Reading => ({
  ...layersOf(db),
  async readPointerAsOf(tenantId, environment, at) {
    const row = await readPointerAsOf(db, tenantId, environment, at, [])
    // By our clock it was not; PostgreSQL's, which wrote the history, goes a little behind it.
    if (row === "future") throw new Refusal("AS_OF_INVALID", `"${at}" is in the future.`)
    return ofTenant(row)
  },
  async findToken(scope, tokenId) {
    const found = await findToken(db, scope, tokenId)
    return found?.token ?? null
  },
  findExternalId: (externalId) => findExternalId(db, externalId),
  findChange: (scope, changeId) => findChange(db, scope, changeId),
  async ping() {
    await readPointer(db, PLATFORM, environments[0]!, [])
  },
})
