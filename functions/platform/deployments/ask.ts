import type { IncomingMessage } from "node:http"
import type { BackendName } from "../../../core/deployment/deployments.ts"
import { inOrder } from "../../../core/deployment/order.ts"
import { addressed, passedPath } from "../../../core/deployment/paths.ts"
import { UrlRefused } from "../outbound.ts"
import type { BackendClient } from "./clients.ts"
import { exchange, NoAnswer } from "./exchange.ts"

/** What is asked of a tenant's backend in the service's own name. */
export interface Question {
  /** As {@link passedPath} has it. */
  path: string
  query?: Readonly<Record<string, string>>
  body?: { type: string; bytes: Uint8Array }
  /** Of the answer. */
  bytesMax: number
}

/** There is more to answer than was to be read. */
export class TooMuch extends Error {}

/**
 * What the first target for that answers, once: whoever asks tries again. Throws {@link NoAnswer} where it does not, or answers
 * that it did not do it, and {@link TooMuch}.
 */
export const ask = async (
  name: BackendName,
  backend: BackendClient,
  { path, query, body, bytesMax }: Question,
  nowMs: number,
): Promise<Buffer> => {
  const passed = passedPath(name, path)!
  const { path: below, headers: tenancy } = addressed(name, passed, backend.settings.tenancy)
  const { authorization, settings } = backend
  const [client] = inOrder(backend.targets, passed.use, null, () => ({ isDown: false }))
  if (!client) throw new NoAnswer("unsent", true, `None of its targets is for use "${passed.use}".`)
  try {
    client.reach.check()
    const response = await exchange(
      { url: client.url, agent: client.agentAt(nowMs) },
      {
        method: body ? "POST" : "GET",
        path: `${client.url.pathname.replace(/\/$/, "")}${below}${query ? `?${new URLSearchParams(query)}` : ""}`,
        headers: {
          "user-agent": "Hotswap",
          ...(body ? { "content-type": body.type } : {}),
          ...tenancy,
          ...(authorization === null ? {} : { authorization }),
        },
        body: body?.bytes ?? null,
        deadlineMs: settings.timeoutMs,
      },
    )
    const answer = await read(response, bytesMax, settings.timeoutMs)
    const status = response.statusCode!
    if (status < 200 || status > 299) throw new NoAnswer("broken", false, `It answered ${status} to ${path}.`)
    return answer
  } catch (error) {
    if (error instanceof UrlRefused) throw new NoAnswer("unsent", true, error.message, { cause: error })
    throw error
  }
}

const read = async (response: IncomingMessage, bytesMax: number, timeoutMs: number): Promise<Buffer> => {
  response.setTimeout(timeoutMs, () => response.destroy(new Error("silent")))
  const pieces: Buffer[] = []
  let bytes = 0
  try {
    for await (const piece of response as AsyncIterable<Buffer>) {
      bytes += piece.length
      if (bytes > bytesMax) throw new TooMuch()
      pieces.push(piece)
    }
  } catch (error) {
    if (error instanceof TooMuch) throw error
    throw new NoAnswer("broken", false, "Its answer broke off.", { cause: error })
  } finally {
    response.destroy()
  }
  return Buffer.concat(pieces)
}
