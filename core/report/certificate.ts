import { type NoteKeys, signedNote, verifierKey } from "../audit/checkpoint.ts"
import type { Instant } from "../change/change.ts"
import type { TenantId } from "../ids.ts"
import { canonical, type Json, type JsonObject } from "../json.ts"

/** What is known of an erased tenant's audit: where its chain ended, and the last that was signed of it. */
export interface ErasureEvidence {
  /** `hash` in hex. */
  audit: { entries: number; hash: string } | null
  /** A signed note, as `core/audit` makes them. */
  checkpoint: string | null
}

/** What an erasure certificate says. Holds ids, numbers and hashes; nobody's name, and nothing the tenant kept. */
export interface ErasureStatement extends ErasureEvidence {
  format: "hotswap-erasure/1"
  tenantId: TenantId
  requestedAt: Instant
  /** The token by which it was requested: the platform's audit knows whose it is. */
  requestedBy: string
  dueAt: Instant
  erasedAt: Instant
  /** Rows destroyed, by table. */
  rows: Readonly<Record<string, number>>
  /** What was destroyed outside the database: cached keys, keys that secrets were sealed with. */
  outside: JsonObject
  /** Until when a copy may lie, unread, in what forgets by itself. */
  copiesGoneBy: Instant
}

/** Signs a text; whoever has a private key hands it in. */
export type SignText = (text: string) => { publicKey: Uint8Array; signature: Uint8Array }

/** What the certificate is signed in the name of. */
const nameOf = (tenantId: TenantId): string => `hotswap/erasure/${tenantId}`

/** The statement as text: what it is of, and canonical JSON. */
const statementText = (statement: ErasureStatement): string =>
  `${nameOf(statement.tenantId)}\n${canonical(statement as unknown as Json)}\n`

/** The certificate: a signed note as https://c2sp.org/signed-note has it; without a key the text alone. */
export const certificateOf = (statement: ErasureStatement, sign: SignText | null): string => {
  const text = statementText(statement)
  return sign ? signedNote(text, { name: nameOf(statement.tenantId), ...sign(text) }) : text
}

const NOTE = /^([^\n]+\n[^\n]+\n)(?:\n— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})\n)?$/
const KEY_ID_BYTES = 4
const SIGNATURE_BYTES = 64

const isSignedBy = (name: string, text: string, signed: string, { publicKeys, check }: NoteKeys): boolean => {
  const bytes = Buffer.from(signed, "base64")
  if (bytes.length !== KEY_ID_BYTES + SIGNATURE_BYTES || bytes.toString("base64") !== signed) return false
  const id = bytes.subarray(0, KEY_ID_BYTES).toString("hex")
  return publicKeys.some(
    (key) => verifierKey(name, key).split("+")[1] === id && check(key, text, bytes.subarray(KEY_ID_BYTES)),
  )
}

/**
 * What the certificate says, if it is byte for byte what one of the keys signed for this tenant; else `null`. Asks
 * nobody.
 */
export const openCertificate = (
  certificate: string,
  tenantId: TenantId,
  keys: NoteKeys,
): ErasureStatement | null => {
  const [, text = "", name, signed] = NOTE.exec(certificate) ?? []
  if (name !== nameOf(tenantId) || signed === undefined || !isSignedBy(name, text, signed, keys)) return null
  const statement = JSON.parse(text.slice(text.indexOf("\n") + 1)) as ErasureStatement
  return statement.tenantId === tenantId ? statement : null
}

/** Is anything signed at the end of it? Whose signature it is, only {@link openCertificate} tells. */
export const isSigned = (certificate: string): boolean => NOTE.exec(certificate)?.[3] !== undefined
