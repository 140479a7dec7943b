import { chainedSha256Hex } from "../hash.ts"
import { canonical, type Json } from "../json.ts"
import { type AuditBody, type AuditEntry, GENESIS } from "./entry.ts"

/** What an entry's hash is over, besides the hash before it: RFC 8785 canonical JSON of `{at, body, seq}`. */
export const entryText = (at: string, body: AuditBody, seq: number): string =>
  canonical({ at, body: body as unknown as Json, seq })

/** `SHA-256(0x00 ‖ prev ‖ text)`: the byte before tells entries from other things that may be hashed. */
export const entryHash = (prevHex: string, text: string): string => chainedSha256Hex(prevHex, text)

/** The last entry that somebody trusts: kept elsewhere, it also shows that a chain was cut short. */
export interface ChainHead {
  seq: number
  hash: string
}

export interface ChainVerdict {
  ok: boolean
  /** How many entries are whole, counted from the first given. */
  entries: number
  /** The last whole entry. */
  head: ChainHead
  /** The number of the first entry that is altered, missing or out of its place. */
  firstBroken?: number
}

/** The head of a chain without entries. */
export const GENESIS_HEAD: ChainHead = { seq: 0, hash: GENESIS }

/**
 * Checks a chain from its first entry; a part of one from the head before it (`from`). With `head`, the
 * chain must reach at least that entry, with that hash.
 */
export const verifyChain = (
  entries: Iterable<AuditEntry>,
  head: ChainHead | null = null,
  from: ChainHead = GENESIS_HEAD,
): ChainVerdict => {
  let last = from
  let count = 0
  const broken = (): ChainVerdict => ({ ok: false, entries: count, head: last, firstBroken: last.seq + 1 })
  for (const entry of entries) {
    const { seq, at, body, prev, hash } = entry
    if (seq !== last.seq + 1 || prev !== last.hash) return broken()
    if (hash !== entryHash(prev, entryText(at, body, seq))) return broken()
    if (head?.seq === seq && head.hash !== hash) return broken()
    last = { seq, hash }
    count++
  }
  return head !== null && head.seq > last.seq ? broken() : { ok: true, entries: count, head: last }
}
