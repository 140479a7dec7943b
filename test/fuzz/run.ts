import postgres from "postgres"
import { createIssuer } from "../security/forge.ts"
import { startEdge } from "../support/edge.ts"
import { freshDatabase } from "../support/postgres.ts"
import { doorOf, faultOf } from "./answers.ts"
import { chanceOf } from "./chance.ts"
import { type Answer, createClient, jsonOf, type Sent } from "./client.ts"
import { type Operation, readDocument } from "./document.ts"
import { Findings, type Found } from "./findings.ts"
import type { LoopReport } from "./loop-watch.ts"
import { type Memory, type Processes, STALL_MS, startProcesses } from "./processes.ts"
import { createGenerator, type FuzzRequest, type Kind } from "./requests.ts"
import { createScene, type Scene } from "./scene.ts"
import { curlOf } from "./shrink.ts"

export interface FuzzOptions {
  requests: number
  seed: number
  /** Memory is compared from here on. */
  settledAfter: number
  /** Told now and then, in a long run. */
  progress?: (line: string) => void
}

export interface FuzzResult {
  requests: number
  throughWorker: number
  found: readonly Found[]
  /** Operation to status to how often. */
  reached: ReadonlyMap<string, ReadonlyMap<number, number>>
  kinds: Readonly<Record<string, number>>
  /** Operation and code to how often what was meant well was refused with it. */
  refusals: ReadonlyMap<string, number>
  /** Rounds of refusals after which all tables were looked at. */
  compared: number
  memory: { before: Memory; after: Memory }
  loop: LoopReport
  /** Requests that were slow by themselves, found when the loop had stalled. */
  slow: readonly { ms: number; words: string }[]
  errors: readonly string[]
  /** Answers that a deadline of the database's had passed, which were asked for again. */
  busy: number
}

const IN_FLIGHT = 32
const ROUNDS_OF_SCENE = 80
const EVERY_STILL = 20
const FIRST_STILL = 7
const EVERY_WORKER = 5
const EVERY_MORE = 6
const EVERY_TELL = 100
const REFUSED: readonly Kind[] = ["faulty", "stranger", "hostile"]
const LOOKED_INTO_MAX = 12

const WORKED_THROUGH = [
  "audit_checkpoints",
  "channels",
  "deliveries",
  "deployment_states",
  "outbox",
  "provisionings",
  "secret_values",
]

/** Every table's rows, so that any that was added, altered or taken away shows; but for what others work through meanwhile. */
const digester = async (url: string) => {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  const tables =
    await sql`select tablename from pg_tables where schemaname = 'hotswap' and tablename <> all(${WORKED_THROUGH}) order by 1`
  const query = tables
    .map(
      ({ tablename: name }) =>
        `select '${name}' as name, count(*) as many, sum(xmin::text::bigint) as sum from hotswap.${name}`,
    )
    .join(" union all ")
  return {
    digest: async (): Promise<string[]> =>
      (await sql.unsafe(query)).map(({ name, many, sum }) => `${name} ${many} ${sum}`),
    /** What was done last, as the audit has it. */
    lately: async (): Promise<string> => {
      const rows = await sql`select action, target, actor from hotswap.audit_entries order by at desc limit 3`
      return rows.map(({ action, target, actor }) => `${action} of ${target} by ${actor}`).join(", ")
    },
    close: () => sql.end(),
  }
}

/** Which operation comes next: those that were answered well least often come most. */
const chooser = (operations: readonly Operation[], reached: Map<string, Map<number, number>>) => {
  const well = ({ id }: Operation): number =>
    [...(reached.get(id) ?? [])].reduce((sum, [status, times]) => sum + (status < 400 ? times : 0), 0)
  return (seed: number, number: number): Operation => {
    const weights = operations.map((operation) => 1 / (5 + Math.sqrt(well(operation))))
    let at = chanceOf(seed ^ 0x5bd1e995, number).below(1e9) / 1e9
    at *= weights.reduce((sum, weight) => sum + weight, 0)
    return (
      operations.find((_, index) => {
        at -= weights[index]!
        return at < 0
      }) ?? operations.at(-1)!
    )
  }
}

/** Reading these is itself written to the audit. */
const AUDITED = /report|secret|export|person|consent/i
const isPlainRead = ({ reads, action, path }: Operation): boolean =>
  reads && !AUDITED.test(`${action} ${path}`)

