import type { Instant } from "../../core/change/change.ts"
import type { Environment } from "../../core/environment.ts"
import type { ChunkId, Layer, ReleaseId, ScopeId, Tier, TokenId } from "../../core/ids.ts"
import type { Manifest, Pointer } from "../../core/release/release.ts"
import { toInstant } from "../instant.ts"
import type { Runner } from "../open.ts"
import { textQuery } from "../text-query.ts"
import { type DocumentRow, type PointerRow, pointerOf, sortOut } from "./rows.ts"

/** All that the views of one tenant × environment are made of. */
export interface PointerRead {
  tenant: { status: "active" | "suspended"; tier: Tier | null }
  epoch: number
  /** The database's clock. */
  now: Instant
  /** When any layer's pointer last moved. */
  movedAt: Instant | null
  /** Sequence 0 with the empty release where nothing was published, or where the scope has no such layer. */
  layers: Readonly<Record<Layer, Pointer>>
  /** Of every release the layers name. */
  manifests: ReadonlyMap<ReleaseId, Manifest>
  /** Of releases the caller did not know, where they are one chunk. Larger ones: {@link readChunks}. */
  chunks: ReadonlyMap<ChunkId, string>
  /** Reader tokens, of the tenant and of many tenants, revoked before they expired. */
  revoked: readonly TokenId[]
}

interface ReadState {
  status: "active" | "suspended"
  tier: Tier | null
  epoch: number
  now: Instant
  platform: PointerRow | null
  tierPointer: PointerRow | null
  own: PointerRow | null
  revoked: TokenId[] | null
}

const read = textQuery<DocumentRow>(
  "select kind, id, body from hotswap.read_pointer($1, $2, $3::text::jsonb)",
  ["scope", "environment", "known"],
)

const readAsOf = textQuery<DocumentRow>(
  "select kind, id, body from hotswap.read_pointer_as_of($1, $2, $3::text::jsonb, $4::text::timestamptz)",
  ["scope", "environment", "known", "at"],
)

const chunksByName = textQuery<{ id: string; body: string }>(
  "select id, body from hotswap.read_chunks($1, $2::text::jsonb)",
  ["scope", "ids"],
)

/** What a scope's readers get now, in one round trip. `null`: there is no such tenant, or it was deleted. */
export const readPointer = async (
  runner: Runner,
  scope: ScopeId,
  environment: Environment,
  knownReleases: Iterable<ReleaseId>,
): Promise<PointerRead | null> => {
  const known = JSON.stringify([...knownReleases])
  return pointerRead(await runner.run(read, { scope, environment, known }))
}

/** What they got at that time: arms, weights and tier as they were. `"future"`: the database's clock is not there yet. */
export const readPointerAsOf = async (
  runner: Runner,
  scope: ScopeId,
  environment: Environment,
  at: Instant,
  knownReleases: Iterable<ReleaseId>,
): Promise<PointerRead | null | "future"> => {
  const known = JSON.stringify([...knownReleases])
  const rows = await runner.run(readAsOf, { scope, environment, known, at })
  return rows[0]?.kind === "future" ? "future" : pointerRead(rows)
}

/** Chunks by name, of the scope itself or of the platform and tiers; those that do not exist are missing. */
export const readChunks = async (
  runner: Runner,
  scope: ScopeId,
  ids: readonly ChunkId[],
): Promise<Map<ChunkId, string>> => {
  const rows = await runner.run(chunksByName, { scope, ids: JSON.stringify(ids) })
  return new Map(rows.map(({ id, body }) => [id as ChunkId, body]))
}

const pointerRead = (rows: readonly DocumentRow[]): PointerRead | null => {
  const { state, manifests, chunks } = sortOut<ReadState>(rows)
  if (!state) return null
  const layers = {
    platform: pointerOf(state.platform),
    tier: pointerOf(state.tierPointer),
    tenant: pointerOf(state.own),
  }
  return {
    tenant: { status: state.status, tier: state.tier },
    epoch: state.epoch,
    now: toInstant(state.now),
    movedAt: latest([layers.platform.at, layers.tier.at, layers.tenant.at]),
    layers,
    manifests,
    chunks,
    revoked: state.revoked ?? [],
  }
}

/** Times of one format sort as text. */
const latest = (times: readonly (Instant | null)[]): Instant | null =>
  times.reduce((last, time) => (last === null || (time !== null && time > last) ? time : last), null)
