import { Failure } from "./failure.ts"
import { type Answer, type Service, word } from "./service.ts"
import { bar, bytesText, type ProgressLine } from "./terminal.ts"

const FIRST_PAUSE_MS = 150
const LAST_PAUSE_MS = 2_000
const OVER = ["succeeded", "failed", "cancelled"]

/** How far a job has come, as a line. */
export const progressText = ({ kind, state, progress }: Answer): string => {
  const { step, share, rows, bytes } = (progress ?? {}) as Answer
  const parts = [
    String(kind),
    typeof share === "number" ? bar(share) : String(state),
    typeof rows === "number" ? `${rows} rows` : "",
    typeof bytes === "number" ? bytesText(bytes) : "",
    typeof step === "string" ? step : "",
  ]
  return parts.filter((part) => part !== "").join("  ")
}

export const jobPath = (jobId: string): string => `/api/v1/jobs/${word(jobId)}`

/** Waits until the job is over. Throws Failure with its problem where it did not succeed. */
export const waitForJob = async (service: Service, jobId: string, line: ProgressLine): Promise<Answer> => {
  try {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 1.5, LAST_PAUSE_MS)) {
      const job = await service.get(jobPath(jobId))
      if (OVER.includes(String(job.state))) return judged(job, jobId)
      line.show(progressText(job))
      await service.pause(pauseMs)
    }
  } finally {
    line.end()
  }
}

const judged = (job: Answer, jobId: string): Answer => {
  if (job.state === "succeeded") return job
  const { code, detail } = (job.problem ?? {}) as Answer
  throw new Failure(
    job.state === "cancelled" ? `the job ${jobId} was cancelled` : `${code}: ${detail} (job ${jobId})`,
  )
}
