import { PROBLEMS, Refusal } from "../../core/errors.ts"
import { jobIdOf } from "../../core/ids.ts"
import type { Job, JobProgress } from "../../core/job/job.ts"
import { type ProblemDocument, problemDocument } from "../../core/problem.ts"

const TOO_MANY = 429
const SERVER = 500
const NEVER = 501

/** Might it work another time? What was refused for a reason of the request's own would be refused again. */
export const isPassing = (error: unknown): boolean => {
  if (!(error instanceof Refusal)) return true
  const { status } = PROBLEMS[error.code]
  return (status >= SERVER && status !== NEVER) || status === TOO_MANY || error.code === "CHANGE_CONFLICT"
}

const stepOf = ({ step }: JobProgress): string => (step === undefined ? "" : `, last at "${step}"`)

/** Of a job that was begun again and again, by who could not tell what was wrong. */
export const gaveUp = (job: Job): ProblemDocument => {
  const id = jobIdOf(job.scope, job.jobId)
  const detail = `It was begun ${job.attempts} times without coming further${stepOf(job.progress)}.`
  return problemDocument(new Refusal("JOB_GAVE_UP", detail), id)
}

/** What a job's last attempt ended with, for a person to act on. What nobody foresaw is told to the log alone. */
export const lastProblem = (job: Job, error: unknown): ProblemDocument =>
  error instanceof Refusal ? problemDocument(error, jobIdOf(job.scope, job.jobId)) : gaveUp(job)
