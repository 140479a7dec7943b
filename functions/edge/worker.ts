import { createEdge, type Edge } from "./edge.ts"
import type { Bindings, RequestLife } from "./runtime.ts"
import { StreamHub as Hub } from "./stream-hub.ts"

let wired: { bindings: Bindings; edge: Edge } | null = null

/** The bindings of an isolate do not change, so what is made of them lasts as long as it does. */
const edgeFor = (bindings: Bindings): Edge => {
  if (wired?.bindings.READER_PUBLIC_KEYS !== bindings.READER_PUBLIC_KEYS)
    wired = { bindings, edge: createEdge(bindings) }
  return wired!.edge
}

export class StreamHub extends Hub {
  constructor(state: RequestLife, bindings: Bindings) {
    super(state, bindings, edgeFor(bindings).openRoom)
  }
}

export default {
  fetch: (request: Request, bindings: Bindings, life: RequestLife): Promise<Response> =>
    edgeFor(bindings).answer(request, life),
}
