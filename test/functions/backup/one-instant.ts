import { verifyChain } from "../../../core/audit/chain.ts"
import type { AuditBody } from "../../../core/audit/entry.ts"
import { sha256Hex } from "../../../core/hash.ts"
import type { ChunkId, ReleaseId } from "../../../core/ids.ts"
import type { Json } from "../../../core/json.ts"
import { allEntries, EMPTY_CHUNK, EMPTY_RELEASE, releaseIdOf } from "../../../core/release/compile.ts"
import type { Manifest as ReleaseManifest } from "../../../core/release/release.ts"
import { toInstant } from "../../../db/instant.ts"
import type { OpenArchive } from "../../../functions/platform/archive/archives.ts"

type Row = Record<string, unknown>
export type Tables = Map<string, Row[]>

/** Everything an archive holds. */
export const tablesOf = async (archive: OpenArchive): Promise<Tables> => {
  const tables: Tables = new Map()
  for (const { name } of archive.manifest.tables) {
    const rows: Row[] = []
    for await (const row of archive.rows(name)) rows.push(JSON.parse(row) as Row)
    tables.set(name, rows)
  }
  return tables
}

const rowsOf = (tables: Tables, name: string): Row[] => tables.get(name) ?? []
const textOf = (row: Row, name: string): string => String(row[name])
const hexOf = (row: Row, name: string): string => textOf(row, name).slice(2)

/** The configuration of each environment by its last pointer, put together from the archive alone. */
const effective = (
  tables: Tables,
  faults: string[],
): Map<string, Map<string, { value: Json; version: number }>> => {
  const chunks = new Map(
    rowsOf(tables, "chunks").map((row) => [textOf(row, "chunk_id") as ChunkId, textOf(row, "text")]),
  )
  for (const [id, text] of chunks) if (sha256Hex(text) !== id) faults.push(`chunk ${id} is another text`)
  const releases = new Map<string, ReleaseManifest>([[EMPTY_RELEASE.id, EMPTY_RELEASE.manifest]])
  for (const row of rowsOf(tables, "releases")) {
    const manifest = row.manifest as ReleaseManifest
    const id = textOf(row, "release_id")
    if (releaseIdOf(manifest) !== id) faults.push(`release ${id} is another manifest`)
    for (const chunk of manifest.chunks)
      if (chunk !== EMPTY_CHUNK.id && !chunks.has(chunk)) faults.push(`release ${id} lacks chunk ${chunk}`)
    releases.set(id, manifest)
  }
  const effectives = new Map<string, Map<string, { value: Json; version: number }>>()
  const byEnvironment = Map.groupBy(rowsOf(tables, "pointers"), (row) => textOf(row, "environment"))
  for (const [environment, pointers] of byEnvironment) {
    const moves = pointers.sort((one, other) => Number(one.seq) - Number(other.seq))
    for (const [nth, move] of moves.entries()) {
      if (Number(move.seq) !== nth + 1) faults.push(`${environment}: pointer ${nth + 1} is missing`)
      for (const name of [move.stable, move.candidate_release])
        if (name !== null && !releases.has(String(name)))
          faults.push(`${environment}: release ${name} is missing`)
    }
    const stable = releases.get(String(moves.at(-1)!.stable) as ReleaseId)
    if (stable) effectives.set(environment, new Map(allEntries(stable, chunks)) as never)
  }
  return effectives
}

const checkAudit = (tables: Tables, faults: string[]): AuditBody[] => {
  const entries = rowsOf(tables, "audit_entries").map((row) => ({
    seq: Number(row.seq),
    at: toInstant(textOf(row, "at")),
    body: JSON.parse(textOf(row, "body")) as AuditBody,
    prev: hexOf(row, "prev"),
    hash: hexOf(row, "hash"),
  }))
  const [head] = rowsOf(tables, "audit_heads")
  const verdict = verifyChain(entries, { seq: Number(head!.seq), hash: hexOf(head!, "hash") })
  if (!verdict.ok) faults.push(`the audit breaks at ${verdict.firstBroken}`)
  if (entries.length !== Number(head!.seq))
    faults.push(`${entries.length} entries, and the head is at ${head!.seq}`)
  return entries.map(({ body }) => body)
}

