import { z } from "@hono/zod-openapi"
import { originOf, verifierKey } from "../../core/audit/checkpoint.ts"
import {
  consistencyProof,
  grow,
  HASH_BYTES,
  type HashAt,
  inclusionProof,
  rootOf,
  type Tree,
} from "../../core/audit/merkle.ts"
import { Refusal } from "../../core/errors.ts"
import type { ScopeId } from "../../core/ids.ts"
import { checkpointUpTo, type KeptCheckpoint, listCheckpoints } from "../../db/queries/audit-checkpoints.ts"
import { decodeNumber, encodeCursor } from "../http/cursor.ts"
import { json, type Route, route } from "../http/route.ts"
import { keysOf, piecesAbove, TAG, unsigned, wholeScope } from "./audit-parts.ts"
import type { ManageDeps } from "./deps.ts"
import { scopeNamed } from "./parse.ts"
import { Paging, page } from "./shapes.ts"

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64")
const Hash = z.string().openapi({ description: "SHA-256, base64" })
const Seq = z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER)

const CheckpointShown = z
  .object({
    size: z.int(),
    after: z.int().openapi({ description: "The size of the checkpoint before" }),
    at: z.string(),
    note: z.string().openapi({ description: "The signed note, as c2sp.org/tlog-checkpoint has it" }),
    hashes: z.string().openapi({ description: "Hashes of the entries since, 32 bytes each, base64" }),
  })
  .openapi("AuditCheckpoint")

const showCheckpoint = ({ size, after, at, note, hashes }: KeptCheckpoint) => ({
  size,
  after,
  at,
  note,
  hashes: base64(hashes),
})

const listRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/audit/checkpoints",
    operationId: "listAuditCheckpoints",
    tag: TAG,
    summary: "What was signed of a scope's audit entries, oldest first",
    action: "audit.read",
    evenDeleted: true,
    query: z.strictObject({ tenantId: z.string(), ...Paging }),
    replies: { 200: { description: "A page of checkpoints", schema: page(CheckpointShown) } },
    where: wholeScope(deps),
    run: async ({ query: { limit, cursor }, scope }) => {
      const above = cursor === undefined ? 0 : decodeNumber("checkpoints", cursor, Number.MAX_SAFE_INTEGER)
      const rows = await listCheckpoints(deps.db, scope!, { above, limit: limit + 1 })
      const shown = rows.slice(0, limit)
      const last = rows.length > limit ? shown.at(-1) : undefined
      return json(200, {
        items: shown.map(showCheckpoint),
        nextCursor: last ? encodeCursor("checkpoints", [last.size]) : null,
      })
    },
  })

const latestRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/audit/checkpoint/latest",
    operationId: "latestAuditCheckpoint",
    tag: TAG,
    summary:
      "The latest signed note of a scope's audit entries: keep it elsewhere, and nothing before it can be altered unseen",
    action: "audit.read",
    evenDeleted: true,
    query: z.strictObject({ tenantId: z.string() }),
    replies: { 200: { description: "The note", schema: z.string(), contentType: "text/plain" } },
    where: wholeScope(deps),
    run: async ({ scope }) => {
      const latest = await checkpointUpTo(deps.db, scope!)
      if (!latest) throw unsigned()
      return { status: 200, headers: { "content-type": "text/plain; charset=utf-8" }, body: latest.note }
    },
  })

/** Hashes of a chain's first entries, of which `size` are signed. Throws CHECKPOINT_NOT_FOUND. */
const signedHashes = async (deps: ManageDeps, scope: ScopeId, size: number): Promise<HashAt> => {
  const parts: Uint8Array[] = []
  let reached = 0
  for await (const piece of piecesAbove(deps, scope, 0)) {
    parts.push(piece.hashes)
    reached = piece.size
    if (reached >= size) break
  }
  if (reached < size) throw new Refusal("CHECKPOINT_NOT_FOUND", `No more than ${reached} entries are signed.`)
  const all = Buffer.concat(parts)
  return (place) => all.subarray(place * HASH_BYTES, (place + 1) * HASH_BYTES)
}

