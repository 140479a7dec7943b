import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto"

export const KEY_BYTES = 32
/** NIST SP 800-38D: 96 bits, from chance; one key seals far fewer than 2^32 values. */
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** AES-256-GCM: nonce, ciphertext and tag in one. `about` is bound to it, and not in it. */
export const seal = (key: Uint8Array, plain: Uint8Array, about: Uint8Array): Uint8Array => {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(about)
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** It is damaged, sealed under another key, or moved from where it belongs. Holds nothing of it. */
export class NotOpened extends Error {
  constructor() {
    super("what was sealed does not open here")
    this.name = "NotOpened"
  }
}

/** Throws {@link NotOpened}. */
export const open = (key: Uint8Array, sealed: Uint8Array, about: Uint8Array): Uint8Array => {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) throw new NotOpened()
  const cipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
  cipher.setAAD(about)
  cipher.setAuthTag(sealed.subarray(-TAG_BYTES))
  try {
    const plain = cipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES))
    // Says whether it is what was sealed; in this mode there is nothing left to come.
    cipher.final()
    return plain
  } catch {
    throw new NotOpened()
  }
}
