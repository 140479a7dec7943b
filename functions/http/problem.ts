import { type FieldError, PROBLEMS, type ProblemCode, Refusal } from "../../core/errors.ts"

/** RFC 9457, with the stable `code` and what exactly is wrong where. */
export interface ProblemDocument {
  type: string
  title: string
  status: number
  detail: string
  code: ProblemCode
  instance: string
  errors?: readonly FieldError[]
  [extra: string]: unknown
}

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

const PROBLEM_TYPE = "application/problem+json; charset=utf-8"

const HEADERS: Partial<Record<ProblemCode, Record<string, string>>> = {
  UNAUTHENTICATED: { "www-authenticate": 'Bearer realm="hotswap"' },
  DATABASE_UNAVAILABLE: { "retry-after": "1" },
  ORIGIN_UNAVAILABLE: { "retry-after": "1" },
}

/** A refusal as the document the caller gets. `instance` is the id of the request. */
const problemDocument = (refusal: Refusal, instance: string): ProblemDocument => {
  const { status, title } = PROBLEMS[refusal.code]
  return {
    type: `/docs/errors#${refusal.code}`,
    title,
    status,
    detail: refusal.message,
    code: refusal.code,
    instance,
    ...(refusal.errors.length > 0 ? { errors: refusal.errors } : {}),
    ...refusal.extra,
  }
}

/** Anything thrown as a refusal: what nobody foresaw is INTERNAL, logged under the instance it is told with. */
const refusalOf = (thrown: unknown, instance: string, log: ProblemLog): Refusal => {
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
    headers: { "content-type": PROBLEM_TYPE, "cache-control": "no-store", ...HEADERS[refusal.code] },
    body: JSON.stringify(document),
  }
}
