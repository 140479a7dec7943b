import type { Instant } from "../change/change.ts"

/** Why an archive is here. */
export type BackupOrigin = "requested" | "scheduled" | "imported" | "hand_over"

/** One of the places an archive is kept at, and when all of it was last found there. */
export interface LocationStatus {
  name: string
  ok: boolean
  checkedAt: Instant
  /** Why not. */
  problem?: string
}
