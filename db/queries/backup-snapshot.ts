import { ARCHIVED } from "../../core/backup/tables.ts"
import type { Instant } from "../../core/change/change.ts"
import { sha256Hex } from "../../core/hash.ts"
import type { ScopeId } from "../../core/ids.ts"
import type { Database } from "../client.ts"
import { type TenantTx, withTenant } from "../tenant.ts"
import { openRows, type RowsOf } from "./backup-rows.ts"
import { type Signals, signals } from "./backup-signals.ts"

/** A scope as it is at one instant, told in one round trip. */
export interface ScopeState {
  /** Not before anything that the snapshot shows. */
  at: Instant
  /** The number of the last migration that the database has had. */
  schemaVersion: number
  /** Those that the scope has heads or pointers in. */
  environments: readonly string[]
  /** The last `seq` of its pointers, by environment. */
  revisions: Readonly<Record<string, number>>
  /** Hex. Two states of one scope with the same one have the same rows in every archived table, but for the audit of backups themselves. */
  fingerprint: string
  /** The same of each table by itself. */
  tables: Readonly<Record<string, string>>
}

/** What a transaction that sees one instant can be asked for. One at a time: it is one connection. */
export interface Snapshot {
  state: ScopeState
  /** Of {@link ARCHIVED}; one row's JSON text each, in an order that stays and grows at its end where the table allows it. */
  rows: RowsOf
}

/** Altogether; each statement keeps the database's own deadline. */
const LIMIT_MS = 15 * 60_000

/** Runs `work` in one REPEATABLE READ READ ONLY transaction of the scope's. `null`: there is no such scope. */
export const withSnapshot = <T>(
  database: Database,
  scope: ScopeId,
  work: (snapshot: Snapshot) => Promise<T>,
  limitMs = LIMIT_MS,
): Promise<T | null> =>
  withTenant(
    database,
    scope,
    async (tx) => {
      const state = await scopeState(tx)
      return state && (await work({ state, rows: await openRows(tx) }))
    },
    { isolation: "snapshot", limitMs },
  )

/** Without reading its rows: to see whether anything has changed since its last archive. `null`: there is no such scope. */
export const findScopeState = (database: Database, scope: ScopeId): Promise<ScopeState | null> =>
  withTenant(database, scope, scopeState, { isolation: "snapshot" })

/** The same in a transaction that does something else as well. */
export const scopeState = async (tx: TenantTx): Promise<ScopeState | null> => {
  const found = await signals(tx)
  if (!found) return null
  const { at, schemaVersion, revisions } = found
  const tables = Object.fromEntries(
    ARCHIVED.map(({ name }) => [name, shortly(JSON.stringify([name, schemaVersion, signalOf(found, name)]))]),
  )
  return {
    at,
    schemaVersion,
    environments: Object.keys(revisions).sort(),
    revisions,
    fingerprint: sha256Hex(JSON.stringify(Object.entries(tables))),
    tables,
  }
}

/** 128 bits: it stands in every manifest once for each table. */
const shortly = (text: string): string =>
  Buffer.from(sha256Hex(text).slice(0, 32), "hex").toString("base64url")

const signalOf = ({ tables }: Signals, name: string): string => {
  const signal = tables[name]
  if (signal === undefined) throw new Error(`nothing tells whether ${name} has changed`)
  return signal
}
