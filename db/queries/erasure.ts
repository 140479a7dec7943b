import { sql } from "drizzle-orm"
import type { AuditBody } from "../../core/audit/entry.ts"
import type { Instant } from "../../core/change/change.ts"
import { PLATFORM, type TenantId } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import type { ErasureEvidence } from "../../core/report/certificate.ts"
import type { Database } from "../client.ts"
import { erasures } from "../schema/erasures.ts"
import { type TenantTx, withTenant } from "../tenant.ts"
import { appendAudit } from "./audit.ts"

/** How far the erasure of a tenant has got. */
export interface Erasure {
  tenantId: TenantId
  requestedAt: Instant
  /** The token. */
  requestedBy: string
  dueAt: Instant
  evidence: ErasureEvidence | null
  /** Rows destroyed so far, by table. */
  counts: Record<string, number>
  outside: JsonObject
  erasedAt: Instant | null
  certificate: string | null
}

/** Requests under way when a tenant is deleted may still write for as long as the longest lasts: erasing waits that out. */
const SETTLE_SECONDS = 30

/** Plans that everything of the transaction's tenant is destroyed, and says so in the platform's audit. */
export const planErasure = async (
  tx: TenantTx,
  { by, afterDays }: { by: string; afterDays: number },
  audit: AuditBody,
): Promise<Instant> => {
  const seconds = Math.max(afterDays * 86_400, SETTLE_SECONDS)
  const [row] = await tx.db
    .insert(erasures)
    .values({
      tenantId: tx.scope,
      requestedBy: by,
      dueAt: sql`clock_timestamp() + make_interval(secs => ${seconds})`,
    })
    .returning({ dueAt: erasures.dueAt })
  const { dueAt } = row!
  await sayOnPlatform(tx, { ...audit, detail: { ...audit.detail, dueAt } })
  return dueAt
}

/** Answers that the platform keeps to be repeated hold what the tenant was made with. */
export const forgetPlatformReplies = async (tx: TenantTx): Promise<void> => {
  const tenantId = tx.scope
  await tx.as(PLATFORM, async (platform) => {
    await platform.db.execute(sql`
      update hotswap.idempotency_keys set body = '{}', headers = '{}', expires_at = now()
      where tenant_id = ${PLATFORM} and strpos(body, ${JSON.stringify(tenantId)}) > 0
        and body::jsonb ->> 'tenantId' = ${tenantId}`)
  })
}

const sayOnPlatform = (tx: TenantTx, audit: AuditBody): Promise<void> =>
  tx.as(PLATFORM, async (platform) => await appendAudit(platform, [audit]))

export const findErasure = (database: Database, tenantId: TenantId): Promise<Erasure | null> =>
  withTenant(database, tenantId, async (tx) => {
    const [row] = await tx.db.select().from(erasures)
    return (row as Erasure | undefined) ?? null
  })

/** Is it, or was it once, the id of a tenant that was deleted? Then it is nobody's again. */
export const isTombstone = async (tx: TenantTx): Promise<boolean> => {
  const rows = await tx.db.select({ id: erasures.tenantId }).from(erasures)
  return rows.length > 0
}

/** Brings a planned erasure forward to now. `false`: none is planned. */
export const hastenErasure = (database: Database, tenantId: TenantId, audit: AuditBody): Promise<boolean> =>
  withTenant(database, tenantId, async (tx) => {
    const rows = await tx.db.execute<{ due_at: string }>(sql`
      update hotswap.erasures
      set due_at = least(due_at, greatest(clock_timestamp(), requested_at + make_interval(secs => ${SETTLE_SECONDS})))
      where tenant_id = ${tenantId} and erased_at is null returning hotswap.instant(due_at) as due_at`)
    const [row] = rows
    if (!row) return false
    await sayOnPlatform(tx, { ...audit, detail: { ...audit.detail, dueAt: row.due_at } })
    return true
  })

/** Writes the certificate down and says so in the platform's audit, once. `false`: somebody else was first. */
export const certifyErasure = (
  database: Database,
  tenantId: TenantId,
  { erasedAt, certificate }: { erasedAt: Instant; certificate: string },
  audit: AuditBody,
): Promise<boolean> =>
  withTenant(database, tenantId, async (tx) => {
    const rows = await tx.db.execute(sql`
      update hotswap.erasures set erased_at = ${erasedAt}, certificate = ${certificate}
      where tenant_id = ${tenantId} and erased_at is null returning tenant_id`)
    if (rows.length === 0) return false
    await sayOnPlatform(tx, audit)
    return true
  })
