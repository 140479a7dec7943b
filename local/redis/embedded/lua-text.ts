const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Lua strings are bytes, the strings of the keyspace are text: UTF-8 lies between them. */
export const toLua = (text: string): Uint8Array => encoder.encode(text)
/** Bytes that are no UTF-8, which only a script can make, become U+FFFD. */
export const fromLua = (bytes: Uint8Array): string => decoder.decode(bytes)
