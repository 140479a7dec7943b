import { z } from "@hono/zod-openapi"
import { type ChainHead, GENESIS_HEAD } from "../../core/audit/chain.ts"
import type { AuditBody } from "../../core/audit/entry.ts"
import {
  CSV_HEAD,
  csvLine,
  endLine,
  entryLine,
  headLine,
  personLine,
  pieceLine,
  type Stretch,
} from "../../core/audit/export.ts"
import type { AuditPerson } from "../../core/audit/people.ts"
import type { KeptEntry, SignedPiece } from "../../core/audit/verify.ts"
import type { ScopeId } from "../../core/ids.ts"
import { recordAudit } from "../../db/queries/audit.ts"
import {
  checkpointUpTo,
  keptEntries,
  keptPage,
  lastDrop,
  stretchOf,
} from "../../db/queries/audit-checkpoints.ts"
import { type Route, route } from "../http/route.ts"
import { headOf, Instant, piecesAbove, TAG, wholeScope } from "./audit-parts.ts"
import type { ManageDeps } from "./deps.ts"
import { audited } from "./remember.ts"

const PAGE = 1_000

type Format = "jsonl" | "csv"

interface Wanted extends Stretch {
  afterSeq: number
  lastSeq: number
}

const isAll = ({ from, to }: Stretch): boolean => from === null && to === null

const wantedOf = async (deps: ManageDeps, scope: ScopeId, stretch: Stretch): Promise<Wanted> => {
  const head = await headOf(deps, scope)
  if (isAll(stretch)) {
    const drop = await lastDrop(deps.db, scope)
    return { ...stretch, afterSeq: drop?.through ?? 0, lastSeq: head.seq }
  }
  const { from, to } = stretch
  const found = await stretchOf(deps.db, scope, { from: from ?? undefined, to: to ?? undefined })
  return { ...stretch, ...found, lastSeq: Math.min(found.lastSeq, head.seq) }
}

/** The entry with that number, as far as those after it need it. */
const headAt = async ({ db }: ManageDeps, scope: ScopeId, seq: number): Promise<ChainHead> => {
  if (seq === 0) return GENESIS_HEAD
  const [own, next] = await keptEntries(db, scope, { afterSeq: seq - 1, limit: 2 })
  if (own?.seq === seq) return { seq, hash: own.hash }
  const follower = own ?? next
  return { seq, hash: follower?.prev ?? GENESIS_HEAD.hash }
}

/** Hands out each checkpoint before the first entry it covers. */
const pieceQueue = (pieces: AsyncGenerator<SignedPiece, undefined>, lastSeq: number, isWhole: boolean) => {
  let next: Promise<IteratorResult<SignedPiece, undefined>> | null = null
  return async (seq: number): Promise<string> => {
    let lines = ""
    for (;;) {
      next ??= pieces.next()
      const { value, done } = await next
      // What was signed after the export began is of entries that it does not hold.
      if (done || value.after >= seq || (isWhole && value.size > lastSeq)) return lines
      lines += pieceLine(value)
      next = null
    }
  }
}

type People = ReadonlyMap<string, AuditPerson>

/** Those who were not told of with the page before: of more than a page nothing is held. */
const newcomers = (people: People, told: People): AuditPerson[] =>
  [...people.values()].filter(({ pseudonym }) => !told.has(pseudonym))

const actorOf = ({ body }: KeptEntry, people: People): AuditPerson | null =>
  people.get((JSON.parse(body) as AuditBody).actor.subject) ?? null

async function* linesOf(
  deps: ManageDeps,
  scope: ScopeId,
  wanted: Wanted,
  format: Format,
): AsyncGenerator<string> {
  const { afterSeq, lastSeq, from, to } = wanted
  const isJson = format === "jsonl"
  let last = await headAt(deps, scope, afterSeq)
  const base = await checkpointUpTo(deps.db, scope, afterSeq)
  const drop = (await lastDrop(deps.db, scope))?.note ?? null
  yield isJson ? headLine({ scope, head: last, base, drop: isAll(wanted) ? drop : null, from, to }) : CSV_HEAD
  const piecesBefore = pieceQueue(piecesAbove(deps, scope, base?.size ?? 0), lastSeq, isAll(wanted))
  let told: People = new Map()
  while (last.seq < lastSeq) {
    const limit = Math.min(PAGE, lastSeq - last.seq)
    const { entries, people } = await keptPage(deps.db, scope, { afterSeq: last.seq, limit })
    let lines = isJson ? newcomers(people, told).map(personLine).join("") : ""
    for (const entry of entries) {
      if (entry.seq > lastSeq) break
      lines += isJson
        ? (await piecesBefore(entry.seq)) + entryLine(entry)
        : csvLine(entry, actorOf(entry, people))
      last = { seq: entry.seq, hash: entry.hash }
    }
    if (lines !== "") yield lines
    if (entries.length < limit || entries.at(-1)!.seq > lastSeq) break
    told = people
  }
  if (isJson) yield endLine(last)
}

async function* encoded(lines: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder()
  for await (const line of lines) yield encoder.encode(line)
}

const TYPES = { jsonl: "application/x-ndjson; charset=utf-8", csv: "text/csv; charset=utf-8" } as const

export const exportRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/audit/export",
    operationId: "exportAudit",
    isLong: true,
    tag: TAG,
    summary: "A scope's audit entries, all or of a stretch of time, with what it takes to check them offline",
    action: "audit.export",
    evenDeleted: true,
    query: z.strictObject({
      tenantId: z.string(),
      format: z.enum(["jsonl", "csv"]).default("jsonl"),
      from: Instant.optional(),
      to: Instant.optional(),
    }),
    replies: {
      200: {
        description: "Lines of canonical JSON, or CSV that no spreadsheet takes for formulas; oldest first",
        schema: z.string(),
        contentType: "application/x-ndjson",
        alsoAs: ["text/csv"],
      },
    },
    where: wholeScope(deps),
    run: async ({ query, scope, ...call }) => {
      const { format, from = null, to = null } = query
      await headOf(deps, scope!)
      await recordAudit(deps.db, scope!, audited(call, "audit.export", scope!, { format, from, to }))
      const wanted = await wantedOf(deps, scope!, { from, to })
      return {
        status: 200,
        headers: {
          "content-type": TYPES[format],
          "content-disposition": `attachment; filename="audit-${scope}.${format}"`,
        },
        body: encoded(linesOf(deps, scope!, wanted, format)),
      }
    },
  })
