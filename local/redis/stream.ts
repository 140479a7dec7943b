import type { ServerResponse } from "node:http"
import type { RedisBackend } from "./backend.ts"

const KEEP_ALIVE_MS = 15_000

/**
 * Streams what is published to `/subscribe/{channel}` or `/psubscribe/{pattern}` as server-sent events until the
 * client leaves. The first event tells that the subscription stands.
 */
export const streamMessages = async (
  backend: RedisBackend,
  path: string,
  response: ServerResponse,
): Promise<void> => {
  const [, kind, ...rest] = path.split("/")
  const name = decodeURIComponent(rest.join("/"))
  const send = (...parts: (string | number)[]): void => {
    response.write(`data: ${parts.join(",").replaceAll("\n", "\ndata: ")}\n\n`)
  }
  let left = false
  response.once("close", () => {
    left = true
  })
  const unsubscribe =
    kind === "subscribe"
      ? await backend.subscribe(name, (message) => send("message", name, message))
      : await backend.subscribePattern(name, (message, channel) => send("pmessage", name, channel, message))
  if (left) {
    unsubscribe()
    return
  }
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" })
  send(kind!, name, 1)
  const keepAlive = setInterval(() => response.write(": still here\n\n"), KEEP_ALIVE_MS).unref()
  response.once("close", () => {
    clearInterval(keepAlive)
    unsubscribe()
  })
}
