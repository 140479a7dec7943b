import { parseRevision, type Revision } from "../../../../core/release/revision.ts"

/** What the service says of a change: enough to ask for what is at least as new. */
export interface Notice {
  /** `null`: it does not say. */
  revision: Revision | null
  /** OFREP has them sent along with the question that they are the cause of. */
  because: URLSearchParams
}

interface Listener {
  /** It is open, for the first time or again: what happened meanwhile was not heard. */
  opened(): void
  changed(notice: Notice): void
  /** It is closed. It may open again by itself, unless it `isOver`. */
  lost(isOver: boolean): void
}

const CLOSED = 2

/** The streams over which the service tells a page that flags have changed. */
export class EventStreams {
  readonly #EventSource: typeof EventSource | undefined
  readonly #listener: Listener
  #sources = new Map<string, EventSource>()

  constructor(Source: typeof EventSource | undefined, listener: Listener) {
    this.#EventSource = Source
    this.#listener = listener
  }

  /** Does every one of them work? */
  get isOpen(): boolean {
    return this.#sources.size > 0 && [...this.#sources.values()].every((source) => source.readyState === 1)
  }

  /** Listens at these addresses; where it does so already, a new ticket in one is none to begin anew for. */
  listen(addresses: readonly string[]): void {
    if (!this.#EventSource || placesOf(addresses) === placesOf(this.#sources.keys())) return
    this.close()
    for (const address of addresses) this.#sources.set(address, this.#connect(new this.#EventSource(address)))
  }

  close(): void {
    const sources = this.#sources
    this.#sources = new Map()
    for (const source of sources.values()) source.close()
  }

  #connect(source: EventSource): EventSource {
    const isCurrent = () => [...this.#sources.values()].includes(source)
    source.onopen = () => this.#listener.opened()
    source.onmessage = ({ data, lastEventId }) => {
      const notice = noticeOf(data, lastEventId)
      if (notice) this.#listener.changed(notice)
    }
    source.onerror = () => {
      if (!isCurrent()) return
      const isOver = source.readyState === CLOSED
      // An address that does not work any more, as the ticket in it has expired: a new one comes with the next answer.
      if (isOver) this.close()
      this.#listener.lost(isOver)
    }
    return source
  }
}

const placesOf = (addresses: Iterable<string>): string =>
  Array.from(addresses, (address) => address.replace(/\?.*/s, ""))
    .sort()
    .join(" ")

/** `null`: it is about something else. */
const noticeOf = (data: unknown, id: string): Notice | null => {
  try {
    const { type, etag, lastModified } = JSON.parse(String(data)) as Record<string, unknown>
    if (type !== "refetchEvaluation") return null
    const because = new URLSearchParams()
    if (typeof etag === "string") because.set("flagConfigEtag", etag)
    if (lastModified !== undefined) because.set("flagConfigLastModified", String(lastModified))
    return { revision: parseRevision(id), because }
  } catch {
    return null
  }
}
