import { and, eq, isNotNull, ne, sql } from "drizzle-orm"
import type { AuditBody } from "../../core/audit/entry.ts"
import { type BackendName, readDeployments } from "../../core/deployment/deployments.ts"
import type { Environment } from "../../core/environment.ts"
import { PLATFORM, type ScopeId, type TenantId, type Tier } from "../../core/ids.ts"
import { canonical, type Json } from "../../core/json.ts"
import type { Database } from "../client.ts"
import { changes } from "../schema/changes.ts"
import { externalIds, tenants } from "../schema/tenants.ts"
import { type TenantTx, withTenant } from "../tenant.ts"
import { isUniqueViolation } from "../unavailable.ts"
import { appendAudit } from "./audit.ts"
import { type DeploymentsKept, keepDeployments, SecretTaken } from "./deployments.ts"
import { forgetPlatformReplies, isTombstone, planErasure } from "./erasure.ts"
import { addTierPointers, bumpHeads, markAll, startPointers } from "./pointers.ts"
import { KeyTaken, type Remember, remember } from "./replies.ts"
import { type TenantRow, tenantColumns, tenantRow } from "./tenant-rows.ts"

export type { Remember } from "./replies.ts"
export type { TenantRow } from "./tenant-rows.ts"

type Optional = Pick<
  TenantRow,
  "displayName" | "adminEmail" | "features" | "quotas" | "deployments" | "externalIds"
>
/** A tenant to be; what is left out is empty. */
export type NewTenant = Pick<TenantRow, "tenantId" | "name" | "tier"> & Partial<Optional>
/** What may be altered; what is left out stays. */
export type TenantPatch = Partial<Optional & Pick<TenantRow, "name" | "tier" | "status">>

/** The idempotency key was taken by another request: find its answer. Nothing was written. */
type Conflict = { kind: "conflict" }
type ExternalIdTaken = { kind: "external_id_taken" }

export type TenantCreated =
  | { kind: "created"; tenant: TenantRow }
  | { kind: "exists" }
  | ExternalIdTaken
  | Conflict
export type TenantUpdated =
  | { kind: "updated"; tenant: TenantRow }
  | { kind: "missing" }
  | { kind: "stale"; version: number }
  | ExternalIdTaken
  | Conflict

const refusalsOf = async <T>(work: Promise<T>): Promise<T | ExternalIdTaken | Conflict> => {
  try {
    return await work
  } catch (error) {
    if (error instanceof KeyTaken || error instanceof SecretTaken) return { kind: "conflict" }
    if (isUniqueViolation(error, "external_ids_one_tenant")) return { kind: "external_id_taken" }
    throw error
  }
}

/** Makes a tenant with its pointers in every environment. The answer is kept under the platform's scope. */
export const createTenant = (
  database: Database,
  { externalIds: external = [], vouched = [], ...values }: NewTenant & { vouched?: readonly BackendName[] },
  environments: readonly Environment[],
  audit: AuditBody,
  reply?: Remember<TenantRow>,
): Promise<TenantCreated> =>
  refusalsOf(
    withTenant(database, values.tenantId, async (tx): Promise<TenantCreated> => {
      if (await isTombstone(tx)) return { kind: "exists" }
      const made = await tx.db
        .insert(tenants)
        .values(values)
        .onConflictDoNothing()
        .returning({ id: tenants.tenantId })
      if (made.length === 0) return { kind: "exists" }
      await replaceExternalIds(tx, external)
      if (vouched.length > 0)
        await keepDeployments(tx, readDeployments(values.deployments!), { secrets: [], vouched })
      await startPointers(tx, environments, values.tier)
      await appendAudit(tx, [audit])
      const tenant = (await find(tx))!
      if (reply) await tx.as(PLATFORM, (platform) => remember(platform, reply, tenant))
      return { kind: "created", tenant }
    }),
  )

export const findTenant = (database: Database, tenantId: TenantId): Promise<TenantRow | null> =>
  withTenant(database, tenantId, (tx) => find(tx))

const find = async (tx: TenantTx, alsoDeleted = false): Promise<TenantRow | null> => {
  const own = and(eq(tenants.tenantId, tx.scope), alsoDeleted ? undefined : ne(tenants.status, "deleted"))
  const [row] = await tx.db.select(tenantColumns).from(tenants).where(own)
  return row ? tenantRow(row) : null
}

interface TenantUpdate {
  patch: TenantPatch
  expectedVersion?: number
  environments: readonly Environment[]
  /** With deployments in the patch: what goes along with them. */
  kept?: DeploymentsKept
}

/** Alters a tenant if it still has the version the caller read (when one is named). */
export const updateTenant = (
  database: Database,
  tenantId: TenantId,
  update: TenantUpdate,
  audit: AuditBody,
  reply?: Remember<TenantRow>,
): Promise<TenantUpdated> =>
  refusalsOf(withTenant(database, tenantId, (tx) => updateTenantIn(tx, update, audit, reply)))

