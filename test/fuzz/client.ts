import { Agent, request as call, type IncomingHttpHeaders } from "node:http"
import { brotliDecompressSync, gunzipSync } from "node:zlib"

/** A request as it is on the wire. */
export interface Sent {
  method: string
  /** Path and query. */
  path: string
  headers: Readonly<Record<string, string>>
  body?: string | Uint8Array | undefined
}

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  text: string
  /** The connection was cut before there was an answer. */
  cut: boolean
}

export interface Client {
  send(sent: Sent): Promise<Answer>
  /** Closes what is kept open. */
  rest(): void
}

const PATIENCE_MS = 30_000

/** The body as JSON; `undefined` where it is none. */
export const jsonOf = ({ text }: Pick<Answer, "text">): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const unpacked = (body: Buffer, encoding: string | undefined): Buffer => {
  if (body.length === 0 || !encoding) return body
  return encoding === "br" ? brotliDecompressSync(body) : encoding === "gzip" ? gunzipSync(body) : body
}

/** Sends requests as they are: nothing is put in order on the way. */
export const createClient = (url: string): Client => {
  const { hostname, port } = new URL(url)
  let agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const send = (sent: Sent): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const { method, path, headers, body } = sent
      const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) }
      const asked = call(
        { hostname, port, agent, method, path, headers: { ...headers, ...length }, timeout: PATIENCE_MS },
        (response) => {
          const pieces: Buffer[] = []
          const done = () =>
            resolve({
              status: response.statusCode!,
              headers: response.headers,
              text: unpacked(Buffer.concat(pieces), response.headers["content-encoding"]).toString("utf8"),
              cut: false,
            })
          response.on("data", (piece: Buffer) => pieces.push(piece))
          response.on("end", done)
          response.on("error", failed)
          // A stream does not end by itself: that it began is all there is to see.
          if (response.headers["content-type"]?.startsWith("text/event-stream")) {
            done()
            asked.destroy()
          }
        },
      )
      asked.on("timeout", () => asked.destroy(new Error(`no answer within ${PATIENCE_MS} ms`)))
      const failed = (error: NodeJS.ErrnoException): void => {
        const isCut = error.code === "ECONNRESET" || error.code === "EPIPE"
        // The other side closed what was idle in the very moment in which it was used again: nothing was asked yet.
        if (isCut && asked.reusedSocket) resolve(send(sent))
        else if (isCut) resolve({ status: 0, headers: {}, text: error.message, cut: true })
        else reject(error)
      }
      asked.on("error", failed)
      asked.end(body)
    })
  return {
    send,
    rest: () => {
      agent.destroy()
      agent = new Agent({ keepAlive: true, maxSockets: 64 })
    },
  }
}