/** Sure to alter nothing. */
const isRefused = ({ operation, kind, forbidden }: FuzzRequest): boolean =>
  isPlainRead(operation) || kind === "stranger" || forbidden

const VIEWS = "/api/v1/configs/tenant/"
const isForWorker = ({ path }: Operation): boolean =>
  [VIEWS, "/ofrep/"].some((prefix) => path.startsWith(prefix)) ||
  path === "/api/v1/stream" ||
  path === "/api/v1/outcomes"

/** What an answer tells that later requests may name. */
const learn = ({ told, tenants }: Scene, { operation, tenant, path }: FuzzRequest, answer: Answer): void => {
  if (answer.status < 200 || answer.status >= 300) return
  const body = jsonOf(answer)
  told.learn(tenant, body)
  if (answer.headers.etag) told.keep(tenant, `etag ${path.split("?")[0]}`, answer.headers.etag)
  if (operation.id === "createTenant")
    told.keep(tenants[0]!, "spareTenant", String((body as { tenantId?: unknown } | undefined)?.tenantId))
  if (operation.id === "issueToken")
    told.keep(tenant, "spareToken", String((body as { tokenId?: unknown } | undefined)?.tokenId))
}

const forbidden = ({ operation, forbidden: was }: FuzzRequest, { body }: Sent): boolean => {
  if (!was || typeof body !== "string" || !operation.takes) return false
  try {
    return !operation.takes(JSON.parse(body))
  } catch {
    return false
  }
}

/** Which of a round's requests stall the loop by themselves. */
const lookInto = async (
  run: Findings,
  processes: Processes,
  requests: readonly FuzzRequest[],
  send: (sent: Sent) => Promise<Answer>,
): Promise<void> => {
  if (run.slow.length >= LOOKED_INTO_MAX) return
  for (const request of requests) {
    // What is slow is slow each time; that garbage was collected meanwhile is not the request's doing.
    let longest = Number.POSITIVE_INFINITY
    for (let time = 0; time < 3 && longest >= STALL_MS / 2; time++) {
      await processes.longest()
      await send(request)
      longest = Math.min(longest, await processes.longest())
    }
    if (longest < STALL_MS / 2) continue
    run.slow.push({
      ms: longest,
      words: `${request.operation.id} ${request.kind} (${request.words}), number ${request.number}, ${Buffer.byteLength(request.body ?? "")} bytes: ${curlOf("", request).slice(0, 700)}`,
    })
  }
}