/** The same in a transaction of the tenant's. Throws {@link SecretTaken}. */
export const updateTenantIn = async (
  tx: TenantTx,
  update: TenantUpdate,
  audit: AuditBody,
  reply?: Remember<TenantRow>,
): Promise<TenantUpdated> => {
  const before = await lock(tx)
  if (!before) return { kind: "missing" }
  if (update.expectedVersion !== undefined && update.expectedVersion !== before.version)
    return { kind: "stale", version: before.version }
  const { externalIds: external, ...values } = update.patch
  if (isAlready(before, update.patch)) {
    await remember(tx, reply, before)
    return { kind: "updated", tenant: before }
  }
  await tx.db
    .update(tenants)
    .set({ ...values, version: before.version + 1, updatedAt: sql`clock_timestamp()` })
    .where(eq(tenants.tenantId, tx.scope))
  if (external) await replaceExternalIds(tx, external)
  if (update.kept) await keepDeployments(tx, readDeployments(values.deployments ?? {}), update.kept)
  await tellReaders(tx, before, values, update.environments)
  await appendAudit(tx, [audit])
  const tenant = (await find(tx, true))!
  await remember(tx, reply, tenant)
  return { kind: "updated", tenant }
}

/** What alters nothing is no update: it spends no version and leaves no entry in the audit. */
const isAlready = (before: TenantRow, { externalIds: external, ...values }: TenantPatch): boolean =>
  Object.entries(values).every(
    ([name, value]) =>
      value === undefined || canonical(value as Json) === canonical(before[name as keyof TenantRow] as Json),
  ) &&
  (external === undefined ||
    canonical([...new Set(external)].sort()) === canonical([...before.externalIds].sort()))

const lock = async (tx: TenantTx): Promise<TenantRow | null> => {
  await tx.db
    .select({ id: tenants.tenantId })
    .from(tenants)
    .where(eq(tenants.tenantId, tx.scope))
    .for("no key update")
  return find(tx)
}

/** A new tier moves the pointers; a new status has to reach the caches, and decisions made on the old one are void. */
const tellReaders = async (
  tx: TenantTx,
  before: { tier: Tier; status: string },
  patch: TenantPatch,
  environments: readonly Environment[],
) => {
  const isNewTier = patch.tier !== undefined && patch.tier !== before.tier
  const isNewStatus = patch.status !== undefined && patch.status !== before.status
  if (!isNewTier && !isNewStatus) return
  await bumpHeads(tx, environments)
  if (patch.status === "deleted") await forgetDueTimes(tx)
  if (isNewTier) await addTierPointers(tx, environments, patch.tier!)
  await markAll(tx, environments)
}

/** Nothing more happens to the changes of a tenant that is gone; the clock must not go on calling for them. */
const forgetDueTimes = async (tx: TenantTx) => {
  await tx.db
    .update(changes)
    .set({ dueAt: null })
    .where(and(eq(changes.tenantId, tx.scope), isNotNull(changes.dueAt)))
}

const replaceExternalIds = async (tx: TenantTx, ids: readonly string[]) => {
  await tx.db.delete(externalIds).where(eq(externalIds.tenantId, tx.scope))
  const rows = [...new Set(ids)].map((externalId) => ({ tenantId: tx.scope as ScopeId, externalId }))
  if (rows.length > 0) await tx.db.insert(externalIds).values(rows)
}

/** Suspends or resumes. */
export const setTenantStatus = (
  database: Database,
  tenantId: TenantId,
  status: "active" | "suspended",
  environments: readonly Environment[],
  audit: AuditBody,
  reply?: Remember<TenantRow>,
): Promise<TenantUpdated> =>
  updateTenant(database, tenantId, { patch: { status }, environments }, audit, reply)

/**
 * Ends a tenant for everybody who reads, and plans that all of it is destroyed. Its id is not given out again; its
 * external ids are free.
 */
export const deleteTenant = (
  database: Database,
  tenantId: TenantId,
  {
    environments,
    erasure,
  }: { environments: readonly Environment[]; erasure: { by: string; afterDays: number } },
  audit: AuditBody,
  reply?: Remember<TenantRow>,
): Promise<TenantUpdated> =>
  refusalsOf(
    withTenant(database, tenantId, async (tx): Promise<TenantUpdated> => {
      const patch = { status: "deleted" as const, externalIds: [] }
      const updated = await updateTenantIn(tx, { patch, environments }, audit, reply)
      if (updated.kind !== "updated") return updated
      await forgetPlatformReplies(tx)
      await planErasure(tx, erasure, audit)
      return updated
    }),
  )
