import postgres from "postgres"
import { sha256Hex } from "../../../core/hash.ts"
import { parseBackupId } from "../../../core/ids.ts"
import type { JsonObject } from "../../../core/json.ts"
import { releaseIdOf } from "../../../core/release/compile.ts"
import type { OpenArchive } from "../../../functions/platform/archive/archives.ts"
import { systemIds } from "../../../functions/platform/ids.ts"
import type { RestoreWorld } from "./into-world.ts"

export type Row = Record<string, unknown>
/** What becomes of a row: itself, another, or several. */
export type Forgery = (table: string, row: Row) => Row | Row[] | null

const rowsOf = async function* (
  archive: OpenArchive,
  table: string,
  forgery: Forgery,
): AsyncGenerator<string> {
  for await (const line of archive.rows(table)) {
    const made = forgery(table, JSON.parse(line) as Row) ?? []
    for (const row of Array.isArray(made) ? made : [made]) yield JSON.stringify(row)
  }
}

/**
 * Another archive of the same scope, sealed as well as any and with other rows in it: what somebody could make who has the keys,
 * or a deployment that is trusted and should not be.
 */
export const forge = async (world: RestoreWorld, backupId: string, forgery: Forgery): Promise<string> => {
  const { archives } = world.archiving
  const { scope, uuid } = parseBackupId(backupId)!
  const archive = await archives.open(scope, uuid)
  const forged = systemIds.uuid()
  const { format: _, tables, ...manifest } = archive.manifest
  await archives.write({
    ...manifest,
    backupId: forged,
    tables: tables.map(({ name }) => ({ name, rows: rowsOf(archive, name, forgery) })),
  } as never)
  const owner = postgres(world.url("postgres"), { max: 1, fetch_types: false, onnotice: () => {} })
  await owner`insert into hotswap.backups (tenant_id, backup_id, source, origin, state, created_by)
    values (${scope}, ${forged}, ${scope}, 'requested', 'complete', 'a forger')`
  await owner.end()
  return `${scope}:bkp_${forged.replaceAll("-", "")}`
}

/** The forgery that gives an environment's stable release these entries, as text: nothing of it was ever checked. */
export const withEntries = (environment: string, entries: Record<string, string>): Forgery => {
  const text = `{${Object.entries(entries)
    .map(([key, entry]) => `${JSON.stringify(key)}:${entry}`)
    .join(",")}}`
  const chunk = sha256Hex(text)
  const manifest = { bits: 0, chunks: [chunk], keys: Object.keys(entries).length, bytes: text.length }
  const release = releaseIdOf(manifest as never)
  const seen = new Set<string>()
  const once = (table: string, row: Row, made: Row): Row | Row[] => {
    if (seen.has(table)) return row
    seen.add(table)
    return [row, { ...row, ...made }]
  }
  return (table, row) => {
    if (table === "releases")
      return once(table, row, { release_id: release, manifest: manifest as JsonObject })
    if (table === "chunks") return once(table, row, { chunk_id: chunk, text })
    return table === "pointers" && row.environment === environment ? { ...row, stable: release } : row
  }
}
