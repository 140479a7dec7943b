import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject, sign, verify } from "node:crypto"
import type { JSONWebKeySet } from "jose"
import { type Checkpoint, checkpointText, type NoteKeys, signedNote } from "../../core/audit/checkpoint.ts"

/** Signs what checkpoints say. */
export interface CheckpointSigner {
  keys: NoteKeys
  sign(checkpoint: Checkpoint): string
  /** The signature over a text, and by which key. */
  signText(text: string): { publicKey: Uint8Array; signature: Uint8Array }
}

const bytesOf = ({ x }: JsonWebKey): Uint8Array => Buffer.from(x ?? "", "base64url")

const publicKeyOf = (bytes: Uint8Array): KeyObject =>
  createPublicKey({
    key: { kty: "OKP", crv: "Ed25519", x: Buffer.from(bytes).toString("base64url") },
    format: "jwk",
  })

/** The public halves of the set, for whoever checks notes. */
export const noteKeys = ({ keys }: JSONWebKeySet): NoteKeys => {
  const known = new Map<string, KeyObject>()
  const keyOf = (bytes: Uint8Array): KeyObject => {
    const name = Buffer.from(bytes).toString("hex")
    const key = known.get(name) ?? publicKeyOf(bytes)
    known.set(name, key)
    return key
  }
  return {
    publicKeys: keys.map((key) => bytesOf(key as JsonWebKey)),
    check: (publicKey, text, signature) => verify(null, Buffer.from(text), keyOf(publicKey), signature),
  }
}

/** Ed25519 with the first private key of the set. Throws when there is none. */
export const checkpointSigner = (set: JSONWebKeySet): CheckpointSigner => {
  const jwk = set.keys.find((key) => typeof key.d === "string") as JsonWebKey | undefined
  if (!jwk) throw new Error("HOTSWAP_AUDIT_KEY holds no private Ed25519 key")
  const key = createPrivateKey({ key: jwk, format: "jwk" })
  const signText = (text: string) => ({
    publicKey: bytesOf(jwk),
    signature: sign(null, Buffer.from(text), key),
  })
  return {
    keys: noteKeys(set),
    signText,
    sign: (checkpoint) => {
      const text = checkpointText(checkpoint)
      return signedNote(text, { name: checkpoint.origin, ...signText(text) })
    },
  }
}
