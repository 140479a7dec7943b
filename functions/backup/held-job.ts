import { setTimeout as pause } from "node:timers/promises"
import type { Job, JobProgress } from "../../core/job/job.ts"
import type { Database } from "../../db/client.ts"
import { holdJob, keepCheckpoint, type Lease, renewLease } from "../../db/queries/job-leases.ts"
import type { Log } from "../platform/log.ts"
import type { WorkContext } from "./work.ts"

/** Why an attempt is to end before its work has. */
export type StopReason = "cancel" | "time" | "drain" | "lost"

/** Thrown into the work once its attempt is to end. */
class Stopped extends Error {
  readonly reason: StopReason

  constructor(reason: StopReason) {
    super(`the attempt is to end: ${reason}`)
    this.reason = reason
  }
}

export interface LeaseTerms {
  /** Whoever says nothing for so long is taken for dead. */
  leaseMs: number
  /** How often it is said. */
  tickMs: number
}

export interface HeldJob {
  context: WorkContext
  stop(reason: StopReason): void
  /** Why it was stopped; `null` while it was not. */
  stopped(): StopReason | null
  progress(): JobProgress
  /** How often it was begun without coming further, this time among them. */
  attempts(): number
  /** Says again and again that it is worked on, until `over` resolves. */
  keepSaying(over: Promise<void>): Promise<void>
}

/** A job for as long as an attempt's lease of it lasts: what its work may tell and is told. */
export const holdOn = (
  { db, log }: { db: Database; log: Log },
  lease: Lease,
  job: Job,
  { leaseMs, tickMs }: LeaseTerms,
): HeldJob => {
  const ending = new AbortController()
  let latest = job.progress
  let attempts = job.attempts
  let saidAtMs = performance.now()
  let reason: StopReason | null = null

  const stop = (why: StopReason): void => {
    // Once it is somebody else's nothing else matters.
    if (reason === null || why === "lost") reason = why
    if (!ending.signal.aborted) ending.abort(new Stopped(why))
  }

  const heed = (answer: { cancelRequested: boolean } | null): void => {
    if (answer === null) stop("lost")
    else saidAtMs = performance.now()
    if (answer?.cancelRequested) stop("cancel")
  }

  const tick = async (): Promise<void> => {
    try {
      heed(await renewLease(db, lease, leaseMs, latest))
    } catch (error) {
      if (performance.now() - saidAtMs > leaseMs) stop("lost")
      log.warn("a job's lease could not be renewed", { ...lease, error })
    }
  }

  const context: WorkContext = {
    job,
    signal: ending.signal,
    progress: async (progress) => {
      latest = progress
      // Where the work leaves no time for timers.
      if (performance.now() - saidAtMs >= 2 * tickMs) await tick()
      ending.signal.throwIfAborted()
    },
    checkpoint: async (checkpoint, tx) => {
      heed(await keepCheckpoint(db, lease, leaseMs, { checkpoint, progress: latest }, tx))
      attempts = 0
      ending.signal.throwIfAborted()
    },
    hold: async (tx) => {
      if (!(await holdJob(tx, lease))) stop("lost")
      ending.signal.throwIfAborted()
    },
  }

  const keepSaying = async (over: Promise<void>): Promise<void> => {
    const waiting = new AbortController()
    const ended = over.then(() => waiting.abort())
    while (!waiting.signal.aborted) {
      await pause(tickMs, undefined, { signal: waiting.signal }).catch(() => {})
      if (!waiting.signal.aborted && reason !== "lost") await tick()
    }
    await ended
  }

  return {
    context,
    stop,
    keepSaying,
    stopped: () => reason,
    progress: () => latest,
    attempts: () => attempts,
  }
}
