import type { Fault } from "./answers.ts"
import { type Answer, jsonOf, type Sent } from "./client.ts"
import { type Document, readDocument } from "./document.ts"
import type { Stall } from "./loop-watch.ts"
import type { FuzzRequest } from "./requests.ts"
import { curlOf, shrink } from "./shrink.ts"

export interface Found extends Fault {
  operation: string
  curl: string
  times: number
}

const BUSY_MAX = 5
/** What says that something took too long: the database, the origin, Redis, all of it together. */
const BUSY = new Set(["DATABASE_UNAVAILABLE", "ORIGIN_UNAVAILABLE", "PUSH_UNAVAILABLE", "DEADLINE_EXCEEDED"])
const isBusy = (answer: Answer): boolean => {
  const { code } = (jsonOf(answer) ?? {}) as { code?: string }
  return code !== undefined && BUSY.has(code)
}

/** Everything that one run is made of, and what it has found so far. */
export class Findings {
  readonly document: Document = readDocument()
  readonly tell: (line: string) => void

  constructor(tell: (line: string) => void) {
    this.tell = tell
  }

  readonly found = new Map<string, Found>()
  readonly reached = new Map<string, Map<number, number>>()
  readonly kinds: Record<string, number> = {}
  /** Why what was meant well was refused. */
  readonly refusals = new Map<string, number>()
  readonly stalled: Stall[] = []
  readonly slow: { ms: number; words: string }[] = []
  readonly errors: string[] = []

  busy = 0

  /** An answer; asked again where something had too much to do, which is counted. */
  async ask(send: (sent: Sent) => Promise<Answer>, request: Sent): Promise<Answer> {
    for (let time = 1; ; time++) {
      const answer = await send(request)
      if (answer.status !== 503 || time > BUSY_MAX || !isBusy(answer)) return answer
      this.busy++
    }
  }

  note(request: FuzzRequest, answer: Answer): void {
    const { status } = answer
    const statuses = this.reached.get(request.operation.id) ?? new Map<number, number>()
    this.reached.set(request.operation.id, statuses)
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
    const { code } = (status >= 400 && request.kind === "valid" ? jsonOf(answer) : {}) as { code?: string }
    if (code) {
      const name = `${request.operation.id} ${code}`
      this.refusals.set(name, (this.refusals.get(name) ?? 0) + 1)
    }
    this.kinds[request.kind] = (this.kinds[request.kind] ?? 0) + 1
  }

  /** Counts a fault; the first of its sort is brought to its smallest form. */
  async fault(
    request: FuzzRequest,
    fault: Fault,
    url: string,
    again: (sent: Sent) => Promise<Fault | null>,
  ): Promise<void> {
    const sort = `${request.operation.id} ${fault.kind} ${fault.words.replaceAll(/[0-9a-f]{8,}|\d+/g, "#").slice(0, 90)}`
    const known = this.found.get(sort)
    if (known) {
      known.times++
      return
    }
    const entry: Found = { ...fault, operation: request.operation.id, curl: "", times: 1 }
    this.found.set(sort, entry)
    const isShrunk = !fault.words.startsWith("503")
    const smallest = !isShrunk
      ? request
      : await shrink(request, async (sent) => (await again(sent))?.kind === fault.kind)
    entry.curl = `${request.kind} (${request.words}) as ${request.who}, number ${request.number}: ${curlOf(url, smallest)}`
    this.tell(`${fault.kind}: ${sort}: ${fault.words.slice(0, 200)}\n  ${entry.curl.slice(0, 600)}`)
  }
}
