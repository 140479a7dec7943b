/** What a page is told, by OFREP's bulk evaluation; scripted. */
export interface BulkService {
  /** What it answers from now on; `null`: nothing, as nobody can reach it. */
  answer: {
    status?: number
    revision?: string
    flags?: Record<string, unknown>
    headers?: Record<string, string>
    text?: string
    /** What the answer has besides its flags. */
    more?: () => object
  } | null
  /** Called before each answer; who returns a promise holds it back. */
  before: (context: Record<string, unknown>) => unknown
  /** It answers those, too, who do not want to know any more. */
  isDeaf: boolean
  asked: { context: Record<string, unknown>; headers: Headers; query: URLSearchParams }[]
  fetch: typeof fetch
}

/** Flags whose values are these, whoever asks; a function is told who. */
export const bulkService = (flags: Record<string, unknown> = {}): BulkService => {
  const service: BulkService = {
    answer: { revision: "1.0.0.1", flags },
    before: () => undefined,
    isDeaf: false,
    asked: [],
    fetch: async (input, init) => {
      const { context } = JSON.parse(String(init?.body)) as { context: Record<string, unknown> }
      const headers = new Headers(init?.headers)
      service.asked.push({ context, headers, query: new URL(String(input)).searchParams })
      await service.before(context)
      if (!service.isDeaf) init?.signal?.throwIfAborted()
      if (service.answer === null) throw new TypeError("fetch failed")
      const { status = 200, revision, text, flags: now = {} } = service.answer
      const told = Object.entries(now).map(([key, value]) => ({
        ...{ key, value: typeof value === "function" ? value(context) : value },
        ...{ reason: "STATIC", variant: "v" },
      }))
      const etag = `"${revision} ${JSON.stringify(told)}"`
      const answered = {
        etag,
        ...(revision ? { "hotswap-revision": revision } : {}),
        ...service.answer.headers,
      }
      if (status === 200 && headers.get("if-none-match") === etag)
        return new Response(null, { status: 304, headers: answered })
      return new Response(
        text ?? JSON.stringify(status === 200 ? { flags: told, ...service.answer.more?.() } : {}),
        {
          status,
          headers: answered,
        },
      )
    },
  }
  return service
}
