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
  "backup.import",
  "backup.adopt",
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

/** In whose name a job is done, with the roles that were theirs; `system` is the schedule. */
export type JobOwner = Omit<Actor, "tokenId"> & {
  tokenId: Actor["tokenId"] | "system"
  roles: readonly string[]
}

/** Who owns what nobody has asked for. */
export const SCHEDULE_OWNER: JobOwner = { subject: "clock", tokenId: "system", ancestors: [], roles: [] }

export const hasEnded = ({ state }: Pick<Job, "state">): boolean => state !== "queued" && state !== "running"

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
  createdBy: JobOwner
  attempts: number
  cancelRequested: boolean
  startedAt: Instant | null
  endedAt: Instant | null
}
