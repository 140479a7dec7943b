import { HotswapClient } from "../../sdk/src/index.ts"
import type { HotswapEvents, HotswapOptions, Snapshot } from "../../sdk/src/types.ts"

export const snapshotOf = (sequence: number, more: Partial<Snapshot> = {}): Snapshot => ({
  tenantId: "acme",
  environment: "Production",
  revision: `1.0.0.${sequence}`,
  view: `0.view-${sequence}`,
  configs: { k: sequence },
  candidate: null,
  ...more,
})

export const candidateOf = (
  set: Snapshot["configs"],
  weightBp = 5_000,
): NonNullable<Snapshot["candidate"]> => ({
  view: "0.candidate",
  changeId: "acme:chg_1",
  step: 0,
  weightBp,
  set,
  unset: [],
})

export const answerWith = (snapshot: Snapshot, headers: Record<string, string> = {}): Response =>
  Response.json(snapshot, { headers: { "hotswap-revision": snapshot.revision, ...headers } })

export const refusal = (status: number, headers: Record<string, string> = {}): Response =>
  Response.json({ code: "X" }, { status, headers })

export interface Asked {
  path: string
  headers: Headers
  body: { reports: Record<string, unknown>[] } | null
}

type Answer = (asked: Asked) => Response | Promise<Response>

/** A service that answers whatever a test says, at the place of `fetch`. */
export const scriptService = (answers: { read?: Answer; outcomes?: Answer; stream?: Answer }) => {
  const asked: Asked[] = []
  const streams: ReadableStreamDefaultController<Uint8Array>[] = []
  const openStream: Answer = () => {
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void streams.push(controller) })
    return new Response(body, { headers: { "content-type": "text/event-stream" } })
  }
  const answer = {
    read: () => answerWith(snapshotOf(1)),
    outcomes: () => new Response(null, { status: 202 }),
    stream: openStream,
    ...answers,
  }
  const fetch: typeof globalThis.fetch = async (url, init = {}) => {
    const { pathname, search } = new URL(String(url))
    const body = typeof init.body === "string" ? JSON.parse(init.body) : null
    const question: Asked = { path: pathname + search, headers: new Headers(init.headers), body }
    asked.push(question)
    init.signal?.throwIfAborted()
    const kind = pathname.endsWith("/stream")
      ? "stream"
      : pathname.endsWith("/outcomes")
        ? "outcomes"
        : "read"
    const given = Promise.resolve(answer[kind](question))
    const response = await Promise.race([given, abortOf(init.signal)])
    init.signal?.addEventListener("abort", () => {
      if (kind === "stream") for (const each of streams.splice(0)) close(each, init.signal!.reason)
    })
    return response
  }
  return {
    asked,
    answer,
    fetch,
    /** Questions of one kind, in order. */
    of: (kind: string) => asked.filter(({ path }) => path.includes(kind)),
    /** What the streams that are open say. */
    say: (text: string) => {
      for (const each of streams) each.enqueue(new TextEncoder().encode(text))
    },
    /** Ends the streams that are open. */
    cut: () => {
      for (const each of streams.splice(0)) close(each)
    },
    open: () => streams.length,
  }
}

const close = (stream: ReadableStreamDefaultController<Uint8Array>, reason?: unknown): void => {
  try {
    if (reason === undefined) stream.close()
    else stream.error(reason)
  } catch {
    // It has ended already.
  }
}

const abortOf = (signal: AbortSignal | null | undefined): Promise<never> =>
  new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)))

export type Scripted = ReturnType<typeof scriptService>

export const eventOf = (revision: string, type = "tenant_config"): string =>
  `event: ${type}\nid: ${revision}\ndata: {"revision":"${revision}"}\n\n`

/** A client of it, and all it tells. */
export const connectTo = (service: Scripted, options: Partial<HotswapOptions> = {}) => {
  const told: { [Name in keyof HotswapEvents]: HotswapEvents[Name][] } = {
    ready: [],
    changed: [],
    stale: [],
    error: [],
  }
  const client = new HotswapClient({
    url: "http://service",
    token: "hsr_token",
    tenantId: "acme",
    fetch: service.fetch,
    ...options,
  })
  client.on("ready", (event) => told.ready.push(event))
  client.on("changed", (event) => told.changed.push(event))
  client.on("stale", (event) => told.stale.push(event))
  client.on("error", (event) => told.error.push(event))
  return { client, told }
}
