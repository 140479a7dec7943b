import { createPrivateKey, createPublicKey, hkdfSync, type JsonWebKey, verify } from "node:crypto"
import { CompactEncrypt, compactDecrypt, type JSONWebKeySet, type JWK } from "jose"
import { type HandOver, handOverText, type SignedHandOver } from "../../core/backup/hand-over.ts"
import type { WrappedArchiveKey } from "../../core/backup/manifest.ts"
import { Refusal } from "../../core/errors.ts"
import type { ScopeId } from "../../core/ids.ts"
import { isPublicKey } from "../../core/public-key.ts"
import { keyNameBytes } from "../../core/secret/place.ts"
import type { ArchiveKeys } from "./archive/key-opening.ts"
import type { CheckpointSigner } from "./checkpoint-signer.ts"
import type { KeyOpener } from "./keys/archive-keys.ts"
import type { KeyRing } from "./keys/key-ring.ts"
import { KEY_BYTES, open, seal } from "./keys/sealing.ts"

/** Whom an archive's key is wrapped for, and whose rows are in it: it opens for no other and as nobody else's. */
export interface Addressed {
  source: string
  /** The receiving key, base64url. */
  to: string
}

/** What opens archives that other deployments made for this one. */
export interface Receiver {
  /** The first is the one that others are told. */
  receivingKeys: readonly string[]
  /** The archive's key. Throws Refusal HAND_OVER_MISADDRESSED, or ARCHIVE_KEY_UNKNOWN for what was altered. */
  unwrap(addressed: Addressed, jwe: string): Promise<Uint8Array>
}

const ALGORITHM = "ECDH-ES+A256KW"
const ENCRYPTION = "A256GCM"

const publicJwk = (crv: "Ed25519" | "X25519", x: string): JWK => ({ kty: "OKP", crv, x })

const aboutOf = ({ source, to }: Addressed): string => ["hotswap hand-over 1", source, to].join("\n")

/** The archive's key, so that only the owner of the receiving key has it (RFC 7518, ECDH-ES+A256KW over X25519, RFC 8037). */
export const wrapFor = async (addressed: Addressed, key: Uint8Array): Promise<string> =>
  await new CompactEncrypt(key)
    .setProtectedHeader({ alg: ALGORITHM, enc: ENCRYPTION, about: aboutOf(addressed) })
    .encrypt(createPublicKey({ key: publicJwk("X25519", addressed.to) as JsonWebKey, format: "jwk" }))

/** Opens with the private keys of the set. */
export const receiverOf = ({ keys }: JSONWebKeySet): Receiver => {
  const known = new Map(
    keys.map((jwk) => [String(jwk.x), createPrivateKey({ key: jwk as JsonWebKey, format: "jwk" })]),
  )
  return {
    receivingKeys: [...known.keys()],
    unwrap: async (addressed, jwe) => {
      const key = known.get(addressed.to)
      if (!key)
        throw new Refusal("HAND_OVER_MISADDRESSED", `It is for the deployment with the key ${addressed.to}.`)
      const options = { keyManagementAlgorithms: [ALGORITHM], contentEncryptionAlgorithms: [ENCRYPTION] }
      try {
        const { plaintext, protectedHeader } = await compactDecrypt(jwe, key, options)
        if (protectedHeader.about === aboutOf(addressed) && plaintext.length === KEY_BYTES) return plaintext
      } catch (error) {
        if (error instanceof Refusal) throw error
      }
      throw new Refusal("ARCHIVE_KEY_UNKNOWN", "The key that came with the archive does not open here.")
    },
  }
}

/** Signs with the audit's key, in the name of this deployment. */
export const signHandOver = (
  signer: CheckpointSigner,
  given: Omit<HandOver, "format" | "from"> & { name: string },
): SignedHandOver => {
  const { name, ...rest } = given
  const from = { name, signingKey: signingKeyOf(signer) }
  const statement: HandOver = { format: "hotswap-hand-over/1", ...rest, from }
  const { signature } = signer.signText(handOverText(statement))
  return { statement, signature: Buffer.from(signature).toString("base64url") }
}

/** By which others know what this deployment has signed. */
const signingKeyOf = (signer: CheckpointSigner): string =>
  Buffer.from(signer.keys.publicKeys[0]!).toString("base64url")

/** Ed25519; `false` for a key that is none as well. */
export const isSignedBy = (publicKey: string, text: string, signature: string): boolean => {
  if (!isPublicKey(publicKey)) return false
  try {
    const key = createPublicKey({ key: publicJwk("Ed25519", publicKey) as JsonWebKey, format: "jwk" })
    return verify(null, Buffer.from(text), key, Buffer.from(signature, "base64url"))
  } catch {
    return false
  }
}

const HANDED_OVER = "hand_over"

/** A wrapping key that exists for one archive only: data keys travel under it, as no key ring leaves its deployment. */
export const travellingRing = (archiveKey: Uint8Array): Pick<KeyRing, "wrap" | "unwrap"> => {
  const key = new Uint8Array(hkdfSync("sha256", archiveKey, "", "hotswap hand-over data keys 1", KEY_BYTES))
  return {
    wrap: async (name, dataKey) => ({ bytes: seal(key, dataKey, keyNameBytes(name)), by: HANDED_OVER }),
    unwrap: async (name, { bytes }) => open(key, bytes, keyNameBytes(name)),
  }
}

/** Where a hand-over is on its way out: apart from the archives that open here. */
export const handOverRoot = (source: ScopeId, backupId: string): string => `hand-overs/${source}/${backupId}`
/** What the other deployment is told of it, and which parts there are: here nobody can open its manifest. */
export const statementName = (source: ScopeId, backupId: string): string =>
  `${handOverRoot(source, backupId)}/statement`

/** Seals an archive for one other deployment. `key` is made for it alone. */
export const keysFor = (key: Uint8Array, to: string): ArchiveKeys => ({
  forWriting: async (source) => ({
    key,
    wrapped: { by: HANDED_OVER, to, jwe: await wrapFor({ source, to }, key) },
  }),
  opened: async () => ({ key }),
})

/** A key that is made again by whoever goes on with the same archive, and tells nothing of the one it is made from. */
export const oneOffKey = (scopeKey: Uint8Array, backupId: string, to: string): Uint8Array =>
  new Uint8Array(hkdfSync("sha256", scopeKey, backupId, `hotswap hand-over archive 1\n${to}`, KEY_BYTES))

/** Opens archives that were handed to this deployment, and the data keys in them. */
const handOverOpener =
  (receiver: Receiver | null): KeyOpener =>
  async (source, { to, jwe }) => {
    if (typeof to !== "string" || typeof jwe !== "string")
      throw new Refusal("ARCHIVE_KEY_UNKNOWN", "The key that came with the archive is not written as one.")
    if (!receiver)
      throw new Refusal("HAND_OVER_UNSUPPORTED", "There is no key to open what was handed over with.")
    const key = await receiver.unwrap({ source, to }, jwe)
    return { key, unwrap: travellingRing(key).unwrap }
  }

/** Such openers by what a manifest says of its key. */
export const openersOf = (handOverKey: JSONWebKeySet | null): Readonly<Record<string, KeyOpener>> => ({
  [HANDED_OVER]: handOverOpener(handOverKey && receiverOf(handOverKey)),
})

export const isHandedOver = ({ by }: WrappedArchiveKey): boolean => by === HANDED_OVER
