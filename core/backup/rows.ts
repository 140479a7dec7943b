import type { Instant } from "../change/change.ts"
import { type FieldError, Refusal } from "../errors.ts"
import type { Json, JsonObject } from "../json.ts"
import { scanJson } from "../json-scan.ts"

/** The number of the last migration. A test holds it to the folder of migrations. */
export const SCHEMA_VERSION = 16

/** The first that had archives. */
const FIRST_SCHEMA_VERSION = 14

/** What a column holds, as `row_to_json` prints it. With a question mark it may be null. */
type Kind = "text" | "int" | "json" | "ints" | "time" | "bytes" | "uuid"
type Column = Kind | `${Kind}?` | { kind: Kind | `${Kind}?`; since: number }

/**
 * The columns of each archived table, without those that the database generates; a test holds them to the catalog. One that
 * comes later says `since` which schema version: rows of earlier archives get the column's default.
 */
export const COLUMNS = {
  tenants: {
    tenant_id: "text",
    name: "text",
    display_name: "text?",
    admin_email: "text?",
    tier: "text?",
    status: "text",
    features: "json",
    quotas: "json",
    deployments: "json",
    version: "int",
    created_at: "time",
    updated_at: "time",
  },
  external_ids: { tenant_id: "text", external_id: "text" },
  heads: { tenant_id: "text", environment: "text", rev: "int", policy: "json?" },
  chunks: { tenant_id: "text", chunk_id: "text", text: "text" },
  releases: { tenant_id: "text", release_id: "text", manifest: "json", at: "time" },
  changes: {
    tenant_id: "text",
    change_id: "text",
    environment: "text",
    content: "json",
    key_hashes: "ints",
    state: "text",
    status: "json",
    approvals: "json",
    comments: "json",
    versions: "json?",
    due_at: "time?",
    updated_at: "time",
    looks: "int",
  },
  config_versions: {
    tenant_id: "text",
    environment: "text",
    key: "text",
    version: "int",
    change_id: "text",
    author: "text",
    reason: "text?",
    edit: "json",
    checksum: "text",
    at: "time",
  },
  pointers: {
    tenant_id: "text",
    environment: "text",
    seq: "int",
    at: "time",
    tier: "text?",
    stable: "text",
    stable_change_id: "text?",
    candidate_release: "text?",
    candidate_change_id: "text?",
    candidate_step: "int?",
    candidate_weight_bp: "int?",
    change_id: "text?",
    cause: "text",
    candidate_audience: "json?",
  },
  data_keys: {
    tenant_id: "text",
    realm: "text",
    generation: "int",
    wrapped: "bytes?",
    wrapped_by: "text",
    at: "time",
  },
  secret_values: {
    tenant_id: "text",
    environment: "text",
    key: "text",
    version: "int",
    generation: "int",
    sealed: "bytes",
    copied_environment: "text?",
    copied_version: "int?",
    at: "time",
  },
  channels: {
    tenant_id: "text",
    channel_id: "uuid",
    environment: "text?",
    type: "text",
    config: "json",
    secret: "text?",
    events: "json?",
    created_at: "time",
    created_by: "text",
  },
  audit_keys: { tenant_id: "text", inner_block: "bytes", outer_block: "bytes" },
  audit_people: { tenant_id: "text", pseudonym: "text", subject: "text", salt: "bytes", at: "time" },
  audit_entries: {
    tenant_id: "text",
    seq: "int",
    at: "time",
    body: "text",
    prev: "bytes",
    hash: "bytes",
  },
  audit_heads: { tenant_id: "text", seq: "int", hash: "bytes", at: "time" },
  audit_checkpoints: {
    tenant_id: "text",
    size: "int",
    after: "int",
    note: "text",
    frontier: "bytes",
    hashes: "bytes",
    at: "time",
  },
  audit_drops: { tenant_id: "text", through: "int", note: "text", at: "time" },
  audit_retention: { tenant_id: "text", days: "int", updated_at: "time" },
  report_reviews: {
    tenant_id: "text",
    review_id: "uuid",
    report: "text",
    from_at: "time",
    to_at: "time",
    through_seq: "int",
    items: "int",
    by: "text",
    comment: "text?",
    at: "time",
  },
} as const satisfies Record<string, Readonly<Record<string, Column>>>

export type TableName = keyof typeof COLUMNS

export const isTableName = (name: string): name is TableName => Object.hasOwn(COLUMNS, name)

/** A row of an archive: the text it is restored from, and what it says. */
export interface ArchiveRow {
  table: TableName
  /** Counted from 1. */
  nth: number
  text: string
  values: JsonObject
}

