import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto"

// PostgreSQL's own: more would be asked of each connection that is opened.
const ITERATIONS = 4_096
const SALT_BYTES = 16
const HASH_BYTES = 32
/** Other text is normalised by the server first (RFC 4013), which is left to it. */
const PLAIN = /^[\x20-\x7e]+$/

/**
 * What PostgreSQL keeps of a password, so that the password itself is in no statement, and in no log of statements
 * (RFC 5802, section 3; `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`). Text beyond ASCII comes back as it is.
 */
export const scramVerifier = (password: string, salt: Uint8Array = randomBytes(SALT_BYTES)): string => {
  if (!PLAIN.test(password)) return password
  const salted = pbkdf2Sync(password, salt, ITERATIONS, HASH_BYTES, "sha256")
  const keyed = (text: string): Buffer => createHmac("sha256", salted).update(text).digest()
  const stored = createHash("sha256").update(keyed("Client Key")).digest("base64")
  const server = keyed("Server Key").toString("base64")
  return `SCRAM-SHA-256$${ITERATIONS}:${Buffer.from(salt).toString("base64")}$${stored}:${server}`
}
