import { setTimeout as pause } from "node:timers/promises"
import type { Instant } from "../../core/change/change.ts"
import { jobIdOf } from "../../core/ids.ts"
import type { Job, JobProgress } from "../../core/job/job.ts"
import type { Database } from "../../db/client.ts"
import { finishJob, type Lease, releaseJob } from "../../db/queries/job-leases.ts"
import type { JobEnd } from "../../db/queries/job-rows.ts"
import type { Log } from "../platform/log.ts"
import type { JobQueue } from "../platform/queue.ts"
import { holdOn, type LeaseTerms, type StopReason } from "./held-job.ts"
import { isPassing, lastProblem } from "./job-problems.ts"
import type { Work, WorkContext, WorkOutcome } from "./work.ts"

export interface AttemptPlatform {
  db: Database
  log: Log
  queue?: JobQueue | undefined
}

export interface AttemptOptions extends LeaseTerms {
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
  const held = holdOn(platform, lease, job, options)

  const run = async (): Promise<void> => {
    const come = await comeOf(work, held.context)
    const what = next({ job, come, reason: held.stopped(), attempts: held.attempts(), options, log })
    await tell(platform, lease, what, held.progress())
  }

  const over = Promise.withResolvers<void>()
  const running = Promise.all([
    run()
      .catch((error: unknown) =>
        log.error("what became of a job could not be written down", { ...lease, error }),
      )
      .finally(over.resolve),
    held.keepSaying(over.promise),
  ])
  return {
    over: running.then(() => {}),
    stop: held.stop,
    letGo: async () => {
      held.stop("drain")
      const attempts = Math.max(0, held.attempts() - 1)
      await releaseJob(db, lease, { due: { inMs: 0 }, attempts, progress: held.progress() })
    },
  }
}

const comeOf = async (work: Work, context: WorkContext): Promise<Came> => {
  try {
    return { kind: "outcome", outcome: await work(context) }
  } catch (error) {
    return context.signal.aborted ? { kind: "stopped" } : { kind: "failed", error }
  }
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
  reason: StopReason | null
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
