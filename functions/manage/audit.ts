import { z } from "@hono/zod-openapi"
import { GENESIS_HEAD } from "../../core/audit/chain.ts"
import { isPseudonym } from "../../core/audit/people.ts"
import { type AuditVerdict, Verifier } from "../../core/audit/verify.ts"
import type { ScopeId } from "../../core/ids.ts"
import { listAudit, type NamedEntry } from "../../db/queries/audit.ts"
import { checkpointUpTo, keptEntries, lastDrop } from "../../db/queries/audit-checkpoints.ts"
import { decodeNumber, encodeCursor } from "../http/cursor.ts"
import { json, type Route, route } from "../http/route.ts"
import { exportRoute } from "./audit-export.ts"
import { headOf, Instant, keysOf, piecesAbove, TAG } from "./audit-parts.ts"
import { proofRoutes } from "./audit-proofs.ts"
import { retentionRoutes } from "./audit-retention.ts"
import type { ManageDeps } from "./deps.ts"
import { scopeNamed } from "./parse.ts"
import { AuditShown, Paging, page } from "./shapes.ts"

const PIECE = 1_000
const NOTE_MAX = 2_000

const showEntry = ({ seq, at, body, raw, prev, hash }: NamedEntry) => ({
  seq,
  at,
  ...body,
  actor: { ...body.actor, person: isPseudonym(raw.actor.subject) ? raw.actor.subject : null },
  prev,
  hash,
})

const filterOf = (max: number) =>
  z
    .string()
    .max(max)
    .refine((text) => !text.includes("\0"), "It holds U+0000.")
    .optional()

const listRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/audit",
    operationId: "listAudit",
    tag: TAG,
    summary: "What happened in a scope, newest first",
    action: "audit.read",
    evenDeleted: true,
    query: z.strictObject({
      tenantId: z.string(),
      actor: filterOf(200),
      action: filterOf(100),
      target: filterOf(500),
      from: Instant.optional(),
      to: Instant.optional(),
      ...Paging,
    }),
    replies: { 200: { description: "A page of entries", schema: page(AuditShown) } },
    where: async ({ query }, principal) => ({
      scope: await scopeNamed(query.tenantId, principal, deps.findExternal),
      environment: null,
    }),
    run: async ({ query, scope, principal }) => {
      const { limit, cursor, tenantId: _named, ...filters } = query
      const before = cursor === undefined ? undefined : decodeNumber("audit", cursor, Number.MAX_SAFE_INTEGER)
      const given = Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== undefined))
      const rows = await listAudit(deps.db, scope!, {
        ...given,
        ...(principal.environment ? { environment: principal.environment } : {}),
        limit: limit + 1,
        ...(before === undefined ? {} : { before }),
      })
      if (rows.length === 0) await headOf(deps, scope!)
      const shown = rows.slice(0, limit)
      const last = rows.length > limit ? shown.at(-1) : undefined
      return json(200, {
        items: shown.map(showEntry),
        nextCursor: last ? encodeCursor("audit", [last.seq]) : null,
      })
    },
  })

/**
 * Checks all that is kept, in pieces: the chain, what was signed of it, and where it is known to end. Others may go on
 * writing meanwhile.
 */
const verify = async (deps: ManageDeps, scope: ScopeId, note?: string): Promise<AuditVerdict> => {
  const signed = (await checkpointUpTo(deps.db, scope))?.size ?? 0
  const known = await headOf(deps, scope)
  const keys = keysOf(deps)
  const verifier = new Verifier(scope, keys ?? { publicKeys: [], check: () => false })
  if (note !== undefined) verifier.known(note)
  if (keys && signed > 0)
    for await (const piece of piecesAbove(deps, scope, 0)) {
      verifier.piece(piece)
      if (piece.size >= signed) break
    }
  const drop = await lastDrop(deps.db, scope)
  let last = drop?.through ?? 0
  const [first] = await keptEntries(deps.db, scope, { afterSeq: last, limit: 1 })
  const head = drop ? { seq: last, hash: first?.prev ?? known.hash } : GENESIS_HEAD
  verifier.begin({ head, base: null, drop: (keys && drop?.note) ?? null }, keys === null)
  while (last < known.seq && !verifier.isBroken) {
    const limit = Math.min(PIECE, known.seq - last)
    const page = await keptEntries(deps.db, scope, { afterSeq: last, limit })
    for (const entry of page) if (entry.seq <= known.seq) verifier.entry(entry)
    if (page.length < limit) break
    last = page.at(-1)!.seq
  }
  const verdict = verifier.end(true)
  if (!verdict.ok) return verdict
  const { seq, hash } = verdict.head
  if (seq < known.seq) return { ...verdict, ok: false, firstBroken: seq + 1, reason: "it is missing" }
  return hash === known.hash
    ? verdict
    : { ...verdict, ok: false, firstBroken: seq, reason: "it is not what the chain ends with" }
}

const verifyRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/audit/verify",
    operationId: "verifyAudit",
    isLong: true,
    tag: TAG,
    summary: "Check a scope's audit entries: every hash of the chain, and what was signed of it",
    action: "audit.read",
    body: z.strictObject({
      tenantId: z.string(),
      note: z
        .string()
        .max(NOTE_MAX)
        .optional()
        .openapi({ description: "A signed note that was kept elsewhere, which the entries must still fit" }),
    }),
    replies: {
      200: {
        description: "The verdict",
        schema: z.object({
          ok: z.boolean(),
          entries: z.int(),
          head: z.object({ seq: z.int(), hash: z.string() }),
          signed: z.int().openapi({ description: "Entries up to this number are as they were signed" }),
          firstBroken: z.int().optional(),
          reason: z.string().optional(),
        }),
      },
    },
    where: async ({ body }, principal) => ({
      scope: await scopeNamed(body.tenantId, principal, deps.findExternal),
      environment: null,
    }),
    run: async ({ scope, body: { note } }) => json(200, await verify(deps, scope!, note)),
  })

export const auditRoutes = (deps: ManageDeps): Route[] => [
  listRoute(deps),
  verifyRoute(deps),
  exportRoute(deps),
  ...proofRoutes(deps),
  ...retentionRoutes(deps),
]
