import type { Actor, Instant } from "../change/change.ts"
import type { ScopeId } from "../ids.ts"
import type { JsonObject } from "../json.ts"
import type { ProblemDocument } from "../problem.ts"

export const JOB_KINDS = [
  "backup.create",
  "backup.validate",
  "backup.restore",
  "backup.drill",
  "backup.hand_over",
  "tenant.clone",
  "tenant.migrate",
] as const
/** What a job does. */
export type JobKind = (typeof JOB_KINDS)[number]

export const JOB_STATES = ["queued", "running", "succeeded", "failed", "cancelled"] as const
export type JobState = (typeof JOB_STATES)[number]

/** How far it has come; what is not known yet is left out. */
export interface JobProgress {
  /** What it is at, in a few words. */
  step?: string
  parts?: number
  partsTotal?: number
  rows?: number
  rowsTotal?: number
  bytes?: number
  /** From 0 to 1. */
  share?: number
  /** When it will probably have ended. */
  endsAt?: Instant
}

/** One job as it is kept. `params` and `checkpoint` are its kind's own. */
export interface Job {
  scope: ScopeId
  /** A UUIDv7, without its scope. */
  jobId: string
  kind: JobKind
  params: JsonObject
  state: JobState
  progress: JobProgress
  /** What the next attempt goes on from; told to nobody. */
  checkpoint: JsonObject
  result: JsonObject | null
  problem: ProblemDocument | null
  createdAt: Instant
  /** In whose name it is done, with the roles that were theirs. */
  createdBy: Actor & { roles: readonly string[] }
  attempts: number
  cancelRequested: boolean
  startedAt: Instant | null
  endedAt: Instant | null
}
