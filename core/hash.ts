import { createHash, hash } from "node:crypto"

// Not for the edge, which has no node:crypto and uses WebCrypto.

/** SHA-256 of the text's UTF-8, 64 hex digits. */
export const sha256Hex = (text: string): string => hash("sha256", text, "hex")

/** `SHA-256(0x00 ‖ the bytes of prevHex ‖ the text's UTF-8)`, hex: one link of a hash chain. */
export const chainedSha256Hex = (prevHex: string, text: string): string =>
  createHash("sha256").update("\0").update(prevHex, "hex").update(text, "utf8").digest("hex")
