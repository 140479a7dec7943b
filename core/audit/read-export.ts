import type { ScopeId } from "../ids.ts"
import { canonical, type Json } from "../json.ts"
import { type ChainHead, GENESIS_HEAD } from "./chain.ts"
import { type NoteKeys, originOf } from "./checkpoint.ts"
import {
  CSV_CELLS,
  CSV_HEAD,
  csvLine,
  EXPORT_FORMAT,
  endLine,
  entryLine,
  headLine,
  personLine,
  pieceLine,
} from "./export.ts"
import { type AuditPerson, isCalled } from "./people.ts"
import { type AuditVerdict, type KeptEntry, type SignedPiece, Verifier } from "./verify.ts"

/** What an auditor knows besides the export. */
export interface Knowledge {
  scope: ScopeId
  keys: NoteKeys
  /** A stretch of the chain was asked for, not all that is kept. */
  partial?: boolean
  /** Checkpoints that were kept elsewhere, oldest first, from the first one on. */
  pieces?: readonly SignedPiece[]
  /** Signed notes that were kept elsewhere. */
  notes?: readonly string[]
  /** For CSV, which does not hold it: the signed word that what comes before was dropped because of its age. */
  drop?: string | null
}

type Fields = Record<string, unknown>

const fieldsOf = (value: unknown): Fields | null =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : null

const parsed = (line: string): Fields | null => {
  try {
    return fieldsOf(JSON.parse(line))
  } catch {
    return null
  }
}

const bytesOf = (text: unknown): Uint8Array => Buffer.from(String(text), "base64")

const pieceOf = ({ after, size, note, hashes }: Fields): SignedPiece => ({
  after: Number(after),
  size: Number(size),
  note: String(note),
  hashes: bytesOf(hashes),
})

/** A checkpoint as {@link pieceLine} writes it; `null` for anything else. */
export const readPiece = (line: string): SignedPiece | null => {
  const fields = fieldsOf(parsed(line)?.checkpoint)
  return fields && pieceOf(fields)
}

const headOf = (value: unknown): ChainHead => {
  const { seq, hash } = fieldsOf(value) ?? {}
  return { seq: Number(seq), hash: String(hash) }
}

const textOrNull = (value: unknown): string | null => (value === null ? null : String(value))

const canonicalOf = (value: unknown): string => {
  try {
    return canonical(value as Json)
  } catch {
    return ""
  }
}

const knowing = ({ scope, keys, notes = [], pieces = [] }: Knowledge): Verifier => {
  const verifier = new Verifier(scope, keys)
  for (const note of notes) verifier.known(note)
  for (const piece of pieces) verifier.piece(piece)
  return verifier
}

/** Reads an export line by line, each with its line end. Never throws for what it reads. */
class ExportReader {
  readonly verifier: Verifier
  readonly #known: Knowledge
  #isBegun = false
  #isEnded = false
  #last: ChainHead | null = null

  constructor(known: Knowledge) {
    this.#known = known
    this.verifier = knowing(known)
  }

  line(text: string): void {
    if (this.#again(text) !== text) this.verifier.refuse("a line is not as it was written")
  }

  #again(text: string): string | null {
    const fields = parsed(text)
    try {
      return fields === null ? null : this.#take(fields, text)
    } catch {
      // What is no number, or no text, cannot be written again.
      return null
    }
  }

