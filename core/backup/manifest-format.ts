import { Refusal } from "../errors.ts"
import { parseScopeId, type ScopeId } from "../ids.ts"
import type { Json, JsonObject } from "../json.ts"
import {
  ARCHIVE_FORMAT,
  type ArchivedTable,
  type ArchiveHeader,
  type ArchivePart,
  type Manifest,
} from "./manifest.ts"

const KIB = 1024
const MIB = 1024 * KIB

/** What a reader takes, looked at before it is spent. What is written keeps to it. */
export const ARCHIVE_LIMITS = {
  /** A part's plain bytes. */
  partBytes: 2 * MIB,
  /** What sealing adds to a part at most: a byte that says how it is packed, nonce and tag. */
  sealBytes: 29,
  /** Plain bytes to each byte as stored. */
  ratio: 256,
  /** A row's text, UTF-8. */
  rowBytes: 32 * MIB,
  /** Of all tables together. */
  parts: 32_768,
  tables: 64,
  environments: 64,
  /** The line in clear before a manifest, its end included. */
  headerBytes: 16 * KIB,
  /** A manifest as it is stored. */
  manifestBytes: 4 * MIB,
  /** What is sealed in it. */
  manifestPlainBytes: 16 * MIB,
} as const

const FORMAT = /^hotswap-archive\/([1-9]\d{0,8})$/
const BACKUP_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const HASH = /^[0-9a-f]{64}$/
const KEY_ID = /^[0-9a-f]{32}$/
const TABLE = /^[a-z][a-z_]{0,62}$/
const ENVIRONMENT = /^[A-Za-z][A-Za-z0-9-]{0,31}$/
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z$/
const FINGERPRINT = /^[0-9A-Za-z_-]{0,128}$/
const KEY_BY = /^[a-z_]{1,32}$/
/** No row's text is shorter: `{}` and the end of its line. */
const LINE_BYTES_MIN = 3

export const isBackupId = (text: string): boolean => BACKUP_ID.test(text)
export const isPartId = (text: string): boolean => HASH.test(text)

const damaged = (detail: string): Refusal => new Refusal("ARCHIVE_DAMAGED", detail)
const tooLarge = (detail: string): Refusal => new Refusal("ARCHIVE_TOO_LARGE", detail)

/** Reads members one by one; what is wrong is told by its path. */
class Fields {
  readonly #members: JsonObject
  readonly #path: string

  constructor(value: Json | undefined, path: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw damaged(`${path || "It"} is not an object.`)
    this.#members = value
    this.#path = path
  }

  at(name: string): string {
    return `${this.#path}/${name}`
  }

  get(name: string): Json | undefined {
    return Object.hasOwn(this.#members, name) ? this.#members[name] : undefined
  }

  text(name: string, form: RegExp): string {
    const value = this.get(name)
    if (typeof value !== "string" || !form.test(value))
      throw damaged(`${this.at(name)} is not what it should be.`)
    return value
  }

  count(name: string, least = 0): number {
    const value = this.get(name)
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < least)
      throw damaged(`${this.at(name)} is not a whole number from ${least} on.`)
    return value
  }

  list(name: string, most: number): readonly Json[] {
    const value = this.get(name)
    if (!Array.isArray(value)) throw damaged(`${this.at(name)} is not a list.`)
    if (value.length > most)
      throw tooLarge(`${this.at(name)} has ${value.length} entries, of which ${most} are read.`)
    return value
  }

  source(): ScopeId {
    const scope = parseScopeId(this.text("source", /./))
    if (scope === null) throw damaged(`${this.at("source")} is no scope.`)
    return scope
  }

  /** A format that is read here. */
  format(): typeof ARCHIVE_FORMAT {
    const value = this.get("format")
    const number = typeof value === "string" ? FORMAT.exec(value)?.[1] : undefined
    if (number === undefined) throw damaged("It is not the manifest of an archive.")
    if (value !== ARCHIVE_FORMAT)
      throw new Refusal("ARCHIVE_NEWER", `It is of format ${number}; formats up to 1 are read here.`)
    return ARCHIVE_FORMAT
  }
}

const parsed = (text: string, what: string): Json => {
  try {
    return JSON.parse(text) as Json
  } catch {
    throw damaged(`${what} is not JSON.`)
  }
}

/** What stands in clear before a manifest. Throws Refusal ARCHIVE_DAMAGED and ARCHIVE_NEWER. */
export const parseArchiveHeader = (line: string): ArchiveHeader => {
  const fields = new Fields(parsed(line, "The manifest's first line"), "")
  const format = fields.format()
  const key = fields.get("key")
  const by = new Fields(key, "/key").text("by", KEY_BY)
  return {
    format,
    source: fields.source(),
    backupId: fields.text("backupId", BACKUP_ID),
    key: { ...(key as JsonObject), by },
  }
}

