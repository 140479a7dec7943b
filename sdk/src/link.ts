import { HotswapError, isFinal, pauseAfter } from "./failures.ts"
import type { HotswapOptions } from "./types.ts"

/** How long the service may take to answer; itself it waits 9 s for its origin. */
const ANSWER_MS = 12_000

/** A road to the service, and what to make of it when that fails; handed on to what is loaded later. */
export interface Link {
  ask(path: string, init?: RequestInit): Promise<Response>
  isFinal: typeof isFinal
  pauseAfter: typeof pauseAfter
}

/** Asks the service in the tenant's name, until `over`. Throws what `fetch` does, and HotswapError for what is no success. */
export const linkOf = (
  { url, token, tenantId, fetch = globalThis.fetch }: HotswapOptions,
  over: AbortSignal,
): Link => {
  const base = url.replace(/\/+$/, "")
  const ask: Link["ask"] = async (path, { headers, signal, ...init } = {}) => {
    const response = await fetch(base + path, {
      ...init,
      headers: { authorization: `Bearer ${token}`, "x-tenant-id": tenantId, ...headers },
      signal: AbortSignal.any([over, signal ?? AbortSignal.timeout(ANSWER_MS)]),
    })
    if (response.ok || response.status === 304) return response
    // Otherwise it would keep the connection.
    await response.body?.cancel()
    throw new HotswapError(response.status, response.headers.get("retry-after"))
  }
  return { ask, isFinal, pauseAfter }
}
