import { type ChainHead, entryHash, GENESIS_HEAD } from "../audit/chain.ts"
import { HASH_BYTES } from "../audit/merkle.ts"
import { type AuditPerson, isCalled } from "../audit/people.ts"
import type { Json, JsonObject } from "../json.ts"
import { type ArchiveRow, invalid, timeOf } from "./rows.ts"

const hexOf = (value: Json | undefined): string => (value as string).slice(2)
const bytesOf = (value: Json | undefined): Uint8Array => Buffer.from(hexOf(value), "hex")

/**
 * The chain of an archive's audit, computed again, and held to what its head and its checkpoints say. Signatures are for
 * whoever has the key: after a restore `POST /api/v1/audit/verify` looks at them as ever.
 */
export class AuditJudge {
  #last: ChainHead | null = null
  /** The number of the first entry that is kept, and the hash of the one before it. */
  #first = 1
  #before: string = GENESIS_HEAD.hash
  #head: { row: ArchiveRow; seq: number; hash: string } | null = null
  #covered = 0
  /** Of the entries that are kept, 32 bytes each. */
  #hashes: Buffer = Buffer.alloc(1024 * HASH_BYTES)
  #drop: { through: number; note: string } | null = null

  person(row: ArchiveRow): void {
    const { pseudonym, subject, salt } = row.values
    const person: AuditPerson = {
      pseudonym: pseudonym as string,
      subject: subject as string,
      salt: bytesOf(salt),
    }
    if (person.salt.length !== 32 || !isCalled(person))
      throw invalid(row.table, row.nth, "the pseudonym was not made of this subject")
  }

  key(row: ArchiveRow): void {
    if ([row.values.inner_block, row.values.outer_block].some((block) => bytesOf(block).length !== 64))
      throw invalid(row.table, row.nth, "a block of the key is not 64 bytes long")
  }

  entry(row: ArchiveRow): void {
    const seq = row.values.seq as number
    const [at, body, prev, hash] = [
      timeOf(row.values.at),
      row.values.body as string,
      hexOf(row.values.prev),
      hexOf(row.values.hash),
    ]
    const refuse = (what: string) => invalid(row.table, row.nth, `entry ${seq}: ${what}`)
    if (this.#last === null) {
      this.#first = seq
      this.#before = prev
      if (seq === 1 && prev !== GENESIS_HEAD.hash) throw refuse("it does not begin the chain")
      this.#last = { seq: seq - 1, hash: prev }
    }
    if (seq !== this.#last.seq + 1 || prev !== this.#last.hash)
      throw refuse("it does not follow the entry before it")
    if (!isBody(body)) throw refuse("its body is no JSON")
    if (entryHash(prev, `{"at":"${at}","body":${body},"seq":${seq}}`) !== hash)
      throw refuse("it is not what its hash says")
    this.#last = { seq, hash }
    this.#remember(seq, hash)
  }

  head(row: ArchiveRow): void {
    this.#head = { row, seq: row.values.seq as number, hash: hexOf(row.values.hash) }
  }

  checkpoint(row: ArchiveRow): void {
    const { size, after, hashes: given, note } = row.values as { size: number; after: number } & JsonObject
    const hashes = bytesOf(given)
    const refuse = (what: string) => invalid(row.table, row.nth, `checkpoint ${size}: ${what}`)
    if (after !== this.#covered || hashes.length !== (size - after) * HASH_BYTES)
      throw refuse("it does not follow the one before it")
    for (let seq = after + 1; seq <= size; seq++) {
      const at = (seq - after - 1) * HASH_BYTES
      if (seq >= this.#first && !this.#isKept(seq, hashes.subarray(at, at + HASH_BYTES)))
        throw refuse(`entry ${seq} is not what was signed`)
    }
    if (!(note as string).split("\n").includes(String(size))) throw refuse("its note is of another size")
    this.#covered = size
  }

  drop(row: ArchiveRow): void {
    const { through, note } = row.values as { through: number; note: string }
    if (!note.split("\n").includes(String(through)))
      throw invalid(row.table, row.nth, `drop ${through}: its note is of another size`)
    if (through > (this.#drop?.through ?? 0)) this.#drop = { through, note }
  }

  finish(): void {
    const last = this.#last ?? GENESIS_HEAD
    const head = this.#head ?? { seq: 0, hash: GENESIS_HEAD.hash }
    if (this.#last === null && head.seq === 0) return
    if (head.seq !== last.seq || head.hash !== last.hash)
      throw invalid("audit_heads", this.#head?.row.nth ?? null, "the chain does not end where it says")
    if (this.#first === 1) return
    const before = this.#first - 1
    const isSaid = this.#drop?.through === before && this.#beginsWith(this.#drop.note)
    if (!isSaid) throw invalid("audit_entries", 1, `entries 1 to ${before} are missing, and no drop says why`)
  }

  #remember(seq: number, hash: string): void {
    const at = (seq - this.#first) * HASH_BYTES
    if (at === this.#hashes.length) this.#hashes = Buffer.concat([this.#hashes, Buffer.alloc(at)])
    this.#hashes.write(hash, at, "hex")
  }

  #isKept(seq: number, hash: Uint8Array): boolean {
    const at = (seq - this.#first) * HASH_BYTES
    return seq <= (this.#last?.seq ?? 0) && this.#hashes.subarray(at, at + HASH_BYTES).equals(hash)
  }

  /** The word that entries were dropped names the hash of the last of them. */
  #beginsWith(note: string): boolean {
    return /\nchain ([0-9a-f]{64})\n/.exec(note)?.[1] === this.#before
  }
}

const isBody = (text: string): boolean => {
  try {
    const value = JSON.parse(text) as Json
    return typeof value === "object" && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}
