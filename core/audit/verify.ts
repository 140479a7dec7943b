import { sha256Bytes } from "../hash.ts"
import type { ScopeId } from "../ids.ts"
import { type ChainHead, entryHash, GENESIS_HEAD } from "./chain.ts"
import { type Checkpoint, droppedOrigin, type NoteKeys, openNote, originOf } from "./checkpoint.ts"
import { emptyTree, frontierLength, grow, HASH_BYTES, rootOf, type Tree } from "./merkle.ts"

/** An entry whose body is still the text that was hashed. */
export interface KeptEntry {
  seq: number
  at: string
  /** Canonical JSON. */
  body: string
  prev: string
  hash: string
}

/** A checkpoint with the hashes of the entries since the one before: says of each entry what it was. */
export interface SignedPiece {
  /** The size of the checkpoint before. */
  after: number
  size: number
  note: string
  /** 32 bytes an entry. */
  hashes: Uint8Array
}

/** Where the entries begin that are there. */
export interface Beginning {
  /** What comes before the first entry. */
  head: ChainHead
  /** A checkpoint of some size up to there, and the subtrees its root is made of. `null`: the pieces begin with the first. */
  base: { note: string; frontier: Uint8Array } | null
  /** The signed word that what comes before was dropped because of its age. */
  drop: string | null
}

export interface AuditVerdict {
  ok: boolean
  /** How many entries are whole, counted from the first given. */
  entries: number
  /** The last whole entry. */
  head: ChainHead
  /** Entries up to this number are as they were signed; those after it are only chained as yet. */
  signed: number
  /** The number of the first entry that is altered, missing or out of its place. */
  firstBroken?: number
  /** What is wrong with it. */
  reason?: string
}

const INSTANT = /^\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/

/** What an entry's hash is over, from its parts as they are kept. */
const textOf = ({ at, body, seq }: KeptEntry): string => `{"at":"${at}","body":${body},"seq":${seq}}`

const hexOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex")

/** What is wrong with an entry as the next one after `last`; `null`: nothing. */
const faultOf = (entry: KeptEntry, last: ChainHead): string | null => {
  if (entry.seq > last.seq + 1) return "it is missing"
  if (entry.seq !== last.seq + 1) return "another entry stands in its place"
  if (entry.prev !== last.hash) return "it does not follow the entry before it"
  if (!INSTANT.test(entry.at) || entry.hash !== entryHash(entry.prev, textOf(entry)))
    return "it is not what its hash says"
  return null
}

/** Checks a scope's audit entries one after another: the chain, and what was signed of it. */
export class Verifier {
  readonly #origin: string
  readonly #keys: NoteKeys
  readonly #tree: Tree = emptyTree()
  readonly #pieces: SignedPiece[] = []
  /** What pieces were, and the roots that are known from elsewhere; hex, by size. */
  readonly #kept = new Map<number, { root: string; hashes: string | null }>()
  readonly #expected = new Map<number, string>()
  /** Of the roots that are known from elsewhere those that were held against what is there. */
  readonly #compared = new Set<number>()
  #last: ChainHead = GENESIS_HEAD
  #entries = 0
  #signed = 0
  #broken: { seq: number; reason: string } | null = null

  constructor(scope: ScopeId, keys: NoteKeys) {
    this.#origin = originOf(scope)
    this.#keys = keys
  }

  get isBroken(): boolean {
    return this.#broken !== null
  }

