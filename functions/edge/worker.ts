import { createEdge, type Edge } from "./edge.ts"
import type { Bindings, RequestLife } from "./runtime.ts"

export { StreamHub } from "./stream-hub.ts"

let wired: { bindings: Bindings; edge: Edge } | null = null

/** The bindings of an isolate do not change, so what is made of them lasts as long as it does. */
const edgeFor = (bindings: Bindings): Edge => {
  if (wired?.bindings.READER_PUBLIC_KEYS !== bindings.READER_PUBLIC_KEYS)
    wired = { bindings, edge: createEdge(bindings) }
  return wired!.edge
}

export default {
  fetch: (request: Request, bindings: Bindings, life: RequestLife): Promise<Response> =>
    edgeFor(bindings)(request, life),
}
