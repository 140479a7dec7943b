import { type Agent, type IncomingMessage, request as plainRequest, type RequestOptions } from "node:http"
import { request as secureRequest } from "node:https"
import { UrlRefused, wordsOf } from "../outbound.ts"

/** It came to no answer. The words are for people, and repeat nothing that the other side sent. */
export class NoAnswer extends Error {
  /** `unsent`: nothing was sent; `broken`: something was, and what became of it is not known; `late`: the time was up. */
  readonly kind: "unsent" | "broken" | "late"
  /** Not one byte of the request has left. */
  readonly isUnsent: boolean
  constructor(kind: NoAnswer["kind"], isUnsent: boolean, words: string, options?: ErrorOptions) {
    super(words, options)
    this.name = "NoAnswer"
    this.kind = kind
    this.isUnsent = isUnsent
  }
}

/** One request to one target. */
export interface Exchange {
  method: string
  /** Escaped, with the query. */
  path: string
  headers: Readonly<Record<string, string>>
  body: Uint8Array | null
  /** Until there is a head. */
  deadlineMs: number
}

/** A connection that takes longer than this to come about is given up, so that another target has its turn. */
const CONNECT_MS = 3_000

/**
 * Sends a request and resolves with the head of what comes back; its body is for whoever reads it. Follows no redirect. Throws
 * {@link NoAnswer}.
 */
export const exchange = (
  { url, agent }: { url: URL; agent: Agent },
  { method, path, headers, body, deadlineMs }: Exchange,
): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const isSecure = url.protocol === "https:"
    const options: RequestOptions = {
      method,
      agent,
      path,
      headers: { ...headers, ...(body === null ? {} : { "content-length": body.byteLength }) },
    }
    let isUnsent = true
    let late: "connecting" | "answering" | null = null
    const request = (isSecure ? secureRequest : plainRequest)(url.origin, options)
    const connecting = setTimeout(() => giveUp("connecting"), Math.min(CONNECT_MS, deadlineMs))
    const answering = setTimeout(() => giveUp("answering"), deadlineMs)
    const giveUp = (what: typeof late): void => {
      late = what
      request.destroy()
    }
    const settle = (): void => {
      clearTimeout(connecting)
      clearTimeout(answering)
    }
    const fail = (error: unknown): void => {
      settle()
      reject(noAnswer(error, isUnsent, late))
    }
    const connected = (): void => {
      isUnsent = false
      clearTimeout(connecting)
    }
    request.once("socket", (socket) => {
      // One that was used before is ready to be written to at once.
      if (request.reusedSocket || !socket.connecting) connected()
      else socket.once(isSecure ? "secureConnect" : "connect", connected)
    })
    request.on("error", fail)
    // Nothing else tells of a connection that ended in a way of its own, such as by changing its protocol.
    request.once("close", () => fail(null))
    request.once("response", (response) => {
      settle()
      resolve(response)
    })
    request.end(body ?? undefined)
  })

const noAnswer = (error: unknown, isUnsent: boolean, late: "connecting" | "answering" | null): NoAnswer => {
  if (error instanceof UrlRefused) return new NoAnswer("unsent", true, error.message, { cause: error })
  if (late === "answering")
    return new NoAnswer("late", isUnsent, "It did not answer in time.", { cause: error })
  if (late === "connecting")
    return new NoAnswer("unsent", true, "It did not accept the connection in time.", { cause: error })
  return new NoAnswer(isUnsent ? "unsent" : "broken", isUnsent, wordsOf(error), { cause: error })
}
