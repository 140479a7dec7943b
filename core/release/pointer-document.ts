import type { Environment } from "../environment.ts"
import type { ChangeId, TenantId, Tier, TokenId, ViewId } from "../ids.ts"

/**
 * What the origin tells the edge (and Redis, and the SDK) about one tenant × environment: which views
 * there are and who gets which. Views are immutable; this is the only thing that ages.
 */
export interface PointerDocument {
  tenantId: TenantId
  environment: Environment
  tier: Tier
  status: "active" | "suspended"
  /** {@link file://./revision.ts} */
  revision: string
  stable: ViewId
  candidate: { view: ViewId; changeId: ChangeId; step: number; weightBp: number } | null
  /**
   * Names what flags there are and what they say, on either arm, and to how many: as long as it stays the same, so do
   * they. Absent in a document that is kept from before there was this.
   */
  flags?: string | undefined
  /** Is a rollout running, or did the pointer move within the last minute? */
  moving: boolean
  /** When PostgreSQL was read, milliseconds since the epoch by the reader's clock. */
  readAtMs: number
  /** Reader tokens of this tenant (and of many tenants) that were revoked before they expired. */
  revoked: readonly TokenId[]
}

/** The `flags` of a document, from those of its views. */
export const flagsOfArms = (
  stable: string,
  candidate: { flags: string; changeId: ChangeId; weightBp: number } | null,
): string =>
  candidate === null || candidate.flags === stable
    ? stable
    : `${stable}+${candidate.flags}/${candidate.changeId}/${candidate.weightBp}`

/** How old a pointer document may be, in milliseconds since PostgreSQL was read, at each level. */
export interface Staleness {
  /** Served without asking anyone. */
  freshMs: number
  /** Served while a newer one is fetched; older ones block. */
  staleMs: number
  /** At this age the origin goes past Redis to PostgreSQL. */
  rereadMs: number
  /** How often a client without a stream should ask; with one, 30 s at rest. */
  pollMs: number
}

const AT_REST: Staleness = { freshMs: 2_000, staleMs: 15_000, rereadMs: 10_000, pollMs: 10_000 }
const MOVING: Staleness = { freshMs: 1_000, staleMs: 8_000, rereadMs: 4_000, pollMs: 5_000 }

/** A pointer counts as moving for this long after it moved. */
export const SETTLE_MS = 60_000
/** The last known good is served this long, and says so. */
export const LAST_KNOWN_GOOD_MS = 24 * 3_600_000

export const stalenessOf = (pointer: Pick<PointerDocument, "moving">): Staleness =>
  pointer.moving ? MOVING : AT_REST

/** Tells a client how often to look, in seconds: an Item of RFC 9651, with the pace for who has the stream besides. */
export const POLL_HEADER = "Hotswap-Poll"
const STREAM_POLL_MS = 30_000

/** The value of {@link POLL_HEADER}, such as `10;stream=30`. */
export const pollPace = (pointer: Pick<PointerDocument, "moving">): string => {
  const { pollMs } = stalenessOf(pointer)
  return `${pollMs / 1_000};stream=${(pointer.moving ? pollMs : STREAM_POLL_MS) / 1_000}`
}

/**
 * The entity tag of the stable view told with its difference to the candidate. It is another answer at each step;
 * the edge and the origin tag it alike, so that a client may move between them.
 */
export const bothArmsTag = ({ stable, candidate }: Pick<PointerDocument, "stable" | "candidate">): string => {
  if (!candidate) return `W/"${stable}"`
  const { view, changeId, step, weightBp } = candidate
  return `W/"${stable}+${view}/${changeId}/${step}/${weightBp}"`
}

/** Why a read can be told it is old: the value of the `Hotswap-Stale` header on a last known good. */
export const STALE_HEADER = "Hotswap-Stale"
