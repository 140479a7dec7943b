import { hash } from "node:crypto"

// Not for the edge, which has no node:crypto and uses WebCrypto.

/** SHA-256 of the text's UTF-8, 64 hex digits. */
export const sha256Hex = (text: string): string => hash("sha256", text, "hex")

const ZERO = Uint8Array.of(0)

/** `SHA-256(0x00 ‖ the bytes of prevHex ‖ the text's UTF-8)`, hex: one link of a hash chain. */
export const chainedSha256Hex = (prevHex: string, text: string): string =>
  hash("sha256", Buffer.concat([ZERO, Buffer.from(prevHex, "hex"), Buffer.from(text)]), "hex")

/** SHA-256 of the parts one after another, 32 bytes. */
export const sha256Bytes = (...parts: readonly Uint8Array[]): Uint8Array =>
  hash("sha256", Buffer.concat(parts), "buffer")
