import type { AuditBody } from "../../core/audit/entry.ts"
import type { Reply } from "../../core/change/scope-state.ts"
import { Refusal } from "../../core/errors.ts"
import type { ScopeId } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import type { Database } from "../../db/client.ts"
import { findReply } from "../../db/queries/scope.ts"
import { type Call, json, type RouteReply } from "../http/route.ts"
import { type Idempotency, replayOf } from "../platform/replay.ts"

/** The answer kept for this very request, if there is one. Throws IDEMPOTENCY_KEY_REUSED. */
export const replayed = async (
  deps: { db: Database },
  scope: ScopeId,
  idempotency: Idempotency | null,
): Promise<RouteReply | null> => {
  if (!idempotency) return null
  const kept = replayOf(await findReply(deps.db, scope, idempotency.key), idempotency)
  return kept && json(kept.reply.status, kept.reply.body, { ...kept.reply.headers })
}

/** What to keep with the write, where the caller sent a key. */
export const remembered = <Result>(idempotency: Idempotency | null, reply: (result: Result) => Reply) =>
  idempotency ? { ...idempotency, reply } : undefined

/** The same key came twice at once, and the other request's answer is not there to repeat. */
export const conflict = (): never => {
  throw new Refusal("CHANGE_CONFLICT", "The same request was being answered at the same moment.")
}

/** What the audit trail holds of a call that is no change. */
export const audited = (
  { principal, instance }: Pick<Call<unknown, unknown, unknown>, "principal" | "instance">,
  action: string,
  target: string,
  detail?: JsonObject,
): AuditBody => ({
  action,
  actor: { subject: principal.subject, tokenId: principal.tokenId },
  target,
  requestId: instance,
  ...(detail ? { detail } : {}),
})
