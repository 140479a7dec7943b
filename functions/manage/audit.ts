import { z } from "@hono/zod-openapi"
import { type ChainHead, GENESIS_HEAD, verifyChain } from "../../core/audit/chain.ts"
import type { AuditEntry } from "../../core/audit/entry.ts"
import { isTenant, type ScopeId } from "../../core/ids.ts"
import { auditHead, auditRange, listAudit } from "../../db/queries/audit.ts"
import { decodeNumber, encodeCursor } from "../http/cursor.ts"
import { json, type Route, route, tenantNotFound } from "../http/route.ts"
import type { ManageDeps } from "./deps.ts"
import { scopeNamed } from "./parse.ts"
import { AuditShown, Paging, page } from "./shapes.ts"

const PIECE = 1_000

const showEntry = ({ seq, at, body, prev, hash }: AuditEntry) => ({ seq, at, ...body, prev, hash })

/** What PostgreSQL takes for a time: it has no year 0, no offset of 16 hours, and counts microseconds. */
const Instant = z.iso
  .datetime({ offset: true })
  .regex(
    /^(?!0000)[^.]*(\.\d{1,6})?(Z|[+-](0\d|1[0-5]):\d{2})$/,
    "Expected a time like 2026-01-31T12:00:00Z.",
  )

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
    tag: "Audit",
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

/** Where the chain ends. It begins with the tenant and outlives it: without one there never was a tenant. */
const headOf = async ({ db }: ManageDeps, scope: ScopeId): Promise<ChainHead> => {
  const head = await auditHead(db, scope)
  if (!head && isTenant(scope)) throw tenantNotFound(scope)
  return head ?? GENESIS_HEAD
}

/** Checks the chain in pieces, up to the head as it was when it began: others may go on writing. */
const verify = async (deps: ManageDeps, scope: ScopeId) => {
  const head = await headOf(deps, scope)
  let from: ChainHead = GENESIS_HEAD
  for (let entries = 0; ; ) {
    const left = head.seq - from.seq
    const piece = await auditRange(deps.db, scope, { afterSeq: from.seq, limit: Math.min(PIECE, left) })
    const isLast = piece.length < PIECE || piece.length === left
    const verdict = verifyChain(piece, isLast ? head : null, from)
    entries += verdict.entries
    if (!verdict.ok || isLast) return { ...verdict, entries }
    from = verdict.head
  }
}

const verifyRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/audit/verify",
    operationId: "verifyAudit",
    tag: "Audit",
    summary: "Check the chain of a scope's audit entries, every hash",
    action: "audit.read",
    body: z.strictObject({ tenantId: z.string() }),
    replies: {
      200: {
        description: "The verdict",
        schema: z.object({
          ok: z.boolean(),
          entries: z.int(),
          head: z.object({ seq: z.int(), hash: z.string() }),
          firstBroken: z.int().optional(),
        }),
      },
    },
    where: async ({ body }, principal) => ({
      scope: await scopeNamed(body.tenantId, principal, deps.findExternal),
      environment: null,
    }),
    run: async ({ scope }) => {
      return json(200, await verify(deps, scope!))
    },
  })

export const auditRoutes = (deps: ManageDeps): Route[] => [listRoute(deps), verifyRoute(deps)]
