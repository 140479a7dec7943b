import { createHash, timingSafeEqual } from "node:crypto"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { Command, Encoding, Outcome, RedisBackend } from "./backend.ts"
import { RedisFault } from "./reply.ts"
import { streamMessages } from "./stream.ts"

/** The Upstash service takes as much in one request. */
const MAX_BODY_BYTES = 10 * 1024 * 1024

/**
 * Speaks Upstash's REST protocol (https://upstash.com/docs/redis/features/restapi) in front of a Redis:
 * `POST /` with a command, `/pipeline` and `/multi-exec` with several, `/subscribe/{channel}` and
 * `/psubscribe/{pattern}` as a stream of events, and commands as paths (`/publish/{channel}/{message}`).
 */
export const upstashFront = (backend: RedisBackend, token: string): Server => {
  const expected = digest(token)
  return createServer((request, response) => {
    if (!authorised(request, expected)) {
      request.resume()
      answer(response, 401, { error: "WRONGPASS invalid or missing auth token" })
      return
    }
    void serve(backend, request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy()
      else if (error instanceof RedisFault) answer(response, 400, { error: error.message })
      else answer(response, 500, { error: `ERR ${error instanceof Error ? error.message : String(error)}` })
    })
  })
}

const serve = async (
  backend: RedisBackend,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> => {
  const path = pathOf(request.url!)
  const encoding: Encoding = request.headers["upstash-encoding"] === "base64" ? "base64" : "plain"
  const body = request.method === "GET" || request.method === "HEAD" ? "" : await readBody(request)
  if (path === "/pipeline") {
    answer(response, 200, await backend.run(parseCommands(body), encoding))
  } else if (path === "/multi-exec") {
    answer(response, 200, await backend.transaction(parseCommands(body), encoding))
  } else if (path.startsWith("/subscribe/") || path.startsWith("/psubscribe/")) {
    await streamMessages(backend, path, response)
  } else {
    const command = path === "/" ? parseCommand(parseJson(body)) : commandInPath(path, body)
    const outcomes = backend.run([command], encoding)
    // The embedded Redis answers at once, and a promise would cost its callers a turn of the event loop.
    const [outcome] = outcomes instanceof Promise ? await outcomes : outcomes
    answer(response, "error" in outcome! ? 400 : 200, outcome!)
  }
}

const pathOf = (url: string): string => {
  const query = url.indexOf("?")
  return query === -1 ? url : url.slice(0, query)
}

const commandInPath = (path: string, body: string): Command => {
  const words = path.slice(1).split("/").map(decodeURIComponent)
  return body === "" ? words : [...words, body]
}

const readBody = (request: IncomingMessage): Promise<string> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > MAX_BODY_BYTES) reject(new RedisFault("ERR max request size exceeded"))
      else chunks.push(chunk)
    })
    request.on("end", () =>
      resolve((chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).toString("utf8")),
    )
    request.on("error", reject)
  })

const parseJson = (body: string): unknown => {
  try {
    return JSON.parse(body)
  } catch {
    throw new RedisFault("ERR failed to parse command")
  }
}

const parseCommands = (body: string): Command[] => {
  const commands = parseJson(body)
  if (!Array.isArray(commands) || commands.length === 0) throw new RedisFault("ERR empty pipeline request")
  return commands.map(parseCommand)
}

const parseCommand = (words: unknown): Command => {
  if (!Array.isArray(words) || words.length === 0) throw new RedisFault("ERR empty command")
  return words.map((word: unknown) => {
    if (typeof word === "string") return word
    if (typeof word === "number" || typeof word === "boolean") return String(word)
    throw new RedisFault("ERR a command is an array of strings and numbers")
  })
}

const answer = (response: ServerResponse, status: number, content: Outcome | Outcome[]): void => {
  const body = Buffer.from(JSON.stringify(content))
  response.writeHead(status, { "content-type": "application/json", "content-length": body.length })
  response.end(body)
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

const authorised = (request: IncomingMessage, expected: Buffer): boolean => {
  const header = request.headers.authorization
  if (header === undefined || header.slice(0, 7).toLowerCase() !== "bearer ") return false
  return timingSafeEqual(digest(header.slice(7)), expected)
}
