import { sql } from "drizzle-orm"
import type { Reply } from "../../core/change/scope-state.ts"
import type { ScopeId } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import type { Database } from "../client.ts"
import { idempotencyKeys } from "../schema/idempotency.ts"
import { type TenantTx, withTenant } from "../tenant.ts"

/** An answer kept under an idempotency key, with what identifies the request it answered. */
export interface StoredReply {
  fingerprint: string
  reply: Reply
}

/** As the database holds it: members of the body named in `stamps` are still to become `at`. */
export interface KeptReply {
  fingerprint: string
  status: number
  headers: Record<string, string>
  body: string
  stamps: readonly string[]
  at: string
}

/** What to keep under an idempotency key, in the transaction that does the work. */
export interface Remember<Result> {
  key: string
  fingerprint: string
  reply: (result: Result) => Reply
}

/** Another request with the same key came first: nothing of this one may stay. */
export class KeyTaken extends Error {}

export const storedReply = ({ fingerprint, status, headers, body, stamps, at }: KeptReply): StoredReply => {
  const parsed = JSON.parse(body) as JsonObject
  for (const stamp of stamps) parsed[stamp] = at
  return { fingerprint, reply: { status, headers, body: parsed } }
}

/** The answer kept under that key, unless it has expired. */
export const findReply = (database: Database, scope: ScopeId, key: string): Promise<StoredReply | null> =>
  withTenant(database, scope, async (tx) => {
    const kept = idempotencyKeys
    const [row] = await tx.db
      .select()
      .from(kept)
      .where(sql`${kept.tenantId} = ${scope} and ${kept.key} = ${key} and ${kept.expiresAt} > now()`)
    return row ? storedReply(row) : null
  })

/** For what does its work outside the database. Throws {@link KeyTaken}. */
export const keepReply = (database: Database, scope: ScopeId, what: Remember<void>): Promise<void> =>
  withTenant(database, scope, (tx) => remember(tx, what, undefined))

/** Keeps the answer, or throws {@link KeyTaken}. */
export const remember = async <Result>(tx: TenantTx, what: Remember<Result> | undefined, result: Result) => {
  if (!what) return
  const kept = idempotencyKeys
  const { status, headers, body } = what.reply(result)
  const values = { fingerprint: what.fingerprint, status, headers, body: JSON.stringify(body), stamps: [] }
  const stored = await tx.db
    .insert(kept)
    .values({ ...values, tenantId: tx.scope, key: what.key, at: sql`clock_timestamp()` })
    .onConflictDoUpdate({
      target: [kept.tenantId, kept.key],
      set: { ...values, at: sql`excluded.at`, expiresAt: sql`excluded.expires_at` },
      setWhere: sql`${kept.expiresAt} <= now()`,
    })
    .returning({ key: kept.key })
  if (stored.length === 0) throw new KeyTaken()
}

/** What the work gives; that the key was taken meanwhile is a conflict, which the caller looks at again. */
export const conflictsOf = async <T>(work: Promise<T>): Promise<T | { kind: "conflict" }> => {
  try {
    return await work
  } catch (error) {
    if (error instanceof KeyTaken) return { kind: "conflict" }
    throw error
  }
}
