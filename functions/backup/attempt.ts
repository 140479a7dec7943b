import { setTimeout as pause } from "node:timers/promises"
import type { Instant } from "../../core/change/change.ts"
import { jobIdOf } from "../../core/ids.ts"
import type { Job, JobProgress } from "../../core/job/job.ts"
import type { Database } from "../../db/client.ts"
import {
  finishJob,
  holdJob,
  keepCheckpoint,
  type Lease,
  releaseJob,
  renewLease,
} from "../../db/queries/job-leases.ts"
import type { JobEnd } from "../../db/queries/job-rows.ts"
import type { Log } from "../platform/log.ts"
import type { JobQueue } from "../platform/queue.ts"
import { isPassing, lastProblem } from "./job-problems.ts"
import type { Work, WorkContext, WorkOutcome } from "./work.ts"

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

export interface AttemptPlatform {
  db: Database
  log: Log
  queue?: JobQueue | undefined
}

export interface AttemptOptions {
  /** Whoever says nothing for so long is taken for dead. */
  leaseMs: number
  /** How often it is said. */
  tickMs: number
  /** So often it is begun without coming further. */
  attemptsMax: number
  /** Until the next attempt, after so many. */
  backoffMs: (attempts: number) => number
}

export interface Attempt {
  /** Its end, however it comes. Never rejects. */
  readonly over: Promise<void>
  stop(reason: StopReason): void
  /** Without waiting for the work, which may hang: from then on it writes nothing more. */
  letGo(): Promise<void>
}

/** How it is said what became of an attempt; the database may be away for a moment. */
const TELLINGS_MAX = 4

/** Works on a job that was claimed, says that it does as long as it does, and writes down what came of it. */
export const beginAttempt = (
  platform: AttemptPlatform,
  lease: Lease,
  job: Job,
  work: Work,
  options: AttemptOptions,
): Attempt => {
  const { db, log } = platform
  const { leaseMs, tickMs } = options
  const ending = new AbortController()
  let latest = job.progress
  let attempts = job.attempts
  let saidAtMs = performance.now()
  let isLost = false

  const stop = (reason: StopReason): void => {
    if (reason === "lost") isLost = true
    if (!ending.signal.aborted) ending.abort(new Stopped(reason))
  }

  const heed = (answer: { cancelRequested: boolean } | null): void => {
    if (answer === null) stop("lost")
    else {
      saidAtMs = performance.now()
      if (answer.cancelRequested) stop("cancel")
    }
  }

  const tick = async (): Promise<void> => {
    try {
      heed(await renewLease(db, lease, leaseMs, latest))
    } catch (error) {
      if (performance.now() - saidAtMs > leaseMs) stop("lost")
      log.warn("a job's lease could not be renewed", { ...lease, error })
    }
  }

  const over = Promise.withResolvers<void>()
  const keepSaying = async (): Promise<void> => {
    const waiting = new AbortController()
    const isOver = over.promise.then(() => waiting.abort())
    while (!waiting.signal.aborted) {
      await pause(tickMs, undefined, { signal: waiting.signal }).catch(() => {})
      if (!waiting.signal.aborted && !isLost) await tick()
    }
    await isOver
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

  const run = async (): Promise<void> => {
    let come: Came
    try {
      come = { kind: "outcome", outcome: await work(context) }
    } catch (error) {
      come = ending.signal.aborted ? { kind: "stopped" } : { kind: "failed", error }
    }
    const { reason } = (ending.signal.reason ?? {}) as Partial<Stopped>
    await tell(platform, lease, next({ job, come, reason, attempts, options, log }), latest)
  }

  const running = Promise.all([
    run()
      .catch((error: unknown) =>
        log.error("what became of a job could not be written down", { ...lease, error }),
      )
      .finally(over.resolve),
    keepSaying(),
  ])
  const letGo = async (): Promise<void> => {
    stop("drain")
    const due = { inMs: 0 }
    await releaseJob(db, lease, { due, attempts: Math.max(0, attempts - 1), progress: latest })
  }
  return { over: running.then(() => {}), stop, letGo }
}

type Came =
  | { kind: "outcome"; outcome: WorkOutcome }
  | { kind: "stopped" }
  | { kind: "failed"; error: unknown }

/** What is to be written of an attempt. `null`: nothing, as it is somebody else's now. */
type Next =
  | { kind: "end"; end: JobEnd }
  | { kind: "again"; due: { at: Instant } | { inMs: number }; attempts?: number }
  | null

const next = ({
  job,
  come,
  reason,
  attempts,
  options,
  log,
}: {
  job: Job
  come: Came
  reason: StopReason | undefined
  /** Without coming further, this one among them. */
  attempts: number
  options: AttemptOptions
  log: Log
}): Next => {
  switch (come.kind) {
    case "outcome": {
      const { outcome } = come
      if (outcome.kind === "done") return { kind: "end", end: { state: "succeeded", result: outcome.result } }
      return { kind: "again", due: outcome.at === undefined ? { inMs: 0 } : { at: outcome.at }, attempts: 0 }
    }
    case "stopped":
      if (reason === "lost") return null
      if (reason === "cancel") return { kind: "end", end: { state: "cancelled" } }
      // That the process was stopped says nothing against the job; that it needs more time than there is does.
      if (reason === "drain") return { kind: "again", due: { inMs: 0 }, attempts: Math.max(0, attempts - 1) }
      return { kind: "again", due: { inMs: 0 } }
    case "failed": {
      const { error } = come
      if (isPassing(error)) {
        log.error("an attempt at a job failed", {
          jobId: jobIdOf(job.scope, job.jobId),
          kind: job.kind,
          attempts,
          error,
        })
        if (attempts < options.attemptsMax)
          return { kind: "again", due: { inMs: options.backoffMs(Math.max(1, attempts)) } }
      }
      return { kind: "end", end: { state: "failed", problem: lastProblem(job, error) } }
    }
  }
}

const tell = async (
  { db, queue, log }: AttemptPlatform,
  lease: Lease,
  what: Next,
  progress: JobProgress,
): Promise<void> => {
  if (what === null) return
  for (let nth = 1; ; nth++)
    try {
      if (what.kind === "end") await finishJob(db, lease, what.end, progress)
      else await releaseJob(db, lease, { ...what, progress })
      break
    } catch (error) {
      if (nth === TELLINGS_MAX) throw error
      await pause(250 * 2 ** nth)
    }
  if (what.kind === "end") return
  const inMs = "inMs" in what.due ? what.due.inMs : Date.parse(what.due.at) - Date.now()
  await queue
    ?.wake(jobIdOf(lease.scope, lease.jobId), inMs)
    .catch((error: unknown) => log.warn("nobody could be woken for a job", { ...lease, error }))
}