  /** A signed note alone, kept elsewhere. Before all else. */
  known(note: string): void {
    const checkpoint = openNote(note, this.#origin, this.#keys)
    if (checkpoint === null) {
      this.#fail(1, "the checkpoint that was kept is not signed")
      return
    }
    const { size } = checkpoint
    const root = hexOf(checkpoint.root)
    if ((this.#expected.get(size) ?? root) !== root)
      this.#fail(1, `two checkpoints of size ${size} that were kept contradict each other`)
    this.#expected.set(size, root)
  }

  /** Where what is given begins. `partial`: a stretch of the chain was asked for, not all that is kept. */
  begin(beginning: Beginning, partial: boolean): void {
    this.#last = beginning.head
    const fault = this.#baseFault(beginning)
    if (fault !== null) this.#fail(this.#last.seq + 1, fault)
    const { seq, hash } = this.#last
    if (partial || (seq === 0 && hash === GENESIS_HEAD.hash)) {
      if (beginning.drop !== null) this.#fail(seq + 1, "it is said that entries before it were dropped")
      return
    }
    const drop = beginning.drop && openNote(beginning.drop, droppedOrigin(this.#origin), this.#keys)
    if (!drop || drop.size !== seq || drop.chain !== hash)
      this.#fail(1, "it is missing, and nothing signed says that it was dropped because of its age")
  }

  /** Before the entries it covers. Those kept elsewhere go before `begin`, and what comes later must agree with them. */
  piece(piece: SignedPiece): void {
    if (this.#broken) return
    const fault = this.#pieceFault(piece, openNote(piece.note, this.#origin, this.#keys))
    if (fault !== null) this.#fail(Math.min(piece.after, this.#tree.size) + 1, `its checkpoint ${fault}`)
  }

  entry(entry: KeptEntry): void {
    if (this.#broken) return
    const next = this.#last.seq + 1
    const fault = faultOf(entry, this.#last) ?? this.#signedFault(entry)
    if (fault !== null) this.#fail(next, fault)
    else if (next === this.#tree.size + 1) this.#addLeaf(Buffer.from(entry.hash, "hex"))
    if (this.#broken) return
    this.#last = { seq: next, hash: entry.hash }
    this.#entries++
  }

  /** Something else is wrong with what was given, where the next entry was expected. */
  refuse(reason: string): void {
    this.#fail(this.#last.seq + 1, reason)
  }

  /** `whole`: what was given should reach everything that is signed. */
  end(whole: boolean): AuditVerdict {
    const reach = Math.max(this.#signed, ...this.#expected.keys())
    if (whole && reach > this.#last.seq)
      this.#fail(this.#last.seq + 1, `it is missing, though ${reach} entries are signed`)
    const idle = [...this.#expected.keys()].find((size) => size > 0 && !this.#compared.has(size))
    if (whole && idle !== undefined)
      this.#fail(
        1,
        `what was kept, of size ${idle}, is from before what is there: it takes the checkpoints too`,
      )
    const signed = Math.min(this.#signed, this.#last.seq)
    const verdict = { ok: this.#broken === null, entries: this.#entries, head: this.#last, signed }
    return this.#broken === null
      ? verdict
      : { ...verdict, firstBroken: this.#broken.seq, reason: this.#broken.reason }
  }

  #fail(seq: number, reason: string): void {
    this.#broken ??= { seq, reason }
  }

  #addLeaf(hash: Uint8Array): void {
    grow(this.#tree, hash)
    const { size } = this.#tree
    const root = this.#expected.get(size)
    if (root === undefined) return
    this.#compared.add(size)
    if (root === hexOf(rootOf(this.#tree))) this.#signed = Math.max(this.#signed, size)
    else this.#fail(Math.min(this.#signed, size - 1) + 1, `something up to ${size} is not what was signed`)
  }

  #signedFault({ seq, hash }: KeptEntry): string | null {
    while (this.#pieces[0] !== undefined && this.#pieces[0].size < seq) this.#pieces.shift()
    const [piece] = this.#pieces
    if (piece === undefined || seq <= piece.after) return null
    const at = (seq - piece.after - 1) * HASH_BYTES
    return hexOf(piece.hashes.subarray(at, at + HASH_BYTES)) === hash ? null : "it is not what was signed"
  }

  #pieceFault(piece: SignedPiece, checkpoint: Checkpoint | null): string | null {
    const { after, size, hashes } = piece
    if (checkpoint?.size !== size || hashes.length !== (size - after) * HASH_BYTES || hashes.length === 0)
      return `of size ${size} is not signed`
    const own = { root: hexOf(checkpoint.root), hashes: hexOf(sha256Bytes(hashes)) }
    if (size <= this.#tree.size) {
      const kept = this.#kept.get(size)
      return kept?.root === own.root && kept.hashes === own.hashes ? null : "is another than the one kept"
    }
    if (after !== this.#tree.size) return "is missing"
    for (let at = 0; at < hashes.length; at += HASH_BYTES) this.#addLeaf(hashes.subarray(at, at + HASH_BYTES))
    const isWhole =
      hexOf(rootOf(this.#tree)) === hexOf(checkpoint.root) &&
      hexOf(hashes.subarray(-HASH_BYTES)) === checkpoint.chain
    if (!isWhole) return `of size ${size} does not fit its hashes`
    this.#kept.set(size, own)
    this.#signed = size
    this.#pieces.push(piece)
    return null
  }

  #baseFault({ base, head }: Beginning): string | null {
    if (base === null) return null
    const checkpoint = openNote(base.note, this.#origin, this.#keys)
    if (checkpoint === null) return "the checkpoint before it is not signed"
    const root = hexOf(checkpoint.root)
    const frontier = Array.from({ length: base.frontier.length / HASH_BYTES }, (_, nth) =>
      base.frontier.subarray(nth * HASH_BYTES, (nth + 1) * HASH_BYTES),
    )
    if (
      frontier.length !== frontierLength(checkpoint.size) ||
      hexOf(rootOf({ size: checkpoint.size, frontier })) !== root
    )
      return "the checkpoint before it does not fit its subtrees"
    if (checkpoint.size > head.seq || (checkpoint.size === head.seq && checkpoint.chain !== head.hash))
      return "the checkpoint before it is of other entries"
    if (this.#tree.size > 0)
      return this.#kept.get(checkpoint.size)?.root === root
        ? null
        : "the checkpoint before it is another than the one kept"
    if ((this.#expected.get(checkpoint.size) ?? root) !== root)
      return "the checkpoint before it is another than the one kept"
    this.#compared.add(checkpoint.size)
    this.#tree.size = checkpoint.size
    this.#tree.frontier = frontier
    this.#kept.set(checkpoint.size, { root, hashes: null })
    this.#signed = checkpoint.size
    return null
  }
}