/** What is sealed in a manifest, whose header was read before. Throws Refusal ARCHIVE_DAMAGED and ARCHIVE_TOO_LARGE. */
export const parseManifest = (text: string, header: ArchiveHeader): Manifest => {
  const fields = new Fields(parsed(text, "The manifest"), "")
  const tables = fields.list("tables", ARCHIVE_LIMITS.tables).map(tableOf)
  const manifest: Manifest = {
    format: fields.format(),
    backupId: fields.text("backupId", BACKUP_ID),
    source: fields.source(),
    at: fields.text("at", INSTANT),
    schemaVersion: fields.count("schemaVersion"),
    environments: environmentsOf(fields),
    revisions: revisionsOf(fields),
    options: optionsOf(fields),
    fingerprint: fields.text("fingerprint", FINGERPRINT),
    partsKey: fields.text("partsKey", KEY_ID),
    tables,
  }
  if (manifest.source !== header.source || manifest.backupId !== header.backupId)
    throw damaged("The manifest is of another archive than its first line says.")
  checkTables(tables)
  return manifest
}

const checkTables = (tables: readonly ArchivedTable[]): void => {
  const names = new Set(tables.map(({ name }) => name))
  if (names.size !== tables.length) throw damaged("The manifest names a table twice.")
  const parts = tables.flatMap((table) => table.parts)
  if (parts.length > ARCHIVE_LIMITS.parts)
    throw tooLarge(`It has ${parts.length} parts, of which ${ARCHIVE_LIMITS.parts} are read.`)
  const plainBytes = parts.reduce((sum, part) => sum + part.plainBytes, 0)
  const packed = new Map(parts.map((part) => [part.id, part.packedBytes]))
  const packedBytes = [...packed.values()].reduce((sum, bytes) => sum + bytes, 0)
  // A part named over and over would unpack to any amount of bytes.
  if (plainBytes > packedBytes * ARCHIVE_LIMITS.ratio)
    throw tooLarge(`It unpacks to more than ${ARCHIVE_LIMITS.ratio} times its bytes.`)
}

const environmentsOf = (fields: Fields): string[] =>
  fields.list("environments", ARCHIVE_LIMITS.environments).map((name) => {
    if (typeof name !== "string" || !ENVIRONMENT.test(name)) throw damaged("/environments names none.")
    return name
  })

const revisionsOf = (fields: Fields): Record<string, number> => {
  const given = fields.get("revisions")
  const revisions = new Fields(given, "/revisions")
  const names = Object.keys(given as JsonObject)
  if (names.length > ARCHIVE_LIMITS.environments) throw tooLarge("/revisions names too many environments.")
  return Object.fromEntries(
    names.map((name) => {
      if (!ENVIRONMENT.test(name)) throw damaged("/revisions names what is no environment.")
      return [name, revisions.count(name)]
    }),
  )
}

const optionsOf = (fields: Fields): Manifest["options"] => {
  const includeEmptyTables = new Fields(fields.get("options"), "/options").get("includeEmptyTables")
  if (typeof includeEmptyTables !== "boolean")
    throw damaged("/options/includeEmptyTables is neither true nor false.")
  return { includeEmptyTables }
}

const tableOf = (value: Json, index: number): ArchivedTable => {
  const fields = new Fields(value, `/tables/${index}`)
  const name = fields.text("name", TABLE)
  const rows = fields.count("rows")
  const parts = fields
    .list("parts", ARCHIVE_LIMITS.parts)
    .map((part, nth) => partOf(part, `/tables/${index}/parts/${nth}`))
  const bytes = parts.reduce((sum, { plainBytes }) => sum + plainBytes, 0)
  if (rows * LINE_BYTES_MIN > bytes || (rows === 0 && bytes > 0))
    throw damaged(`/tables/${index} (${name}) cannot have ${rows} rows in ${bytes} bytes.`)
  const sha256 = fields.text("sha256", HASH)
  const fingerprint = fields.get("fingerprint")
  if (fingerprint === undefined) return { name, rows, sha256, parts }
  return { name, rows, sha256, parts, fingerprint: fields.text("fingerprint", FINGERPRINT) }
}

const partOf = (value: Json, path: string): ArchivePart => {
  const fields = new Fields(value, path)
  const plainBytes = fields.count("plainBytes", 1)
  const packedBytes = fields.count("packedBytes", ARCHIVE_LIMITS.sealBytes + 1)
  if (
    plainBytes > ARCHIVE_LIMITS.partBytes ||
    packedBytes > ARCHIVE_LIMITS.partBytes + ARCHIVE_LIMITS.sealBytes
  )
    throw tooLarge(`${path} has more than ${ARCHIVE_LIMITS.partBytes} bytes.`)
  if (plainBytes > packedBytes * ARCHIVE_LIMITS.ratio)
    throw tooLarge(`${path} unpacks to more than ${ARCHIVE_LIMITS.ratio} times its bytes.`)
  return { id: fields.text("id", HASH), sha256: fields.text("sha256", HASH), plainBytes, packedBytes }
}