/** Sends so many requests at the functions as they are deployed, and holds every answer to the document. */
export const fuzz = async (options: FuzzOptions): Promise<FuzzResult> => {
  const { requests, seed, settledAfter } = options
  const run = new Findings((line) => options.progress?.(line))
  const database = await freshDatabase()
  const issuer = createIssuer("https://people.example", "hotswap", "ed25519", Date.now)
  const issuers = JSON.stringify([
    { name: "people", issuer: issuer.issuer, audience: issuer.audience, jwks: { keys: [issuer.jwk] } },
  ])
  const processes = await startProcesses(database.url, issuers, ({ stall, error }) => {
    if (stall) run.stalled.push(stall)
    // That the database had too much to do is counted by what was answered.
    if (error && !error.includes('"DATABASE_UNAVAILABLE"')) run.errors.push(error)
  })
  const edge = await startEdge({
    origin: processes.url,
    jwks: processes.readerKeys,
    redis: processes.redis,
    bindings: { ORIGIN_DEADLINE_MS: "10000" },
  })
  const tables = await digester(database.url("postgres"))
  const [origin, worker] = [createClient(processes.url), createClient(edge.url)]
  try {
    const generator = createGenerator(run.document, seed, processes.receiver)
    const choose = chooser(run.document.operations, run.reached)
    const chooseForWorker = chooser(run.document.operations.filter(isForWorker), run.reached)
    let [number, sent, compared, throughWorker] = [0, 0, 0, 0]
    let inFlight = IN_FLIGHT
    let scene = await createScene(origin, processes.admin, issuer, 0)
    let before: Memory | null = null

    const round = async (index: number, still: boolean): Promise<void> => {
      const viaWorker = !still && index % EVERY_WORKER === EVERY_WORKER - 1
      const client = viaWorker ? worker : origin
      const many = Math.min(still ? IN_FLIGHT : inFlight, requests - sent)
      const batch = Array.from({ length: many }, () => {
        number++
        const operation = (viaWorker ? chooseForWorker : choose)(seed, number)
        return generator.request(number, scene, operation, still ? REFUSED : undefined)
      }).filter((request) => !still || isRefused(request))
      sent += batch.length
      if (viaWorker) throughWorker += many
      const rows = still ? await tables.digest() : []
      const [stalls, busy] = [run.stalled.length, run.busy]
      const answers = await Promise.all(batch.map((request) => run.ask(client.send, request)))
      // Where the machine has much else to do, less is asked of it at once.
      inFlight = run.busy > busy ? Math.max(4, inFlight >> 1) : Math.min(IN_FLIGHT, inFlight + 1)
      // What was asked for again may have happened the first time, and be refused the second.
      const isRefusedWhole =
        run.busy === busy &&
        answers.every(({ status }, i) => status >= 400 || isPlainRead(batch[i]!.operation))
      if (still && isRefusedWhole) {
        compared++
        const after = await tables.digest()
        const altered = after.filter((row) => !rows.includes(row))
        if (altered.length > 0) {
          const asked = batch.map(
            (request, i) => `${answers[i]!.status} ${request.operation.id} ${request.words}`,
          )
          const words = `${altered.join(", ")}; last in the audit ${await tables.lately()}; asked: ${asked.join("; ")}`
          await run.fault(batch[0]!, { kind: "altered", words }, "", async () => null)
        }
      }
      for (const [i, request] of batch.entries()) {
        const answer = answers[i]!
        run.note(request, answer)
        learn(scene, request, answer)
        const judge = (sent: FuzzRequest, given: Answer) =>
          faultOf(run.document, sent, given, viaWorker ? "worker" : doorOf(sent.path))
        const fault = judge(request, answer)
        if (fault)
          await run.fault(request, fault, viaWorker ? edge.url : processes.url, async (sent) =>
            judge({ ...request, ...sent, forbidden: forbidden(request, sent) }, await client.send(sent)),
          )
      }
      const own = run.stalled.slice(stalls).some(({ cpuMs }) => cpuMs > STALL_MS)
      if (own) await lookInto(run, processes, batch, client.send)
    }

    /** A connection to the database keeps the last it was answered until the next: so that is something small, for each. */
    const rested = async (): Promise<Memory> => {
      const headers = { authorization: `Bearer ${processes.admin}` }
      const of = `${scene.tenants[0]}?environment=QA&key=key.1`
      for (const path of ["/api/v1/tenants?limit=1", `/api/v1/tenants/${scene.tenants[0]}`, `${VIEWS}${of}`])
        for (let round = 0; round < 2; round++)
          await Promise.all(
            Array.from({ length: 2 * IN_FLIGHT }, () => origin.send({ method: "GET", path, headers })),
          )
      origin.rest()
      return await processes.memory()
    }

    for (let index = 0; sent < requests; index++) {
      if (index > 0 && index % ROUNDS_OF_SCENE === 0)
        scene = await createScene(origin, processes.admin, issuer, index / ROUNDS_OF_SCENE)
      if (index % EVERY_MORE === 0) await scene.replenish()
      const still = index % EVERY_STILL === FIRST_STILL
      await (still ? processes.still(() => round(index, true)) : round(index, false))
      if (before === null && sent >= settledAfter) {
        before = await rested()
      }
      if (index % EVERY_TELL === 0)
        options.progress?.(
          `${number} requests, ${run.found.size} sorts of fault, ${run.stalled.length} late turns`,
        )
    }
    const after = await rested()
    return {
      requests: sent,
      throughWorker,
      found: [...run.found.values()],
      reached: run.reached,
      kinds: run.kinds,
      refusals: run.refusals,
      compared,
      memory: { before: before ?? after, after },
      loop: await processes.loop(),
      slow: run.slow,
      errors: run.errors,
      busy: run.busy,
    }
  } finally {
    origin.rest()
    worker.rest()
    await tables.close()
    await edge.dispose()
    await processes.stop()
    await database.drop()
  }
}

/** Operations of the document that were never answered as they should be. */
export const neverAnswered = ({ reached }: FuzzResult): string[] =>
  readDocument()
    .operations.map(({ id }) => id)
    .filter((id) => ![...(reached.get(id)?.keys() ?? [])].some((status) => status >= 200 && status < 300))
