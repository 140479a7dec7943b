import type { JobId } from "../../core/ids.ts"

/** Wakes whoever does jobs. That there is one, the database knows: a message lost costs a little time, one too many nothing. */
export interface JobQueue {
  /** That this job is due, now or in so many milliseconds. */
  wake(jobId: JobId, inMs?: number): Promise<void>
}
