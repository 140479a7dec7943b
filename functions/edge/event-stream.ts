// The event stream format of the HTML standard, section 9.2, as far as both ends of it are here.

const encoder = new TextEncoder()

/** The lines of a body as they come. Ends with the body; throws when that breaks off. */
export async function* linesOf(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const reader = body.getReader()
  const leave = (): void => void reader.cancel().catch(() => undefined)
  signal.addEventListener("abort", leave)
  const decoder = new TextDecoder()
  let rest = ""
  try {
    while (!signal.aborted) {
      const { done, value } = await reader.read()
      if (done) return
      const lines = (rest + decoder.decode(value, { stream: true })).split(/\r?\n/)
      rest = lines.pop()!
      yield* lines
    }
  } finally {
    signal.removeEventListener("abort", leave)
    leave()
  }
}

/** A body that is written to as things happen. */
export interface Outlet {
  body: ReadableStream<Uint8Array>
  /** Aborted as soon as nobody reads any more, whoever left. */
  gone: AbortSignal
  write(text: string | Uint8Array): void
  close(): void
}

/** Who reads so slowly that this much waits for him is let go, so that nobody's memory is his to fill. */
const UNREAD_BYTES_MAX = 65_536

export const createOutlet = (): Outlet => {
  const gone = new AbortController()
  let controller!: ReadableStreamDefaultController<Uint8Array>
  const body = new ReadableStream<Uint8Array>(
    {
      start: (given) => {
        controller = given
      },
      cancel: () => gone.abort(),
    },
    new ByteLengthQueuingStrategy({ highWaterMark: UNREAD_BYTES_MAX }),
  )
  return {
    body,
    gone: gone.signal,
    write: (text) => {
      if (gone.signal.aborted) return
      controller.enqueue(typeof text === "string" ? encoder.encode(text) : text)
      if (controller.desiredSize !== null && controller.desiredSize >= 0) return
      controller.error(new Error("nobody reads this stream"))
      gone.abort()
    },
    close: () => {
      if (gone.signal.aborted) return
      controller.close()
      gone.abort()
    },
  }
}
