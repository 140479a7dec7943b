/** What a stream told. */
export interface StreamEvent {
  type: string
  id: string
  data: { revision: string; reload?: true }
}

/** Reads a stream of events as an `EventSource` would (HTML standard, section 9.2), but with headers of its own. */
export interface StreamReader {
  status: number
  headers: Headers
  /** All events so far. */
  events: readonly StreamEvent[]
  /** Comments so far. */
  comments(): number
  /** Milliseconds to wait before connecting again, as the stream says. */
  retryMs(): number | null
  /** The next event that nobody has taken yet; `null` once the stream has ended. */
  next(): Promise<StreamEvent | null>
  /** Resolves when the stream has ended, whoever ended it. */
  ended: Promise<void>
  close(): void
}

const fieldsOf = (block: string): Map<string, string> =>
  new Map(
    block.split("\n").map((line) => {
      const colon = line.indexOf(":")
      return colon === -1 ? [line, ""] : [line.slice(0, colon), line.slice(colon + 1).trimStart()]
    }),
  )

/** Resolves once the headers are here. A refusal is a stream that has ended at once. */
export const connectStream = async (
  url: string,
  token?: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<StreamReader> => {
  const leaving = new AbortController()
  const response = await fetch(url, {
    headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
    signal: leaving.signal,
  })
  const events: StreamEvent[] = []
  let taken = 0
  let comments = 0
  let retryMs: number | null = null
  let isOver = false
  let wake = Promise.withResolvers<void>()

  const take = (block: string): void => {
    const fields = fieldsOf(block)
    if (fields.has("")) comments++
    if (fields.has("retry")) retryMs = Number(fields.get("retry"))
    const data = fields.get("data")
    if (data === undefined) return
    events.push({
      type: fields.get("event") ?? "message",
      id: fields.get("id") ?? "",
      data: JSON.parse(data) as StreamEvent["data"],
    })
    wake.resolve()
    wake = Promise.withResolvers()
  }

  const read = async (): Promise<void> => {
    const decoder = new TextDecoder()
    let rest = ""
    for await (const piece of response.body ?? []) {
      const blocks = (rest + decoder.decode(piece as Uint8Array, { stream: true })).split("\n\n")
      rest = blocks.pop()!
      for (const block of blocks) take(block)
    }
  }

  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true
  if (!isStream) await response.body?.cancel()
  const ended = (isStream ? read() : Promise.resolve())
    // Cut off is ended too.
    .catch(() => undefined)
    .then(() => {
      isOver = true
      wake.resolve()
    })
  return {
    status: response.status,
    headers: response.headers,
    events,
    comments: () => comments,
    retryMs: () => retryMs,
    next: async () => {
      while (taken >= events.length && !isOver) await wake.promise
      return events[taken++] ?? null
    },
    ended,
    close: () => leaving.abort(),
  }
}
