import type { Settings } from "./runtime.ts"
import { amzDate, createSigner, encodedQuery, sha256Hex } from "./sigv4.ts"

/** A request to a function, whole. */
export interface Outgoing {
  method: string
  url: string
  headers: Headers
  /** A stream where it need not be signed. */
  body: Uint8Array<ArrayBuffer> | ReadableStream | null
  signal?: AbortSignal
}

export interface Send {
  (outgoing: Outgoing): Promise<Response>
  /** Is what is sent there signed? Then its body has to be there before it goes. */
  signs(url: string): boolean
}

/** The caller's credentials make room for the edge's own. */
const CALLERS_HEADER = "hotswap-authorization"
const AMZ = /^x-amz-/

/** A body that is still coming: the standard wants it said that nobody waits for its end. */
const streamed = (body: Outgoing["body"]): RequestInit =>
  body === null ? {} : ({ body, duplex: "half" } as RequestInit)

/** Sends to the functions: signed (Signature Version 4) where the function takes nothing else. */
export const createSend = ({ signing, manageOrigin }: Pick<Settings, "signing" | "manageOrigin">): Send => {
  const sign = signing && createSigner(signing)

  const signs = (url: string): boolean => sign !== null && new URL(url).origin !== manageOrigin

  const signed = async ({ method, url, headers: given, body }: Outgoing): Promise<Request> => {
    const { origin, host, pathname, search } = new URL(url)
    const query = encodedQuery(search.slice(1))
    const headers = new Headers(given)
    for (const name of [...headers.keys()]) if (AMZ.test(name)) headers.delete(name)
    const callers = headers.get("authorization")
    if (callers !== null) headers.set(CALLERS_HEADER, callers)
    const now = new Date()
    const bodyHash = await sha256Hex(body instanceof Uint8Array ? body : "")
    headers.set("x-amz-date", amzDate(now))
    headers.set("x-amz-content-sha256", bodyHash)
    const listed = [
      ["host", host],
      ["x-amz-content-sha256", bodyHash],
      ["x-amz-date", amzDate(now)],
    ] as const
    const signable = { method, path: pathname, query, headers: listed, bodyHash }
    headers.set("authorization", await sign!(signable, now))
    const target = `${origin}${pathname}${query === "" ? "" : `?${query}`}`
    return new Request(target, { method, headers, body, redirect: "manual" })
  }

  const send = async (outgoing: Outgoing): Promise<Response> => {
    const { method, url, headers, body, signal } = outgoing
    const request = signs(url)
      ? await signed(outgoing)
      : new Request(url, { method, headers, redirect: "manual", ...streamed(body) })
    return await fetch(request, { cache: "no-store", ...(signal ? { signal } : {}) })
  }
  return Object.assign(send, { signs })
}
