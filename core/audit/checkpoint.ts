import { sha256Bytes } from "../hash.ts"
import type { ScopeId } from "../ids.ts"
import { HASH_BYTES } from "./merkle.ts"

// Checkpoints as text: https://c2sp.org/tlog-checkpoint in https://c2sp.org/signed-note.

/** What a checkpoint says: that the first `size` entries of this chain have this root. */
export interface Checkpoint {
  origin: string
  size: number
  root: Uint8Array
  /** The hash of the last of them, hex. */
  chain: string
  /** When the last of them was written. */
  at: string
}

/** Whether this key made this signature over this text; whoever has cryptography hands it in. */
export type CheckSignature = (publicKey: Uint8Array, text: string, signature: Uint8Array) => boolean

/** What notes are checked with: Ed25519 public keys, 32 bytes each. */
export interface NoteKeys {
  publicKeys: readonly Uint8Array[]
  check: CheckSignature
}

/** Which chain a checkpoint is of; the name of its key as well. */
export const originOf = (scope: ScopeId): string => `hotswap/audit/${scope}`

/** What says that entries were dropped because of their age looks like a checkpoint, and is taken for none. */
export const droppedOrigin = (origin: string): string => `${origin}/dropped`

const ED25519 = Uint8Array.of(1)
const KEY_ID_BYTES = 4
const SIGNATURE_BYTES = 64

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

const keyId = (name: string, publicKey: Uint8Array): Uint8Array =>
  sha256Bytes(bytesOf(`${name}\n`), ED25519, publicKey).subarray(0, KEY_ID_BYTES)

/** The public key as other tools read it: `name+id+base64`. */
export const verifierKey = (name: string, publicKey: Uint8Array): string =>
  `${name}+${Buffer.from(keyId(name, publicKey)).toString("hex")}+${Buffer.concat([ED25519, publicKey]).toString("base64")}`

/** The text that is signed. */
export const checkpointText = ({ origin, size, root, chain, at }: Checkpoint): string =>
  `${origin}\n${size}\n${Buffer.from(root).toString("base64")}\nchain ${chain}\nat ${at}\n`

/** The note of a text and the signature over it. */
export const signedNote = (
  text: string,
  { name, publicKey, signature }: { name: string; publicKey: Uint8Array; signature: Uint8Array },
): string => `${text}\n— ${name} ${Buffer.concat([keyId(name, publicKey), signature]).toString("base64")}\n`

const TEXT =
  /^([^\n]+)\n(0|[1-9]\d{0,15})\n([A-Za-z0-9+/]{43}=)\nchain ([0-9a-f]{64})\nat ([0-9T:.Z-]{27})\n$/

const checkpointOf = (text: string): Checkpoint | null => {
  const match = TEXT.exec(text)
  if (!match) return null
  const [, origin = "", size, root = "", chain = "", at = ""] = match
  const bytes = Buffer.from(root, "base64")
  if (bytes.length !== HASH_BYTES || bytes.toString("base64") !== root) return null
  return { origin, size: Number(size), root: bytes, chain, at }
}

const NOTE = /^([\s\S]*\n)\n— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})\n$/

/**
 * The text of a note that is a checkpoint of this origin, whoever signed it; `null` for all else. Who signs it again signs nothing
 * but a checkpoint of that chain: any other text is somebody's who wants a signature.
 */
export const noteText = (note: string, origin: string): string | null => {
  const [, text = "", name] = NOTE.exec(note) ?? []
  return name === origin && checkpointOf(text)?.origin === origin ? text : null
}

/** What the note says if one of the keys signed it for this origin; `null` for all else, down to a byte too many. */
export const openNote = (
  note: string,
  origin: string,
  { publicKeys, check }: NoteKeys,
): Checkpoint | null => {
  const match = NOTE.exec(note)
  if (!match) return null
  const [, text = "", name = "", signed = ""] = match
  const bytes = Buffer.from(signed, "base64")
  if (bytes.length !== KEY_ID_BYTES + SIGNATURE_BYTES || bytes.toString("base64") !== signed) return null
  const checkpoint = checkpointOf(text)
  if (checkpoint?.origin !== origin || name !== origin) return null
  const isSigned = publicKeys.some(
    (key) =>
      bytes.subarray(0, KEY_ID_BYTES).equals(keyId(name, key)) &&
      check(key, text, bytes.subarray(KEY_ID_BYTES)),
  )
  return isSigned ? checkpoint : null
}
