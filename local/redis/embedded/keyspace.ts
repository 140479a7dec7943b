import { wrongType } from "../reply.ts"
import { SortedSet } from "./sorted-set.ts"

export type Value = string | Map<string, string> | Set<string> | string[] | SortedSet
export type TypeName = "string" | "hash" | "set" | "list" | "zset"

interface Entry {
  value: Value
  /** Milliseconds since the epoch; Infinity for keys that stay. */
  expiresAtMs: number
}

const SWEEP_ENTRIES = 2_000

export const typeOf = (value: Value): TypeName => {
  if (typeof value === "string") return "string"
  if (value instanceof Map) return "hash"
  if (value instanceof Set) return "set"
  return Array.isArray(value) ? "list" : "zset"
}

/** The keys and what they hold. Expired keys are not there, whether or not their memory is freed yet. */
export class Keyspace {
  readonly #entries = new Map<string, Entry>()
  readonly #now: () => number
  #sweep: Iterator<[string, Entry]> = this.#entries.entries()

  constructor(now: () => number) {
    this.#now = now
  }

  now(): number {
    return this.#now()
  }

  find(key: string): Value | undefined {
    return this.#alive(key)?.value
  }

  /** Stores a value; an expiry is forgotten unless it is handed in again. */
  put(key: string, value: Value, expiresAtMs = Infinity): void {
    if (expiresAtMs <= this.#now()) this.#entries.delete(key)
    else this.#entries.set(key, { value, expiresAtMs })
  }

  /** Stores another string under a key and leaves its expiry. */
  replaceString(key: string, value: string): void {
    this.put(key, value, this.expiresAtMs(key) ?? Infinity)
  }

  delete(key: string): boolean {
    return this.#alive(key) !== undefined && this.#entries.delete(key)
  }

  /** When the key expires: Infinity if never, `undefined` if there is no such key. */
  expiresAtMs(key: string): number | undefined {
    return this.#alive(key)?.expiresAtMs
  }

  expireAt(key: string, expiresAtMs: number): void {
    const entry = this.#alive(key)
    if (entry === undefined) return
    if (expiresAtMs <= this.#now()) this.#entries.delete(key)
    else entry.expiresAtMs = expiresAtMs
  }

  string(key: string): string | undefined {
    const value = this.find(key)
    if (value === undefined || typeof value === "string") return value
    throw wrongType()
  }
  hash(key: string): Map<string, string> | undefined {
    const value = this.find(key)
    if (value === undefined || value instanceof Map) return value
    throw wrongType()
  }
  set(key: string): Set<string> | undefined {
    const value = this.find(key)
    if (value === undefined || value instanceof Set) return value
    throw wrongType()
  }
  list(key: string): string[] | undefined {
    const value = this.find(key)
    if (value === undefined || Array.isArray(value)) return value
    throw wrongType()
  }
  sortedSet(key: string): SortedSet | undefined {
    const value = this.find(key)
    if (value === undefined || value instanceof SortedSet) return value
    throw wrongType()
  }

  /** A collection that has become empty is no key any more. */
  deleteIfEmpty(key: string): void {
    const value = this.find(key)
    if (value === undefined || typeof value === "string") return
    if ((Array.isArray(value) ? value.length : value.size) === 0) this.#entries.delete(key)
  }

  *keys(): Generator<string> {
    const now = this.#now()
    for (const [key, entry] of this.#entries) if (entry.expiresAtMs > now) yield key
  }

  count(): number {
    let count = 0
    for (const _ of this.keys()) count += 1
    return count
  }

  clear(): void {
    this.#entries.clear()
  }

  /** Frees the memory of some expired keys; called now and then, it gets round to all of them. */
  sweep(): void {
    const now = this.#now()
    for (let i = 0; i < SWEEP_ENTRIES; i++) {
      const next = this.#sweep.next()
      if (next.done) {
        this.#sweep = this.#entries.entries()
        return
      }
      if (next.value[1].expiresAtMs <= now) this.#entries.delete(next.value[0])
    }
  }

  #alive(key: string): Entry | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined || entry.expiresAtMs > this.#now()) return entry
    this.#entries.delete(key)
    return undefined
  }
}
