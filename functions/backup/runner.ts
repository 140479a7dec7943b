import { setTimeout as pause } from "node:timers/promises"
import { Refusal } from "../../core/errors.ts"
import type { Job, JobKind } from "../../core/job/job.ts"
import { claimJob } from "../../db/queries/job-leases.ts"
import { claimDueJobs, type DueJob, type JobRoom, nextJobInMs } from "../../db/system-jobs.ts"
import type { BackupPlatform } from "../platform/compose-backup.ts"
import { type Attempt, type AttemptOptions, beginAttempt } from "./attempt.ts"
import type { StopReason } from "./held-job.ts"
import { gaveUp } from "./job-problems.ts"
import type { Work } from "./work.ts"

export type RunnerPlatform = Pick<
  BackupPlatform,
  "db" | "system" | "ids" | "clock" | "log" | "background" | "queue"
>

export interface RunnerOptions extends AttemptOptions {
  room: JobRoom
  /** Under way at once in this process. */
  ofProcess: number
}

export interface Runner {
  /** Begins what is due, as far as there is room, and resolves to how many that are. Waits for none of them. */
  look(): Promise<number>
  /** Does what is due until nothing is, or until that time; what is not done then, somebody goes on with. */
  run(untilMs: number): Promise<{ begun: number }>
  /** Begins nothing more, and lets go of what is under way, so that it can be gone on with elsewhere. */
  drain(): Promise<void>
  /** Resolves once nothing is under way. */
  settled(): Promise<void>
}

const FIRST_MS = 2_000
const GROWTH = 4
const JITTER = 0.25

/** About 2, 8, 32 and 128 seconds: what is away for a moment is there again, and what failed together comes apart. */
const backoffMs = (attempts: number): number =>
  Math.round(FIRST_MS * GROWTH ** (attempts - 1) * (1 - JITTER + 2 * JITTER * Math.random()))

export const RUNNER_OPTIONS: RunnerOptions = {
  leaseMs: 20_000,
  tickMs: 1_000,
  attemptsMax: 5,
  backoffMs,
  room: { ofAll: 16, ofScope: 2 },
  ofProcess: 2,
}

/** So soon that it is waited for rather than left to the next one to be woken. */
const SOON_MS = 5_000

/** What has not ended by then is let go of all the same. */
const DRAIN_MS = 250

/** Between two looks at the least, where what is due finds no room. */
const PAUSE_MS = 20

/** Nobody knows how. */
const unknownWork =
  (kind: JobKind): Work =>
  async () => {
    throw new Refusal("JOB_UNSUPPORTED", `There is no work for "${kind}" here.`)
  }

/** Does jobs, each by one at a time wherever it runs. */
export const createRunner = (
  platform: RunnerPlatform,
  works: Readonly<Partial<Record<JobKind, Work>>>,
  options: RunnerOptions = RUNNER_OPTIONS,
): Runner => {
  const { db, system, ids, log, background } = platform
  const underWay = new Map<string, Attempt>()
  /** Whatever is begun now is stopped at once. */
  let stopping: StopReason | null = null
  /** Looked for again and again, so that what ends makes room for the next one at once. */
  let isHosted = false

  const begin = (due: DueJob, worker: string, job: Job): void => {
    const work = works[job.kind] ?? unknownWork(job.kind)
    const attempt = beginAttempt(platform, { ...due, worker }, job, work, options)
    underWay.set(worker, attempt)
    if (stopping !== null) attempt.stop(stopping)
    const ended = attempt.over.then(async () => {
      underWay.delete(worker)
      if (isHosted) await look()
    })
    background.waitUntil(ended)
  }

  const claim = async (due: DueJob): Promise<boolean> => {
    const worker = ids.uuid()
    try {
      const { attemptsMax, leaseMs } = options
      const claimed = await claimJob(db, { ...due, worker }, { leaseMs, attemptsMax, gaveUp })
      if (claimed.kind === "claimed") begin(due, worker, claimed.job)
      return claimed.kind === "claimed"
    } catch (error) {
      log.error("a job could not be claimed", { ...due, error })
      return false
    }
  }

  let looking: Promise<number> | null = null
  const lookOnce = async (): Promise<number> => {
    const free = options.ofProcess - underWay.size
    if (free <= 0 || stopping !== null) return 0
    const begun = await claimDueJobs(system, options.room, free, claim)
    return begun.filter(Boolean).length
  }
  /** What ends while it is looked has made room that this look did not know of. */
  let isAgain = false
  const lookOn = async (): Promise<number> => {
    let begun = 0
    do {
      isAgain = false
      begun += await lookOnce()
    } while (isAgain)
    return begun
  }
  const look = (): Promise<number> => {
    isAgain = looking !== null
    looking ??= lookOn().finally(() => {
      looking = null
    })
    return looking
  }

  const overs = (): Promise<void>[] => [...underWay.values()].map(({ over }) => over)
  const stopAll = (reason: StopReason): void => {
    stopping = reason
    for (const attempt of underWay.values()) attempt.stop(reason)
  }
  const settled = async (): Promise<void> => {
    while (underWay.size > 0 || looking !== null) await Promise.all([...overs(), looking])
  }

  /** `false`: nothing comes before that time that would be worth waiting for. */
  const waitForNext = async (untilMs: number): Promise<boolean> => {
    const inMs = await nextJobInMs(system)
    if (inMs === null || inMs > SOON_MS || platform.clock.nowMs() + inMs >= untilMs) return false
    await pause(Math.max(PAUSE_MS, inMs))
    return true
  }

  return {
    look: () => {
      isHosted = true
      return look()
    },
    settled,
    drain: async () => {
      stopAll("drain")
      await looking?.catch(() => {})
      await Promise.race([settled(), pause(DRAIN_MS, undefined, { ref: false })])
      await Promise.all([...underWay.values()].map((attempt) => attempt.letGo()))
    },
    run: async (untilMs) => {
      stopping = null
      const timeUp = setTimeout(() => stopAll("time"), untilMs - platform.clock.nowMs())
      let begun = 0
      try {
        while (platform.clock.nowMs() < untilMs) {
          const more = await look()
          begun += more
          if (underWay.size > 0) await Promise.race(overs())
          else if (more === 0 && !(await waitForNext(untilMs))) break
        }
        await settled()
      } finally {
        clearTimeout(timeUp)
      }
      return { begun }
    },
  }
}
