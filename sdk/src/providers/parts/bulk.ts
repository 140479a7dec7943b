import { ErrorCode, type EvaluationContext, InvalidContextError } from "@openfeature/core"
import { formatRevision, parseRevision, type Revision } from "../../../../core/release/revision.ts"
import { toContext } from "./context.ts"
import type { Resolvable } from "./resolution.ts"

/** Of one subject, what the service answered. */
export interface Answer {
  /** `null`: they are as they were under this ETag. */
  flags: Flags | null
  etag: string | null
  revision: Revision | null
  /** Where the service tells of changes, and for how long a page that nobody sees goes on listening; `null`: it does not say. */
  streams: readonly string[] | null
  inactivityMs: number
}

export type Flags = ReadonlyMap<string, Resolvable>

/** Why there was no answer. */
export class BulkError extends Error {
  override readonly name = "BulkError"
  readonly status: number | null
  readonly errorCode: ErrorCode
  /** Not to be asked again sooner. */
  readonly retryAfterMs: number

  constructor(
    message: string,
    { status = null, errorCode = ErrorCode.GENERAL, retryAfterMs = 0, cause }: BulkErrorDetails = {},
  ) {
    super(message, { cause })
    this.status = status
    this.errorCode = errorCode
    this.retryAfterMs = retryAfterMs
  }

  /** The token is refused, and so will be the next request with it. */
  get isRefusal(): boolean {
    return this.status === 401 || this.status === 403
  }
}

interface BulkErrorDetails {
  status?: number | null
  errorCode?: ErrorCode
  retryAfterMs?: number
  cause?: unknown
}

export interface BulkRequest {
  url: string
  token: string
  tenantId?: string
  timeoutMs: number
  fetch: typeof fetch
}

const INACTIVITY_SECONDS = 120
const RETRY_AFTER_MAX_MS = 3_600_000

/** What is asked for, and how new the answer has to be. */
export interface Asked {
  /** Of the answer there is already. */
  etag: string | null
  atLeast: Revision | null
  because: URLSearchParams | undefined
  /** Without, the answer brings no address of a stream. */
  wantsStreams: boolean
  signal: AbortSignal
}

const UNSAID = { streams: null, inactivityMs: 0 }

/** Asks for all flags of one subject, OFREP's bulk evaluation. Rejects with BulkError. */
export const askForFlags = async (
  request: BulkRequest,
  context: EvaluationContext,
  asked: Asked,
): Promise<Answer> => {
  const answer = await send(request, bodyOf(context), asked)
  const [etag, revision] = [answer.headers.get("etag"), answer.headers.get("hotswap-revision") ?? ""]
  const known = { etag, revision: parseRevision(revision) }
  if (answer.status === 304) return { ...known, flags: null, ...UNSAID }
  const body = await answer.json().catch((cause: unknown) => {
    throw new BulkError("The service's answer is not JSON.", { status: answer.status, cause })
  })
  if (answer.status !== 200) throw refusalOf(answer, body)
  return { ...known, flags: flagsOf(body), ...(asked.wantsStreams ? streamsOf(body, request.url) : UNSAID) }
}

const bodyOf = (context: EvaluationContext): string => {
  try {
    return JSON.stringify({ context: toContext(context) })
  } catch (cause) {
    if (!(cause instanceof InvalidContextError)) throw cause
    throw new BulkError(cause.message, { errorCode: ErrorCode.INVALID_CONTEXT, cause })
  }
}

const send = async (
  { url, token, tenantId, timeoutMs, fetch }: BulkRequest,
  body: string,
  { etag, atLeast, because, wantsStreams, signal }: Asked,
): Promise<Response> => {
  const query = new URLSearchParams(because)
  if (!wantsStreams) query.set("eventStreams", "none")
  try {
    return await fetch(`${url}/ofrep/v1/evaluate/flags${query.size > 0 ? `?${query}` : ""}`, {
      method: "POST",
      body,
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        ...(etag === null ? {} : { "if-none-match": etag }),
        ...(atLeast === null ? {} : { "hotswap-at-least": formatRevision(atLeast) }),
        ...(tenantId === undefined ? {} : { "x-tenant-id": tenantId }),
      },
      cache: "no-store",
      credentials: "omit",
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    })
  } catch (cause) {
    throw new BulkError("The service cannot be reached.", { cause })
  }
}

const refusalOf = (answer: Response, body: unknown): BulkError => {
  const { errorCode, errorDetails, detail } = (body ?? {}) as Record<string, unknown>
  const said = [errorDetails, detail].find((each) => typeof each === "string")
  return new BulkError(`The service answered ${answer.status}${said ? `: ${said}` : "."}`, {
    status: answer.status,
    errorCode: Object.values(ErrorCode).find((code) => code === errorCode) ?? ErrorCode.GENERAL,
    retryAfterMs: retryAfterMs(answer.headers.get("retry-after")),
  })
}

const retryAfterMs = (text: string | null): number => {
  if (text === null) return 0
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now()
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), RETRY_AFTER_MAX_MS) : 0
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** One by one: what is odd about one flag does not take the others away. */
const flagsOf = (body: unknown): Flags => {
  if (!isRecord(body) || !Array.isArray(body.flags)) throw new BulkError("The service's answer has no flags.")
  const flags = new Map<string, Resolvable>()
  for (const flag of body.flags) {
    const resolvable = isRecord(flag) && typeof flag.key === "string" ? resolvableOf(flag) : null
    if (resolvable) flags.set(flag.key, resolvable)
  }
  return flags
}

/** What an answer in OFREP, or the store, says of a flag. */
export const resolvableOf = (flag: Record<string, unknown>): Resolvable => {
  const { value, reason, variant, errorCode, errorDetails, metadata } = flag
  return {
    reason: typeof reason === "string" ? reason : "UNKNOWN",
    metadata: (isRecord(metadata) ? metadata : {}) as Resolvable["metadata"],
    ...(value === undefined ? {} : { value }),
    ...(typeof variant === "string" ? { variant } : {}),
    ...(typeof errorCode === "string"
      ? { errorCode, errorMessage: typeof errorDetails === "string" ? errorDetails : errorCode }
      : {}),
  }
}

const streamsOf = (body: unknown, base: string): Pick<Answer, "streams" | "inactivityMs"> => {
  const { eventStreams } = body as { eventStreams?: unknown }
  const known = Array.isArray(eventStreams) ? eventStreams.filter(isRecord).filter(isServerSent) : []
  const seconds = known.map((each) => each.inactivityDelaySec).filter((each) => Number.isInteger(each))
  return {
    streams: [...new Set(known.flatMap((each) => addressOf(each, base) ?? []))],
    inactivityMs: 1_000 * Math.max(1, Number(seconds[0] ?? INACTIVITY_SECONDS)),
  }
}

const isServerSent = (each: Record<string, unknown>): boolean => each.type === "sse"

const addressOf = ({ url, endpoint }: Record<string, unknown>, base: string): string | null => {
  if (typeof url === "string") return URL.canParse(url) ? url : null
  if (!isRecord(endpoint) || typeof endpoint.requestUri !== "string") return null
  const origin = typeof endpoint.origin === "string" ? endpoint.origin : new URL(base).origin
  const address = origin + endpoint.requestUri
  return URL.canParse(address) ? address : null
}
