import type { ChangeId, ChunkId, ReleaseId, Tier } from "../../core/ids.ts"
import { EMPTY_CHUNK, EMPTY_RELEASE } from "../../core/release/compile.ts"
import type { Audience, Manifest, Pointer } from "../../core/release/release.ts"
import { toInstant } from "../instant.ts"

/** What the reading functions return: one row for the state, one for each manifest and chunk, texts unescaped. */
export interface DocumentRow {
  kind: string
  id: string | null
  body: string | null
}

/** A row of `hotswap.pointers` as the database writes it into JSON; all `null` where there is none. */
export interface PointerRow {
  seq: number | null
  at: string
  tier: Tier | null
  stable: ReleaseId
  stable_change_id: ChangeId | null
  candidate_release: ReleaseId | null
  candidate_change_id: ChangeId
  candidate_step: number
  candidate_weight_bp: number
  candidate_audience: Audience | null
}

export const pointerOf = (row: PointerRow | null): Pointer => {
  if (!row || row.seq === null) return NO_POINTER
  return {
    seq: row.seq,
    at: toInstant(row.at),
    tier: row.tier,
    stable: row.stable,
    stableChangeId: row.stable_change_id,
    candidate: row.candidate_release && {
      release: row.candidate_release,
      changeId: row.candidate_change_id,
      step: row.candidate_step,
      weightBp: row.candidate_weight_bp,
      ...(row.candidate_audience && { audience: row.candidate_audience }),
    },
  }
}

/** A scope that never published. */
const NO_POINTER: Pointer = {
  seq: 0,
  at: null,
  tier: null,
  stable: EMPTY_RELEASE.id,
  stableChangeId: null,
  candidate: null,
}

/** The rows of a reading function, sorted out. The empty release is always among them: its scope may never have stored it. */
export const sortOut = <State>(rows: readonly DocumentRow[]) => {
  const manifests = new Map<ReleaseId, Manifest>([[EMPTY_RELEASE.id, EMPTY_RELEASE.manifest]])
  const chunks = new Map<ChunkId, string>([[EMPTY_CHUNK.id, EMPTY_CHUNK.text]])
  let state: State | null = null
  for (const { kind, id, body } of rows) {
    if (kind === "state") state = JSON.parse(body!) as State
    else if (kind === "manifest") manifests.set(id as ReleaseId, JSON.parse(body!) as Manifest)
    else if (kind === "chunk") chunks.set(id as ChunkId, body!)
  }
  return { state, manifests, chunks }
}
