import { randomUUID } from "node:crypto"
import { Failure, wrongUsage } from "./failure.ts"

export type Answer = Record<string, unknown>

/** One deployment of Hotswap and the token to ask it with. */
export interface Service {
  url: string
  /** Before it is asked again. */
  pause(ms: number): Promise<void>
  get(path: string, query?: Readonly<Record<string, string | undefined>>): Promise<Answer>
  /** With an idempotency key of its own, so that it may be sent again after a connection broke. */
  send(method: "POST" | "PUT" | "PATCH" | "DELETE", path: string, body?: object): Promise<Answer>
  /** Every item of a list, page after page. */
  list(path: string, query?: Readonly<Record<string, string | undefined>>): Promise<Answer[]>
}

/** A refusal of the service's (RFC 9457). */
export class Refused extends Failure {
  readonly status: number
  readonly code: string
  readonly problem: Answer
  constructor(status: number, problem: Answer) {
    const code = typeof problem.code === "string" ? problem.code : `HTTP_${status}`
    super([`${code}:`, problem.detail ?? problem.title ?? "", whereOf(problem)].join(" ").trim())
    this.status = status
    this.code = code
    this.problem = problem
  }
}

const whereOf = ({ errors }: Answer): string => {
  if (!Array.isArray(errors) || errors.length === 0) return ""
  return `(${errors.map(({ path, message }: Answer) => `${path}: ${message}`).join("; ")})`
}

const TRIES = 4
const DEADLINE_MS = 60_000
const PAUSE_MS = 500
const isPassing = (status: number): boolean => status === 429 || status >= 500

/** What is outside of this process, so that a test may be it. */
export interface Outside {
  fetch: typeof fetch
  pause(ms: number): Promise<void>
}

export const OUTSIDE: Outside = {
  fetch: (...request) => fetch(...request),
  pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
}

const pauseAfter = (nth: number, retryAfter: string | null): number => {
  const asked = Number(retryAfter) * 1_000
  return Math.min(asked > 0 ? asked : PAUSE_MS * 2 ** nth, DEADLINE_MS)
}

const parsed = (text: string): Answer | null => {
  try {
    const value: unknown = text === "" ? {} : JSON.parse(text)
    return typeof value === "object" && value !== null ? (value as Answer) : null
  } catch {
    return null
  }
}

const baseOf = (url: string): string => {
  if (!URL.canParse(url) || !["http:", "https:"].includes(new URL(url).protocol))
    throw wrongUsage(`"${url}" is not the address of a deployment, like https://hotswap.example`)
  return url.replace(/\/+$/, "")
}

export const serviceAt = (url: string, token: string, outside: Outside): Service => {
  const base = baseOf(url)
  if (!/^[\x21-\x7e]+$/.test(token))
    throw wrongUsage("the token is not one: it has characters that no token has")

  const once = async (method: string, path: string, key: string | null, body?: object): Promise<Response> =>
    await outside.fetch(base + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(key === null ? {} : { "idempotency-key": key }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      // A token is not for wherever somebody leads to.
      redirect: "error",
      signal: AbortSignal.timeout(DEADLINE_MS),
    })

  const ask = async (method: string, path: string, body?: object): Promise<Answer> => {
    const key = method === "GET" ? null : randomUUID()
    for (let nth = 1; ; nth++) {
      let response: Response
      let text: string
      try {
        response = await once(method, path, key, body)
        text = await response.text()
      } catch (error) {
        if (nth === TRIES) throw new Failure(`${base} does not answer: ${reasonOf(error)}`)
        await outside.pause(pauseAfter(nth, null))
        continue
      }
      const answer = parsed(text)
      if (response.ok && answer) return answer
      if (!isPassing(response.status) || nth === TRIES)
        throw response.ok
          ? new Failure(`${base} does not answer as Hotswap does: is that its address?`)
          : new Refused(response.status, answer ?? { detail: `${base} answered ${response.status}` })
      await outside.pause(pauseAfter(nth, response.headers.get("retry-after")))
    }
  }

  const service: Service = {
    url: base,
    pause: outside.pause,
    get: (path, query = {}) => ask("GET", path + queryText(query)),
    send: (method, path, body) => ask(method, path, body),
    list: async (path, query = {}) => {
      const items: Answer[] = []
      let cursor: string | undefined
      do {
        const page = await service.get(path, { ...query, cursor })
        items.push(...(page.items as Answer[]))
        cursor = typeof page.nextCursor === "string" ? page.nextCursor : undefined
      } while (cursor !== undefined)
      return items
    },
  }
  return service
}

const reasonOf = (error: unknown): string => {
  const { cause, message } = error as Error
  return cause instanceof Error && cause.message !== "" ? cause.message : message
}

const queryText = (query: Readonly<Record<string, string | undefined>>): string => {
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return given.length === 0 ? "" : `?${new URLSearchParams(given)}`
}

/** One word of a path. */
export const word = (text: string): string =>
  encodeURIComponent(text).replaceAll("%3A", ":").replaceAll("~", "%7E")
