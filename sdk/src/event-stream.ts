/** What a stream says: an event with its id and data, how long to wait before coming back, or only that it is there. */
export interface Heard {
  event(type: string, id: string, data: string): void
  retry(ms: number): void
  /** Anything at all has come. */
  sign(): void
}

const LINE_MAX = 65_536

/** Reads Server-Sent Events (HTML standard, section 9.2.6) until they end; throws when the connection does. */
export const readEvents = async (body: ReadableStream<Uint8Array>, heard: Heard): Promise<void> => {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let rest = ""
  let type = ""
  let id = ""
  let data: string | null = null
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    heard.sign()
    // A carriage return at the end may be half of a line's end.
    const lines = (rest + decoder.decode(value, { stream: true })).split(/\r\n|\n|\r(?!$)/)
    rest = lines.pop()!
    if (rest.length > LINE_MAX) throw new Error("The stream has a line without end.")
    for (const line of lines) {
      const [, field, text = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line)!
      if (field === "event") type = text
      else if (field === "id") id = text
      else if (field === "data") data = data === null ? text : `${data}\n${text}`
      else if (field === "retry" && /^\d+$/.test(text)) heard.retry(Number(text))
      else if (line === "") {
        if (data !== null) heard.event(type, id, data)
        type = ""
        data = null
      }
    }
  }
}
