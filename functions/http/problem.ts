import { Refusal } from "../../core/errors.ts"
import { problemDocument, problemHeaders } from "../../core/problem.ts"

/** An answer as it goes out, whichever door it goes through. */
export interface ProblemReply {
  status: number
  headers: Record<string, string>
  body: string
}

/** Where the one thing that must not be lost about an unforeseen error is written. */
export interface ProblemLog {
  error(message: string, fields: Record<string, unknown>): void
}

/** Anything thrown as a refusal: what nobody foresaw is INTERNAL, logged under the instance it is told with. */
export const refusalOf = (thrown: unknown, instance: string, log: ProblemLog): Refusal => {
  if (thrown instanceof Refusal) return thrown
  log.error("unforeseen error", { instance, error: thrown })
  return new Refusal("INTERNAL", "The request failed for a reason that is ours; it was logged.", {
    cause: thrown,
  })
}

/** The one place where an error becomes an answer. */
export const problemReply = (thrown: unknown, instance: string, log: ProblemLog): ProblemReply => {
  const refusal = refusalOf(thrown, instance, log)
  const document = problemDocument(refusal, instance)
  return {
    status: document.status,
    headers: { ...problemHeaders(refusal.code), ...refusal.headers },
    body: JSON.stringify(document),
  }
}