const rootAt = (hashAt: HashAt, size: number): string => {
  const tree: Tree = { size: 0, frontier: [] }
  for (let place = 0; place < size; place++) grow(tree, hashAt(place))
  return base64(rootOf(tree))
}

const latestSize = async (deps: ManageDeps, scope: ScopeId): Promise<number> => {
  const latest = await checkpointUpTo(deps.db, scope)
  if (!latest) throw unsigned()
  return latest.size
}

const inclusionRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/audit/proof",
    operationId: "proveAuditEntry",
    isLong: true,
    tag: TAG,
    summary:
      "That an entry is among the first `size` ones, as RFC 6962 proves it; without a size, among all that are signed",
    action: "audit.read",
    evenDeleted: true,
    query: z.strictObject({ tenantId: z.string(), seq: Seq, size: Seq.optional() }),
    replies: {
      200: {
        description: "The path from the entry's leaf, whose place is `seq` less one, to the root",
        schema: z.object({ seq: z.int(), size: z.int(), entryHash: Hash, root: Hash, proof: z.array(Hash) }),
      },
    },
    where: wholeScope(deps),
    run: async ({ query: { seq, ...query }, scope }) => {
      const size = query.size ?? (await latestSize(deps, scope!))
      if (seq > size)
        throw new Refusal("CHECKPOINT_NOT_FOUND", `Entry ${seq} is not among the first ${size}.`)
      const hashAt = await signedHashes(deps, scope!, size)
      const proof = inclusionProof(hashAt, seq - 1, size).map(base64)
      return json(200, { seq, size, entryHash: base64(hashAt(seq - 1)), root: rootAt(hashAt, size), proof })
    },
  })

const consistencyRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/audit/consistency",
    operationId: "proveAuditConsistency",
    isLong: true,
    tag: TAG,
    summary: "That the first `to` entries begin with the first `from`, as RFC 6962 proves it",
    action: "audit.read",
    evenDeleted: true,
    query: z.strictObject({ tenantId: z.string(), from: Seq, to: Seq.optional() }),
    replies: {
      200: {
        description: "The hashes that lead to both roots",
        schema: z.object({ from: z.int(), to: z.int(), fromRoot: Hash, toRoot: Hash, proof: z.array(Hash) }),
      },
    },
    where: wholeScope(deps),
    run: async ({ query: { from, ...query }, scope }) => {
      const to = query.to ?? (await latestSize(deps, scope!))
      if (from > to) throw new Refusal("CHECKPOINT_NOT_FOUND", `${from} entries are more than ${to}.`)
      const hashAt = await signedHashes(deps, scope!, to)
      const proof = consistencyProof(hashAt, from, to).map(base64)
      return json(200, { from, to, fromRoot: rootAt(hashAt, from), toRoot: rootAt(hashAt, to), proof })
    },
  })

const keyRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/audit/key",
    operationId: "auditKey",
    tag: TAG,
    summary: "What checkpoints are checked with; for a scope also as c2sp.org/signed-note writes it",
    action: "audit.read",
    evenDeleted: true,
    query: z.strictObject({ tenantId: z.string().optional() }),
    replies: {
      200: {
        description: "The keys, the one that signs first",
        schema: z.object({
          algorithm: z.literal("Ed25519"),
          keys: z.array(z.object({ publicKey: z.string(), verifierKey: z.string().nullable() })),
        }),
      },
    },
    where: async ({ query }, principal) => ({
      scope:
        query.tenantId === undefined ? null : await scopeNamed(query.tenantId, principal, deps.findExternal),
      environment: null,
    }),
    run: async ({ scope }) => {
      const keys = keysOf(deps)
      if (!keys) throw new Refusal("CHECKPOINT_NOT_FOUND", "No checkpoints are made here: no key is set.")
      return json(200, {
        algorithm: "Ed25519",
        keys: keys.publicKeys.map((key) => ({
          publicKey: base64(key),
          verifierKey: scope ? verifierKey(originOf(scope), key) : null,
        })),
      })
    },
  })

export const proofRoutes = (deps: ManageDeps): Route[] => [
  listRoute(deps),
  latestRoute(deps),
  inclusionRoute(deps),
  consistencyRoute(deps),
  keyRoute(deps),
]
