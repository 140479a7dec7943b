import { PROBLEM_HELP } from "../../core/error-help.ts"
import type { Problem } from "./shapes.ts"

/** Why a request did not do what was asked: the service's own words, and what can be done about it. */
export class ProblemError extends Error {
  readonly problem: Problem
  /** Nothing is asked again before. */
  readonly retryAfterMs: number

  constructor(problem: Problem, retryAfterMs = 0) {
    super(problem.detail)
    this.name = "ProblemError"
    this.problem = problem
    this.retryAfterMs = retryAfterMs
  }
}

/** For what no service says, but this page. */
const OWN_HELP: Readonly<Record<string, string>> = {
  UNREACHABLE:
    "Check the connection, and try again: what has arrived already is not done twice. What is shown was read before.",
  CONSOLE_READER: "Sign in with a person's token: a viewer's, an engineer's, a manager's.",
  KEY_TAKEN: "Choose another key, or open what is there and edit that.",
}
const helps: Readonly<Record<string, string>> = { ...PROBLEM_HELP, ...OWN_HELP }

/** What to do about it. */
export const helpFor = ({ code }: Pick<Problem, "code">): string =>
  helps[code] ?? "Try again; if it stays, tell whoever runs this service, with the number of the request."

const OVERTAKEN = new Set([
  ...["VERSION_STALE", "CHANGE_CONFLICT", "CHANGE_STATE", "CHANGE_STEP", "CHANGE_BASE_MOVED"],
  ...["CONTENT_HASH_STALE", "APPROVAL_NONE", "REVIEW_NOT_DUE", "ROLLBACK_NOTHING"],
])

/** Somebody else was quicker: what is shown is no longer what is there. */
export const isOvertaken = ({ code }: Pick<Problem, "code">): boolean => OVERTAKEN.has(code)

export const problemOf = (error: unknown): Problem =>
  error instanceof ProblemError
    ? error.problem
    : {
        type: "about:blank",
        title: "The console failed",
        status: 0,
        detail: error instanceof Error ? error.message : String(error),
        code: "CONSOLE",
      }

export const unreachable = (): ProblemError =>
  new ProblemError({
    type: "about:blank",
    title: "The service does not answer",
    status: 0,
    detail: "No answer came to the last request.",
    code: "UNREACHABLE",
  })
