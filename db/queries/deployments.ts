import { and, desc, eq, inArray, sql } from "drizzle-orm"
import { type BackendName, type Deployments, readDeployments } from "../../core/deployment/deployments.ts"
import { type Statuses, stillNamed } from "../../core/deployment/health.ts"
import type { Environment } from "../../core/environment.ts"
import type { TenantId, Tier } from "../../core/ids.ts"
import { DEPLOYMENTS } from "../../core/secret/place.ts"
import type { Database } from "../client.ts"
import { deploymentStates } from "../schema/deployment-states.ts"
import { secretValues } from "../schema/secrets.ts"
import { tenants } from "../schema/tenants.ts"
import { type TenantTx, withTenant } from "../tenant.ts"
import { insertSecrets, type NewSecret, type StoredSecret } from "./secrets.ts"

/** What deployments' secrets stand under, where a config's would have its environment. */
const REALM = DEPLOYMENTS as Environment

/** A tenant's deployments, and what is known of them here. */
export interface DeploymentsRow {
  tenantId: TenantId
  tier: Tier
  status: "active" | "suspended"
  /** Of the tenant: whatever is altered of it has the next. */
  version: number
  deployments: Deployments
  vouched: BackendName[]
  statuses: Statuses
  /** When they were looked at last. */
  checkedAt: string | null
}

/** `null`: there is no such tenant, or it was deleted. */
export const findDeployments = (database: Database, tenantId: TenantId): Promise<DeploymentsRow | null> =>
  withTenant(database, tenantId, async (tx) => {
    const { tier, status, version, deployments } = tenants
    const { vouched, statuses, checkedAt } = deploymentStates
    const [row] = await tx.db
      .select({ tier, status, version, deployments, vouched, statuses, checkedAt })
      .from(tenants)
      .leftJoin(deploymentStates, eq(deploymentStates.tenantId, tenants.tenantId))
      .where(eq(tenants.tenantId, tx.scope))
    if (!row?.tier || row.status === "deleted") return null
    return {
      tenantId,
      tier: row.tier,
      status: row.status,
      version: row.version,
      deployments: readDeployments(row.deployments),
      vouched: row.vouched ?? [],
      statuses: row.statuses ?? {},
      checkedAt: row.checkedAt,
    }
  })

/** The number of the last value that each part of the tenant's deployments ever had, by its name. */
export const lastDeploymentSecrets = (database: Database, tenantId: TenantId): Promise<Map<string, number>> =>
  withTenant(database, tenantId, async (tx) => {
    const { key, version } = secretValues
    const rows = await tx.db
      .selectDistinctOn([key], { key, version })
      .from(secretValues)
      .where(and(eq(secretValues.tenantId, tx.scope), eq(secretValues.environment, REALM)))
      .orderBy(key, desc(version))
    return new Map(rows.map((row) => [row.key, row.version]))
  })

/** Sealed values of the tenant's deployments, every version of these names. */
export const findDeploymentSecrets = (
  database: Database,
  tenantId: TenantId,
  names: readonly string[],
): Promise<StoredSecret[]> =>
  withTenant(database, tenantId, async (tx) => {
    const { key, version, generation, sealed } = secretValues
    const rows = await tx.db
      .select({ key, version, generation, sealed })
      .from(secretValues)
      .where(
        and(
          eq(secretValues.tenantId, tx.scope),
          eq(secretValues.environment, REALM),
          inArray(key, [...names]),
        ),
      )
    return rows as StoredSecret[]
  })

/** What goes along with a tenant's deployments when they are set. */
export interface DeploymentsKept {
  secrets: readonly NewSecret[]
  vouched: readonly BackendName[]
}

/** One of the numbers was taken meanwhile: nothing of it may stay. */
export class SecretTaken extends Error {}

/**
 * In the transaction that sets the tenant's deployments. They are looked at soon; what was known of other targets is
 * forgotten. Throws {@link SecretTaken}.
 */
export const keepDeployments = async (
  tx: TenantTx,
  deployments: Deployments,
  { secrets, vouched }: DeploymentsKept,
): Promise<void> => {
  if (secrets.length > 0 && !(await insertSecrets(tx, REALM, secrets))) throw new SecretTaken()
  const own = eq(deploymentStates.tenantId, tx.scope)
  const [before] = await tx.db.select().from(deploymentStates).where(own).for("update")
  if (Object.keys(deployments).length === 0) await tx.db.delete(deploymentStates).where(own)
  else {
    const state = { vouched: [...vouched], statuses: stillNamed(deployments, before?.statuses ?? {}) }
    const dueAt = sql`clock_timestamp()`
    await tx.db
      .insert(deploymentStates)
      .values({ tenantId: tx.scope, ...state })
      .onConflictDoUpdate({ target: deploymentStates.tenantId, set: { ...state, dueAt } })
  }
}

/** Of a tenant that was made of an archive: its deployments are looked at from here, and nobody vouches for them. */
export const watchRestored = async (tx: TenantTx): Promise<void> => {
  await tx.db.execute(sql`
    insert into hotswap.deployment_states (tenant_id)
    select tenant_id from hotswap.tenants where tenant_id = ${tx.scope} and deployments <> '{}'`)
}

/**
 * Writes down what was seen: `next` makes of what is kept at that moment what is to be kept, and says when it is due again.
 * Where there are no deployments any more, nothing.
 */
export const writeStatuses = (
  database: Database,
  tenantId: TenantId,
  next: (kept: Statuses) => { statuses: Statuses; checkedAt: string; dueAt: string },
): Promise<void> =>
  withTenant(database, tenantId, async (tx) => {
    const own = eq(deploymentStates.tenantId, tx.scope)
    const [row] = await tx.db
      .select({ statuses: deploymentStates.statuses })
      .from(deploymentStates)
      .where(own)
      .for("update")
    if (row) await tx.db.update(deploymentStates).set(next(row.statuses)).where(own)
  })

/** Looks at them no more: the tenant is gone, or has none. */
export const forgetDeploymentState = (database: Database, tenantId: TenantId): Promise<void> =>
  withTenant(database, tenantId, async (tx) => {
    await tx.db.delete(deploymentStates).where(eq(deploymentStates.tenantId, tx.scope))
  })
