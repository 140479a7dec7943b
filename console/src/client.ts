import { ProblemError, problemOf, unreachable } from "./problem.ts"
import type { Problem } from "./shapes.ts"

type Query = Readonly<Record<string, string | number | null | undefined>>
type Method = "POST" | "PUT" | "PATCH" | "DELETE"

/** The public API, with one token. Every call throws {@link ProblemError}. */
export interface Client {
  get<Answer>(path: string, query?: Query, signal?: AbortSignal): Promise<Answer>
  /** Under a key of its own, so that it is done once even where the answer is lost and it is sent again. */
  send<Answer>(method: Method, path: string, body?: unknown, ifMatch?: string): Promise<Answer>
  /** A file, and the version of what is told with an `ETag`. */
  fetch(path: string, query?: Query): Promise<Response>
}

const search = (query: Query = {}): string => {
  const given = Object.entries(query).flatMap(([name, value]): [string, string][] =>
    value === null || value === undefined || value === "" ? [] : [[name, String(value)]],
  )
  return given.length === 0 ? "" : `?${new URLSearchParams(given)}`
}

const randomKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  )

/** Encoded but for the colons, which ids are made of. */
export const pathPart = (id: string): string =>
  encodeURIComponent(id).replaceAll("%3A", ":").replaceAll("%7E", "~")

const problemIn = async (response: Response): Promise<ProblemError> => {
  const text = await response.text().catch(() => "")
  const retryAfterMs = Number(response.headers.get("retry-after") ?? 0) * 1_000 || 0
  try {
    return new ProblemError(JSON.parse(text) as Problem, retryAfterMs)
  } catch {
    const { status } = response
    return new ProblemError(
      {
        type: "about:blank",
        title: `Answer ${status}`,
        status,
        detail: "The answer is none of this service.",
        code: "ANSWER",
      },
      retryAfterMs,
    )
  }
}

/** `onSignedOut` hears of a token that is none any more. */
export const createClient = (token: string, onSignedOut: (problem: Problem) => void): Client => {
  const ask = async (path: string, init: RequestInit): Promise<Response> => {
    const headers = { authorization: `Bearer ${token}`, ...(init.headers as Record<string, string>) }
    // Cookies are neither sent nor kept: what counts is the token, which no other page has.
    const response = await fetch(path, {
      ...init,
      headers,
      credentials: "omit",
      cache: "no-store",
      redirect: "error",
    }).catch((error: unknown) => {
      throw init.signal?.aborted ? error : unreachable()
    })
    if (response.ok) return response
    const error = await problemIn(response)
    if (error.problem.code === "UNAUTHENTICATED") onSignedOut(error.problem)
    throw error
  }
  /** Keys of what was sent and perhaps done: pressed again, it is the same request and done once. */
  const unanswered = new Map<string, string>()
  const askOnce = async (
    path: string,
    init: RequestInit & { headers: Record<string, string> },
  ): Promise<Response> => {
    const what = JSON.stringify([init.method, path, init.body, init.headers["if-match"]])
    const key = unanswered.get(what) ?? randomKey()
    unanswered.set(what, key)
    const response = await ask(path, { ...init, headers: { ...init.headers, "idempotency-key": key } }).catch(
      (error: unknown) => {
        const { status } = problemOf(error)
        if (status > 0 && status < 500) unanswered.delete(what)
        throw error
      },
    )
    unanswered.delete(what)
    return response
  }
  return {
    get: async <Answer>(path: string, query?: Query, signal?: AbortSignal) => {
      const response = await ask(path + search(query), signal ? { signal } : {})
      return (await response.json()) as Answer
    },
    send: async <Answer>(method: Method, path: string, body: unknown = {}, ifMatch?: string) => {
      const headers: Record<string, string> = { "content-type": "application/json" }
      if (ifMatch !== undefined) headers["if-match"] = ifMatch
      const response = await askOnce(path, { method, headers, body: JSON.stringify(body) })
      return (response.status === 204 ? null : await response.json()) as Answer
    },
    fetch: (path, query) => ask(path + search(query), {}),
  }
}
