import { droppedOrigin, openNote, originOf } from "../../core/audit/checkpoint.ts"
import { pieceLine } from "../../core/audit/export.ts"
import { grow, HASH_BYTES, rootOf, type Tree } from "../../core/audit/merkle.ts"
import { readPiece } from "../../core/audit/read-export.ts"
import type { SignedPiece } from "../../core/audit/verify.ts"
import type { ScopeId } from "../../core/ids.ts"
import type { Database } from "../../db/client.ts"
import {
  addCheckpoint,
  type Droppable,
  dropEntries,
  droppableChains,
  entryHashes,
  type GrownChain,
  grownChains,
  signedSoFar,
} from "../../db/queries/audit-signing.ts"
import type { BlobStore } from "../platform/blob-store.ts"
import type { CheckpointSigner } from "../platform/checkpoint-signer.ts"
import type { Clock } from "../platform/clock.ts"
import type { Log } from "../platform/log.ts"

export interface CheckpointDeps {
  system: Database
  signer: CheckpointSigner
  /** Where a copy is kept that nobody can alter; absent, the database has the only one. */
  blobs: Pick<BlobStore, "putOnce" | "get"> | undefined
  clock: Clock
  log: Log
}

const CHAINS_MAX = 500
const ROUNDS_MAX = 20
/** Entries that one checkpoint covers: its hashes are a row. */
const PIECE_MAX = 4_096
const DROPS_MAX = 20
/** Whatever a scope's retention says. */
const KEPT_MIN_MS = 90 * 86_400_000

const parted = (bytes: Uint8Array): Uint8Array[] =>
  Array.from({ length: bytes.length / HASH_BYTES }, (_, nth) =>
    bytes.subarray(nth * HASH_BYTES, (nth + 1) * HASH_BYTES),
  )

/** The tree that was signed last. What was altered since cannot be gone on from: throws. */
const signedTree = async ({ system, signer }: CheckpointDeps, scope: ScopeId): Promise<Tree> => {
  const last = await signedSoFar(system, scope)
  if (last === null) return { size: 0, frontier: [] }
  const tree = { size: last.size, frontier: parted(last.frontier) }
  const checkpoint = openNote(last.note, originOf(scope), signer.keys)
  if (checkpoint?.size !== last.size || Buffer.compare(checkpoint.root, rootOf(tree)) !== 0)
    throw new Error(`the last checkpoint of ${scope}, of size ${last.size}, is not what was signed`)
  return tree
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Its name in the blob store says which checkpoint it goes on from: of each there is only one that does. */
const nameOf = (scope: ScopeId, after: number): string => `audit/${scope}/${String(after).padStart(16, "0")}`

interface Made extends SignedPiece {
  tree: Tree
}

/** The next checkpoint of a chain, of the entries after the tree's up to `seq`. */
const nextPiece = async (
  { system, signer }: CheckpointDeps,
  scope: ScopeId,
  before: Tree,
  seq: number,
): Promise<Made> => {
  const after = before.size
  const entries = await entryHashes(system, scope, { after, limit: Math.min(PIECE_MAX, seq - after) })
  const last = entries.at(-1)
  if (last === undefined || last.seq !== after + entries.length)
    throw new Error(`an entry of ${scope} after ${after} is missing`)
  const tree = { size: after, frontier: [...before.frontier] }
  for (const { hash } of entries) grow(tree, hash)
  const chain = Buffer.from(last.hash).toString("hex")
  const note = signer.sign({
    origin: originOf(scope),
    size: tree.size,
    root: rootOf(tree),
    chain,
    at: last.at,
  })
  return { tree, after, size: tree.size, note, hashes: Buffer.concat(entries.map(({ hash }) => hash)) }
}

/**
 * Keeps a copy before anything else: what the database says is signed can be held against it. If another checkpoint went on
 * from the same one before, that one stands, and what the database holds now must still fit it: throws if it does not.
 */
const keepPiece = async (deps: CheckpointDeps, scope: ScopeId, made: Made, before: Tree): Promise<Made> => {
  const { blobs, signer } = deps
  if (!blobs) return made
  const name = nameOf(scope, made.after)
  if ((await blobs.putOnce(name, utf8(pieceLine(made)))) === "written") return made
  const kept = readPiece(Buffer.from((await blobs.get(name)) ?? []).toString())
  const checkpoint = kept && openNote(kept.note, originOf(scope), signer.keys)
  if (!checkpoint) throw new Error(`the copy ${name} is not what was signed`)
  const again = checkpoint.size === made.size ? made : await nextPiece(deps, scope, before, checkpoint.size)
  if (again.size !== checkpoint.size || Buffer.compare(rootOf(again.tree), checkpoint.root) !== 0)
    throw new Error(`${scope} is not what was signed up to ${checkpoint.size}, as ${name} says`)
  return again
}

/** Signs what a chain has grown by, to its end. Returns how many checkpoints that took. */
const checkpointChain = async (deps: CheckpointDeps, { scope, seq }: GrownChain): Promise<number> => {
  let tree = await signedTree(deps, scope)
  let made = 0
  while (tree.size < seq) {
    const piece = await keepPiece(deps, scope, await nextPiece(deps, scope, tree, seq), tree)
    const frontier = Buffer.concat(piece.tree.frontier)
    if (!(await addCheckpoint(deps.system, scope, { ...piece, frontier }))) return made
    tree = piece.tree
    made++
  }
  return made
}

/** Drops what a scope keeps no longer, up to a checkpoint, and leaves the signed word that it was there. */
const dropChain = async (deps: CheckpointDeps, { scope, through, note }: Droppable): Promise<number> => {
  const checkpoint = openNote(note, originOf(scope), deps.signer.keys)
  if (checkpoint?.size !== through)
    throw new Error(`the checkpoint of ${scope} of size ${through} is not signed`)
  // As it was signed: the times that the rows have now may be anybody's.
  if (Date.parse(checkpoint.at) > deps.clock.nowMs() - KEPT_MIN_MS)
    throw new Error(`entries of ${scope} up to ${through}, of ${checkpoint.at}, are too young to be dropped`)
  const word = deps.signer.sign({ ...checkpoint, origin: droppedOrigin(checkpoint.origin) })
  await deps.blobs?.putOnce(`${nameOf(scope, through)}.dropped`, utf8(word))
  return await dropEntries(deps.system, { scope, through, note: word })
}

/** One chain that cannot be gone on with keeps no other from its turn. */
const each = async <Item extends { scope: ScopeId }>(
  { log }: CheckpointDeps,
  items: readonly Item[],
  work: (item: Item) => Promise<number>,
): Promise<number> => {
  let done = 0
  for (const item of items)
    try {
      done += await work(item)
    } catch (error) {
      log.error("an audit chain could not be signed", { error, scope: item.scope })
    }
  return done
}

/** Signs every chain that has grown. Returns how many checkpoints were made. */
export const makeCheckpoints = async (deps: CheckpointDeps): Promise<number> => {
  let made = 0
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const chains = await grownChains(deps.system, CHAINS_MAX)
    const now = await each(deps, chains, (chain) => checkpointChain(deps, chain))
    made += now
    if (now === 0 || chains.length < CHAINS_MAX) break
  }
  return made
}

/** Drops entries that are older than their scope keeps them. Returns how many. */
export const dropOld = async (deps: CheckpointDeps): Promise<number> =>
  await each(deps, await droppableChains(deps.system, DROPS_MAX), (chain) => dropChain(deps, chain))
