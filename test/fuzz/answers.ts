import { PROBLEMS } from "../../core/errors.ts"
import { type Answer, jsonOf } from "./client.ts"
import type { Document } from "./document.ts"
import type { FuzzRequest } from "./requests.ts"

/** Which door an answer came out of. */
export type Door = "manage" | "read" | "outcomes" | "router" | "worker"

export const doorOf = (path: string): Door => {
  if (["/api/v1/outcomes", "/api/v1/events"].includes(path.split("?")[0]!)) return "outcomes"
  if (path.startsWith("/api/v1/route/")) return "router"
  const begins = ["/internal/", "/api/v1/configs/tenant/", "/ofrep/"]
  return begins.some((prefix) => path.startsWith(prefix)) ? "read" : "manage"
}

const PROBLEM = "application/problem+json; charset=utf-8"
const BODILESS = new Set([204, 304])

const problemWith = (answer: Answer, document: Document): string | null => {
  if (answer.headers["content-type"] !== PROBLEM)
    return `${answer.status} as ${answer.headers["content-type"] ?? "nothing"}`
  const body = jsonOf(answer) as Record<string, unknown> | undefined
  const wrong = document.wrongWithProblem(body)
  if (wrong !== null) return wrong
  const { code, type, title, status } = body as { code: string; type: string; title: string; status: number }
  const known = Object.hasOwn(PROBLEMS, code) ? PROBLEMS[code as keyof typeof PROBLEMS] : undefined
  if (!known) return `the code ${code} is not in the registry`
  if (known.status !== answer.status || status !== answer.status) return `${code} with ${answer.status}`
  if (known.title !== title || type !== `/docs/errors#${code}`)
    return `${code} is told otherwise than registered`
  return null
}

/** Any method may be asked of any path. */
const isBare = ({ method }: FuzzRequest, { status }: Answer): boolean =>
  method === "HEAD" || BODILESS.has(status)

const headersOf = (request: FuzzRequest, answer: Answer, door: Door): string | null => {
  const { headers } = answer
  if (headers["cache-control"] === undefined && request.method !== "OPTIONS") return "no cache-control"
  if (answer.status >= 400 && headers["cache-control"] !== "no-store") return "a problem that may be stored"
  if (Object.keys(headers).some((name) => name === "set-cookie" || name === "x-powered-by"))
    return "a needless header"
  // What is too long for an invocation is refused by what calls the function; TRACE it does not take at all.
  if (door !== "manage" || request.method === "TRACE" || answer.status === 413) return null
  if (headers["x-content-type-options"] !== "nosniff") return "no x-content-type-options"
  if (headers["x-frame-options"] !== "DENY") return "no x-frame-options"
  if (!headers["content-security-policy"]?.includes("default-src 'none'")) return "no content-security-policy"
  if (!headers["strict-transport-security"]) return "no strict-transport-security"
  const instance =
    answer.status >= 400 ? (jsonOf(answer) as { instance?: string } | undefined)?.instance : undefined
  if (instance !== undefined && instance !== headers["hotswap-request-id"]) return "another request's id"
  return null
}

const bodyOf = ({ operation }: FuzzRequest, answer: Answer): string | null => {
  const types = operation.contentTypes(answer.status)
  const given = answer.headers["content-type"]?.split(";")[0] ?? ""
  if (types.length > 0 && !types.includes(given)) return `${answer.status} as ${given}`
  if (given !== "application/json") return null
  const body = jsonOf(answer)
  if (body === undefined) return "not JSON"
  return operation.wrongWith(answer.status, body)
}

/** A part of the path that is empty, or that URLs take for a step up, leads to another operation. */
const ELSEWHERE = /\/\.{0,2}(?:\/|\?|$)/

/** Was it sent as the operation has it, so that its answers are those documented? */
const isOfOperation = ({ kind, words, path }: FuzzRequest): boolean =>
  kind === "hostile" ? words !== "path" && words !== "method" : !(kind === "faulty" && ELSEWHERE.test(path))

/** Another protocol's shape of a refusal, where the operation says that it has one. */
const isWorded = ({ operation }: FuzzRequest, { status, headers }: Answer): boolean =>
  operation.contentTypes(status).includes("application/json") &&
  headers["content-type"]?.startsWith("application/json") === true

export interface Fault {
  kind: "failed" | "undocumented" | "shape" | "problem" | "header" | "taken" | "altered"
  words: string
}

/** What is wrong with an answer, held against the document alone; `null` for nothing. */
export const faultOf = (
  document: Document,
  request: FuzzRequest,
  answer: Answer,
  door: Door,
): Fault | null => {
  const { status } = answer
  if (answer.cut) return { kind: "failed", words: `cut off: ${answer.text}` }
  if (status >= 500) return { kind: "failed", words: `${status} ${answer.text.slice(0, 300)}` }
  if (isBare(request, answer)) {
    if (answer.text !== "") return { kind: "shape", words: "a body where there is none" }
  } else if (status >= 400) {
    const wrong = isWorded(request, answer) ? bodyOf(request, answer) : problemWith(answer, document)
    if (wrong !== null) return { kind: "problem", words: wrong }
  }
  if (isOfOperation(request) && request.method === request.operation.method && status < 400) {
    if (!request.operation.statuses.has(status)) return { kind: "undocumented", words: String(status) }
    const wrong = bodyOf(request, answer)
    if (wrong !== null) return { kind: "shape", words: wrong }
    if (request.forbidden && status < 300)
      return { kind: "taken", words: `${status} for a body that the document forbids` }
  }
  const header = headersOf(request, answer, door)
  return header === null ? null : { kind: "header", words: header }
}