  end(): AuditVerdict {
    if (!this.#isEnded) this.verifier.refuse("the export breaks off")
    return this.verifier.end(this.#known.partial !== true)
  }

  /** The line as it would be written again; `null` for one that has no place there. */
  #take(fields: Fields, text: string): string | null {
    if (this.#isEnded) return null
    if (!this.#isBegun) return this.#begin(fields)
    if ("checkpoint" in fields) return this.#piece(fieldsOf(fields.checkpoint) ?? {})
    if ("person" in fields) return this.#person(fieldsOf(fields.person) ?? {})
    if ("end" in fields) return this.#finish(headOf(fields.end))
    return this.#entry(fields, text)
  }

  #begin(fields: Fields): string | null {
    this.#isBegun = true
    const base = fieldsOf(fields.base)
    const beginning = {
      head: headOf(fields.after),
      base: base && { note: String(base.note), frontier: bytesOf(base.frontier) },
      drop: textOrNull(fields.drop),
    }
    const [from, to] = [textOrNull(fields.from), textOrNull(fields.to)]
    if (fields.format !== EXPORT_FORMAT || fields.origin !== originOf(this.#known.scope)) return null
    const partial = this.#known.partial === true
    if (!partial && (from !== null || to !== null))
      this.verifier.refuse("it is an export of a stretch of time, not of all that is kept")
    this.verifier.begin(beginning, partial)
    this.#last = beginning.head
    return headLine({ ...beginning, scope: this.#known.scope, from, to })
  }

  #piece(fields: Fields): string {
    const piece = pieceOf(fields)
    const again = pieceLine(piece)
    this.verifier.piece(piece)
    return again
  }

  #person({ pseudonym, subject, salt }: Fields): string {
    const person = { pseudonym: String(pseudonym), subject: String(subject), salt: bytesOf(salt) }
    if (!isCalled(person)) this.verifier.refuse("somebody is not who they are said to be")
    return personLine(person)
  }

  #entry({ seq, at, body, prev, hash }: Fields, text: string): string {
    const entry: KeptEntry = {
      seq: Number(seq),
      at: String(at),
      body: canonicalOf(body),
      prev: String(prev),
      hash: String(hash),
    }
    const again = entryLine(entry)
    // Before it counts as whole.
    if (again !== text) this.verifier.refuse("it is not as it was written")
    this.verifier.entry(entry)
    this.#last = { seq: entry.seq, hash: entry.hash }
    return again
  }

  #finish(end: ChainHead): string {
    this.#isEnded = true
    if (end.seq !== this.#last?.seq || end.hash !== this.#last.hash)
      this.verifier.refuse("the export says that it ends elsewhere")
    return endLine(end)
  }
}

/** Checks an export in JSONL; `lines` with their line ends. Stops at the first thing that is wrong. */
export const verifyJsonl = async (
  lines: AsyncIterable<string> | Iterable<string>,
  known: Knowledge,
): Promise<AuditVerdict> => {
  const reader = new ExportReader(known)
  for await (const line of lines) {
    reader.line(line)
    if (reader.verifier.isBroken) break
  }
  return reader.end()
}

/** The cells of one row of CSV as {@link csvLine} writes it; none for a row that it does not write. */
const cellsOf = (row: string): string[] => {
  const cells: string[] = []
  for (let at = 0; ; ) {
    let end = at
    if (row[at] === '"') {
      end = row.indexOf('"', at + 1)
      while (end >= 0 && row[end + 1] === '"') end = row.indexOf('"', end + 2)
      if (end < 0) return []
      cells.push(row.slice(at + 1, end).replaceAll('""', '"'))
      end++
    } else {
      const comma = row.indexOf(",", at)
      end = comma < 0 ? row.length - 2 : comma
      cells.push(row.slice(at, end))
    }
    if (row[end] !== ",") return row.slice(end) === "\r\n" ? cells : []
    at = end + 1
  }
}

/** Who the row says acted; `null`: it does not say. */
const personOf = (cells: readonly string[], body: Fields): AuditPerson | null => {
  const name = cells[CSV_CELLS.name] ?? ""
  const salt = cells[CSV_CELLS.salt] ?? ""
  if (name === "" && salt === "") return null
  const pseudonym = String(fieldsOf(body.actor)?.subject)
  const person = { pseudonym, subject: name, salt: bytesOf(salt) }
  // Of a name that a spreadsheet would take for a formula the row has an apostrophe more.
  return isCalled(person) ? person : { ...person, subject: name.replace(/^'/, "") }
}

/** One row of CSV checked; returns whether it was what would be written again. */
const takeRow = (row: string, verifier: Verifier, begin: ((entry: KeptEntry) => void) | null): void => {
  const cells = cellsOf(row)
  const cell = (name: keyof typeof CSV_CELLS): string => cells[CSV_CELLS[name]] ?? ""
  const entry = {
    seq: Number(cell("seq")),
    at: cell("at"),
    body: cell("body"),
    prev: cell("prev"),
    hash: cell("hash"),
  }
  begin?.(entry)
  const body = parsed(entry.body)
  const who = body && personOf(cells, body)
  if (body === null || canonicalOf(body) !== entry.body || again(entry, who) !== row)
    verifier.refuse("it is not as it was written")
  if (who && !isCalled(who)) verifier.refuse("who acted is not who it is said to be")
  verifier.entry(entry)
}

/**
 * Checks an export in CSV; `rows` with their line ends, the first one the head. It holds no checkpoints: those kept
 * elsewhere, or asked for apart, say what was signed.
 */
export const verifyCsv = async (
  rows: AsyncIterable<string> | Iterable<string>,
  known: Knowledge,
): Promise<AuditVerdict> => {
  const verifier = knowing(known)
  const begin = ({ seq, prev }: KeptEntry): void => {
    const isLater = Number.isSafeInteger(seq) && seq > 1
    const head = isLater ? { seq: seq - 1, hash: prev } : GENESIS_HEAD
    const drop = isLater && !known.partial ? (known.drop ?? null) : null
    verifier.begin({ head, base: null, drop }, known.partial === true)
  }
  let nth = 0
  for await (const row of rows) {
    if (nth === 0 && row !== CSV_HEAD) verifier.refuse("the first row is another")
    if (nth > 0) takeRow(row, verifier, nth === 1 ? begin : null)
    nth++
    if (verifier.isBroken) break
  }
  if (nth === 0) verifier.refuse("the first row is missing")
  return verifier.end(known.partial !== true)
}

/** The row as it would be written again; nothing for a body that is no entry's. */
const again = (entry: KeptEntry, who: AuditPerson | null): string => {
  try {
    return csvLine(entry, who)
  } catch {
    return ""
  }
}