/** Versions are written by the commit that moves the pointer: what is in force is the last one that went live. */
const checkVersions = (
  tables: Tables,
  effectives: ReturnType<typeof effective>,
  changes: ReadonlyMap<string, Row>,
  faults: string[],
): void => {
  const versions = new Map<string, Row[]>()
  for (const row of rowsOf(tables, "config_versions")) {
    const place = `${row.environment} ${row.key}`
    versions.set(place, [...(versions.get(place) ?? []), row])
    if (!changes.has(textOf(row, "change_id"))) faults.push(`${place}: change ${row.change_id} is missing`)
  }
  for (const [place, rows] of versions) {
    const numbers = rows.map((row) => Number(row.version)).sort((one, other) => one - other)
    if (numbers.some((number, nth) => number !== nth + 1)) faults.push(`${place}: versions ${numbers.join()}`)
  }
  for (const [environment, entries] of effectives)
    for (const [key, { version }] of entries)
      if (!versions.get(`${environment} ${key}`)?.some((row) => Number(row.version) === version))
        faults.push(`${environment} ${key}: version ${version} is in force and missing`)
  for (const [id, { state, versions: made, environment }] of changes)
    if (state === "live")
      for (const [key, version] of Object.entries((made as Record<string, number> | null) ?? {}))
        if (!versions.get(`${environment} ${key}`)?.some((row) => Number(row.version) === version))
          faults.push(`${id} went live, and ${key} ${version} is missing`)
}

const checkChanges = (tables: Tables, audit: readonly AuditBody[], faults: string[]): Map<string, Row> => {
  const changes = new Map(rowsOf(tables, "changes").map((row) => [textOf(row, "change_id"), row]))
  const told = new Set(audit.flatMap(({ changeId }) => (changeId === undefined ? [] : [changeId as string])))
  for (const id of told) if (!changes.has(id)) faults.push(`the audit tells of ${id}, which is missing`)
  for (const id of changes.keys()) if (!told.has(id)) faults.push(`the audit does not tell of ${id}`)
  for (const row of rowsOf(tables, "pointers"))
    for (const id of [row.change_id, row.stable_change_id, row.candidate_change_id])
      if (id !== null && !changes.has(String(id))) faults.push(`a pointer names ${id}, which is missing`)
  return changes
}

const checkSecrets = (tables: Tables, faults: string[]): void => {
  const keys = new Set(rowsOf(tables, "data_keys").map((row) => `${row.realm} ${row.generation}`))
  for (const row of rowsOf(tables, "secret_values"))
    if (!keys.has(`${row.environment} ${row.generation}`)) faults.push(`${row.key}: its data key is missing`)
}

export interface Judged {
  /** Empty: all of it is of one instant. */
  faults: string[]
  /** What each environment serves of the scope's own. */
  effectives: ReturnType<typeof effective>
  audit: AuditBody[]
}

/** Whether the rows of an archive belong together, told from them alone. */
export const judge = (archive: OpenArchive, tables: Tables): Judged => {
  const faults: string[] = []
  const audit = checkAudit(tables, faults)
  const changes = checkChanges(tables, audit, faults)
  const effectives = effective(tables, faults)
  checkVersions(tables, effectives, changes, faults)
  checkSecrets(tables, faults)
  const { revisions, at } = archive.manifest
  const last = new Map<string, number>()
  for (const row of rowsOf(tables, "pointers")) {
    const environment = textOf(row, "environment")
    last.set(environment, Math.max(last.get(environment) ?? 0, Number(row.seq)))
    if (toInstant(textOf(row, "at")) > at) faults.push(`a pointer is younger than ${at}`)
  }
  for (const [environment, seq] of Object.entries(revisions))
    if ((last.get(environment) ?? 0) !== seq) faults.push(`${environment} is said to be at ${seq}`)
  return { faults, effectives, audit }
}
