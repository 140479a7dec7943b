import { type Sign, TICKET_KEY_NAME } from "../../core/flag/stream-ticket.ts"

const encoder = new TextEncoder()
const HMAC = { name: "HMAC", hash: "SHA-256" }

type Key = Awaited<ReturnType<typeof crypto.subtle.importKey>>

const hmacKey = (bytes: Uint8Array | ArrayBuffer): Promise<Key> =>
  crypto.subtle.importKey("raw", bytes as ArrayBuffer, HMAC, false, ["sign"])

const hexOf = (bytes: ArrayBuffer): string =>
  Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("")

/** Signs and checks stream tickets with what the origin derives of the same secret. */
export const createTicketSigner = (secret: string): Sign => {
  // Kept once it is there: a promise belongs to the request that began it.
  let key: Key | null = null
  return async (text) => {
    key ??= await hmacKey(
      await crypto.subtle.sign(
        "HMAC",
        await hmacKey(encoder.encode(secret)),
        encoder.encode(TICKET_KEY_NAME),
      ),
    )
    return hexOf(await crypto.subtle.sign("HMAC", key, encoder.encode(text)))
  }
}