/** What is wrong with an archive that is whole and sealed, and where. */
export const invalid = (table: string, nth: number | null, what: string): Refusal => {
  const where = nth === null ? `table "${table}"` : `row ${nth} of table "${table}"`
  const errors: FieldError[] = [{ path: nth === null ? table : `${table}/${nth}`, message: what }]
  return new Refusal("ARCHIVE_INVALID", `In ${where}: ${what}.`, { errors })
}

/** Values nest up to 64 levels, and stand up to ten deep in a row. */
const DEPTH_MAX = 80

const KINDS: Readonly<Record<Kind, (value: Json) => boolean>> = {
  text: (value) => typeof value === "string",
  int: (value) => Number.isSafeInteger(value),
  json: () => true,
  ints: (value) => Array.isArray(value) && value.every(Number.isSafeInteger),
  time: (value) => typeof value === "string" && instantIn(value) !== null,
  bytes: (value) => typeof value === "string" && /^\\x(?:[0-9a-f]{2})*$/.test(value),
  uuid: (value) => typeof value === "string" && /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value),
}

/**
 * The columns that rows of this table have in an archive of that schema version. Throws Refusal ARCHIVE_NEWER, and
 * ARCHIVE_INVALID for a version that had no archives.
 */
export const columnsAt = (
  table: TableName,
  schemaVersion: number,
): ReadonlyMap<string, Kind | `${Kind}?`> => {
  checkSchemaVersion(schemaVersion)
  const columns = Object.entries<Column>(COLUMNS[table])
  return new Map(
    columns.flatMap(([name, column]) => {
      if (typeof column === "string") return [[name, column] as const]
      return column.since <= schemaVersion ? [[name, column.kind] as const] : []
    }),
  )
}

/** Throws Refusal ARCHIVE_NEWER or ARCHIVE_INVALID. */
export const checkSchemaVersion = (schemaVersion: number): void => {
  if (schemaVersion > SCHEMA_VERSION)
    throw new Refusal(
      "ARCHIVE_NEWER",
      `It was made under schema version ${schemaVersion}; this deployment is at ${SCHEMA_VERSION}.`,
    )
  if (!Number.isInteger(schemaVersion) || schemaVersion < FIRST_SCHEMA_VERSION)
    throw invalid("manifest", null, `there are no archives of schema version ${schemaVersion}`)
}

/** Reads a row and holds it to the table's columns. Throws Refusal ARCHIVE_INVALID. */
export const readRow = (
  table: TableName,
  nth: number,
  text: string,
  columns: ReturnType<typeof columnsAt>,
): ArchiveRow => {
  const values = parsed(table, nth, text)
  for (const name of Object.keys(values))
    if (!columns.has(name)) throw invalid(table, nth, `it has a column ${JSON.stringify(name)}`)
  for (const [name, column] of columns) {
    const value = values[name]
    if (value === undefined) throw invalid(table, nth, `its column "${name}" is missing`)
    const isOptional = column.endsWith("?")
    if (value === null && isOptional) continue
    const kind = (isOptional ? column.slice(0, -1) : column) as Kind
    if (value === null || !KINDS[kind](value)) throw invalid(table, nth, `"${name}" is not ${WORDS[kind]}`)
  }
  return { table, nth, text, values }
}

const WORDS: Readonly<Record<Kind, string>> = {
  text: "text",
  int: "a whole number",
  json: "JSON",
  ints: "a list of whole numbers",
  time: "a time in UTC",
  bytes: "bytes",
  uuid: "a UUID",
}

const parsed = (table: string, nth: number, text: string): JsonObject => {
  try {
    const members = scanJson(text, DEPTH_MAX)
    const values = JSON.parse(text) as Json
    // Whoever reads the last of equal members and whoever reads the first would not read the same.
    if (membersIn(values) !== members)
      throw new Refusal("JSON_DUPLICATE_KEY", "an object names a member twice")
    if (typeof values === "object" && values !== null && !Array.isArray(values)) return values
  } catch (error) {
    const what = error instanceof Refusal ? error.message : "it is not JSON"
    throw invalid(table, nth, what.replace(/\.$/, ""))
  }
  throw invalid(table, nth, "it is no object")
}

const membersIn = (value: Json): number => {
  if (typeof value !== "object" || value === null) return 0
  const parts = Object.values(value)
  return parts.reduce<number>((sum, part) => sum + membersIn(part), Array.isArray(value) ? 0 : parts.length)
}

/** `2026-11-21T08:40:05.09+00:00`, as `row_to_json` prints times, as an instant; `null`: it is none. */
const instantIn = (text: string): Instant | null => {
  const match = /^(\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?\+00:00$/.exec(text)
  return match && `${match[1]}.${(match[2] ?? "").padEnd(6, "0")}Z`
}

/** A time of a row that was read. */
export const timeOf = (value: Json | undefined): Instant => instantIn(value as string)!
