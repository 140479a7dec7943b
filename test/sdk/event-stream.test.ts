import fc from "fast-check"
import { expect, test } from "vitest"
import { readEvents } from "../../sdk/src/event-stream.ts"

const readPieces = async (pieces: readonly Uint8Array[]) => {
  const events: [type: string, id: string][] = []
  const retries: number[] = []
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      for (const piece of pieces) controller.enqueue(piece)
      controller.close()
    },
  })
  await readEvents(body, {
    event: (type, id) => void events.push([type, id]),
    retry: (ms) => void retries.push(ms),
    sign: () => {},
  })
  return { events, retries }
}

const STREAM = [
  "retry: 1500",
  "",
  ": a comment",
  "event: tenant_config",
  "id: 1.0.0.1",
  'data: {"revision":"1.0.0.1"}',
  "",
  "event:global_config",
  "id:1.0.0.2",
  "data",
  "",
  "event: no data, no event",
  "",
  "retry: soon",
  "data: ä → 😀",
  "",
  "data: cut off",
]
const EVENTS = [
  ["tenant_config", "1.0.0.1"],
  ["global_config", "1.0.0.2"],
  // An id stays until there is another.
  ["", "1.0.0.2"],
]

test("events are the same however the stream is cut into pieces, and whichever way its lines end", async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom("\n", "\r\n", "\r"), fc.array(fc.nat(300)), async (end, cuts) => {
      const bytes = new TextEncoder().encode(STREAM.join(end))
      const places = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length]
      const pieces = places.slice(1).map((place, index) => bytes.slice(places[index], place))
      expect(await readPieces(pieces)).toEqual({ events: EVENTS, retries: [1500] })
    }),
    { seed: 20_261_121, numRuns: 300 },
  )
})

test("a line without end is not kept", async () => {
  const piece = new TextEncoder().encode("x".repeat(10_000))
  await expect(readPieces(Array.from({ length: 10 }, () => piece))).rejects.toThrow("without end")
})
