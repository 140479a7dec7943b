import { type FieldError, PROBLEMS, type ProblemCode, type Refusal } from "./errors.ts"

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

const PROBLEM_TYPE = "application/problem+json; charset=utf-8"

const HEADERS: Partial<Record<ProblemCode, Record<string, string>>> = {
  UNAUTHENTICATED: { "www-authenticate": 'Bearer realm="hotswap"' },
  // As long as the window over which failures are counted.
  AUTHENTICATION_LIMITED: { "retry-after": "60" },
  ISSUER_UNAVAILABLE: { "retry-after": "5" },
  DATABASE_UNAVAILABLE: { "retry-after": "1" },
  DEADLINE_EXCEEDED: { "retry-after": "1" },
  ORIGIN_UNAVAILABLE: { "retry-after": "1" },
  PUSH_UNAVAILABLE: { "retry-after": "5" },
  STREAMS_TOO_MANY: { "retry-after": "30" },
  CHANNEL_TESTS_TOO_MANY: { "retry-after": "60" },
  LIMITS_UNAVAILABLE: { "retry-after": "5" },
  BACKEND_UNREACHABLE: { "retry-after": "5" },
}

/** A refusal as the document the caller gets. `instance` is the id of the request. */
export const problemDocument = (refusal: Refusal, instance: string): ProblemDocument => {
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

/** The headers that a refusal goes out with; it is never to be stored. */
export const problemHeaders = (code: ProblemCode): Record<string, string> => ({
  "content-type": PROBLEM_TYPE,
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  ...HEADERS[code],
})
