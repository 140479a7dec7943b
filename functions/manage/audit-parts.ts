import { z } from "@hono/zod-openapi"
import type { Principal } from "../../core/access.ts"
import { type ChainHead, GENESIS_HEAD } from "../../core/audit/chain.ts"
import type { NoteKeys } from "../../core/audit/checkpoint.ts"
import type { SignedPiece } from "../../core/audit/verify.ts"
import { Refusal } from "../../core/errors.ts"
import { isTenant, type ScopeId } from "../../core/ids.ts"
import { auditHead } from "../../db/queries/audit.ts"
import { listCheckpoints } from "../../db/queries/audit-checkpoints.ts"
import { tenantNotFound, type Where } from "../http/route.ts"
import { noteKeys } from "../platform/checkpoint-signer.ts"
import type { ManageDeps } from "./deps.ts"
import { scopeNamed } from "./parse.ts"

export const TAG = "Audit"

/** What PostgreSQL takes for a time: it has no year 0, no offset of 16 hours, and counts microseconds. */
export const Instant = z.iso
  .datetime({ offset: true })
  .regex(
    /^(?!0000)[^.]*(\.\d{1,6})?(Z|[+-](0\d|1[0-5]):\d{2})$/,
    "Expected a time like 2026-01-31T12:00:00Z.",
  )

/** Where a chain ends. It begins with the tenant and outlives it: without one there never was a tenant. */
export const headOf = async ({ db }: ManageDeps, scope: ScopeId): Promise<ChainHead> => {
  const head = await auditHead(db, scope)
  if (!head && isTenant(scope)) throw tenantNotFound(scope)
  return head ?? GENESIS_HEAD
}

/** A whole chain is about every environment: a token that is bound to one may not have it. */
const mustSeeAll = ({ environment }: Principal): void => {
  if (environment) throw new Refusal("FORBIDDEN", `The token is bound to ${environment}.`)
}

/** The scope that `tenantId` of the query names, all of it. */
export const wholeScope =
  (deps: ManageDeps) =>
  async ({ query }: { query: { tenantId: string } }, principal: Principal): Promise<Where> => {
    const scope = await scopeNamed(query.tenantId, principal, deps.findExternal)
    mustSeeAll(principal)
    return { scope, environment: null }
  }

/** The same for a path that names the tenant. */
export const wholeTenant =
  (deps: ManageDeps) =>
  async ({ params }: { params: { tenantId: string } }, principal: Principal): Promise<Where> =>
    await wholeScope(deps)({ query: params }, principal)

/** What checkpoints are checked with; `null` where none are made. */
export const keysOf = ({ settings }: ManageDeps): NoteKeys | null =>
  settings.auditPublicKey ? noteKeys(settings.auditPublicKey) : null

export const unsigned = (): Refusal =>
  new Refusal("CHECKPOINT_NOT_FOUND", "Nothing of this chain is signed yet.")

const PIECES = 50

/** Checkpoints of more than `above` entries, oldest first, fetched as they are asked for. */
export async function* piecesAbove(
  { db }: ManageDeps,
  scope: ScopeId,
  above: number,
): AsyncGenerator<SignedPiece, undefined> {
  for (let last = above; ; ) {
    const page = await listCheckpoints(db, scope, { above: last, limit: PIECES })
    yield* page
    if (page.length < PIECES) return
    last = page.at(-1)!.size
  }
}
