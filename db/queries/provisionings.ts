import { and, eq, sql } from "drizzle-orm"
import type { AuditBody } from "../../core/audit/entry.ts"
import type { BackendName, Deployments } from "../../core/deployment/deployments.ts"
import type { Environment } from "../../core/environment.ts"
import { PLATFORM, type ScopeId, type TenantId } from "../../core/ids.ts"
import type { Json } from "../../core/json.ts"
import type { Provisioning } from "../../core/provisioning/state.ts"
import { DEFAULT_TEMPLATE, type ProvisioningTemplate } from "../../core/provisioning/template.ts"
import type { Database } from "../client.ts"
import { provisionings } from "../schema/provisionings.ts"
import { type TenantTx, withTenant } from "../tenant.ts"
import { appendAudit } from "./audit.ts"
import { type Remember, remember } from "./replies.ts"
import { updateTenantIn } from "./tenants.ts"

/** A document as it is kept. Who decides on it writes only if the revision is still that. */
export interface Kept<Document> {
  revision: number
  document: Document
}

const find = async <Document>(database: Database, scope: ScopeId): Promise<Kept<Document> | null> =>
  await withTenant(database, scope, async (tx) => {
    const { revision, document } = provisionings
    const [row] = await tx.db
      .select({ revision, document })
      .from(provisionings)
      .where(eq(provisionings.tenantId, tx.scope))
    return row ? (row as unknown as Kept<Document>) : null
  })

export const findProvisioning = (
  database: Database,
  tenantId: TenantId,
): Promise<Kept<Provisioning> | null> => find(database, tenantId)

/** The platform's; until it says something, what holds by default, at revision 0. */
export const findTemplate = async (database: Database): Promise<Kept<ProvisioningTemplate>> =>
  (await find<ProvisioningTemplate>(database, PLATFORM)) ?? { revision: 0, document: DEFAULT_TEMPLATE }

/** What is to be written, and over which revision; `null`: there is none yet. */
export interface Write<Document> {
  before: Kept<Document> | null
  document: Document
  /** When somebody is to go on with it; `null`: not by itself. */
  dueAt: string | null
  /** Nothing where the step is none that anybody asked for, and no end of one. */
  audit?: AuditBody
  reply?: Remember<Kept<Document>> | undefined
}

/** `false`: somebody else wrote meanwhile, or it is gone. */
const put = async (
  tx: TenantTx,
  before: number | null,
  document: Json,
  dueAt: string | null,
): Promise<boolean> => {
  const revision = (before ?? 0) + 1
  const values = { revision, document, dueAt }
  const written =
    before === null
      ? await tx.db
          .insert(provisionings)
          .values({ tenantId: tx.scope, ...values })
          .onConflictDoNothing()
          .returning({ revision: provisionings.revision })
      : await tx.db
          .update(provisionings)
          .set({ ...values, updatedAt: sql`clock_timestamp()` })
          .where(and(eq(provisionings.tenantId, tx.scope), eq(provisionings.revision, before)))
          .returning({ revision: provisionings.revision })
  return written.length > 0
}

/** `null`: somebody else wrote meanwhile, and nothing was written. Throws KeyTaken. */
export const writeProvisioning = async <Document>(
  database: Database,
  scope: ScopeId,
  { before, document, dueAt, audit, reply }: Write<Document>,
): Promise<Kept<Document> | null> => {
  const expected = before?.revision ? before.revision : null
  return await withTenant(database, scope, async (tx) => {
    if (!(await put(tx, expected, document as Json, dueAt))) return null
    const kept = { revision: (expected ?? 0) + 1, document }
    await remember(tx, reply, kept)
    if (audit) await appendAudit(tx, [audit])
    return kept
  })
}

/** What the tenant's deployments become, and the version of the tenant that this was made of. */
export interface Activation
  extends Required<Pick<Write<Provisioning>, "before" | "document" | "dueAt" | "audit">> {
  deployments: Deployments
  vouched: readonly BackendName[]
  tenantVersion: number
  environments: readonly Environment[]
}

class Moved extends Error {}

/** The tenant's deployments and what is known of its provisioning, both or neither. `null`: one of them moved meanwhile. */
export const activateProvisioning = async (
  database: Database,
  tenantId: TenantId,
  { before, document, dueAt, audit, deployments, vouched, tenantVersion, environments }: Activation,
): Promise<Kept<Provisioning> | null> => {
  try {
    return await withTenant(database, tenantId, async (tx) => {
      const updated = await updateTenantIn(
        tx,
        {
          patch: { deployments: deployments as unknown as Json as never },
          expectedVersion: tenantVersion,
          environments,
          kept: { secrets: [], vouched },
        },
        audit,
      )
      if (updated.kind !== "updated") throw new Moved()
      if (!(await put(tx, before!.revision, document as unknown as Json, dueAt))) throw new Moved()
      return { revision: before!.revision + 1, document }
    })
  } catch (error) {
    if (error instanceof Moved) return null
    throw error
  }
}

/** Nobody goes on with it any more: the tenant is gone. */
export const forgetDue = (database: Database, tenantId: TenantId): Promise<void> =>
  withTenant(database, tenantId, async (tx) => {
    await tx.db.update(provisionings).set({ dueAt: null }).where(eq(provisionings.tenantId, tx.scope))
  })
