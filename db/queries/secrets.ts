import { and, asc, desc, eq, inArray, lt, sql } from "drizzle-orm"
import type { AuditBody } from "../../core/audit/entry.ts"
import type { Environment } from "../../core/environment.ts"
import type { ConfigKey, ScopeId } from "../../core/ids.ts"
import type { SecretStanding } from "../../core/secret/edits.ts"
import type { Database } from "../client.ts"
import { dataKeys, secretValues } from "../schema/secrets.ts"
import { type TenantTx, withTenant } from "../tenant.ts"
import { appendAudit } from "./audit.ts"

/** A data key as it is kept. */
export interface StoredKey {
  generation: number
  /** `null`: it was shredded. */
  wrapped: Uint8Array | null
  wrappedBy: string
}

/** A secret as it is kept. */
export interface StoredSecret {
  key: ConfigKey
  version: number
  generation: number
  sealed: Uint8Array
}

export interface NewSecret extends StoredSecret {
  copiedFrom: SecretStanding["copiedFrom"]
}

const keyColumns = {
  generation: dataKeys.generation,
  wrapped: dataKeys.wrapped,
  wrappedBy: dataKeys.wrappedBy,
}
const secretColumns = {
  key: secretValues.key,
  version: secretValues.version,
  generation: secretValues.generation,
  sealed: secretValues.sealed,
}

const ofRealm = (scope: ScopeId, realm: string) =>
  and(eq(dataKeys.tenantId, scope), eq(dataKeys.realm, realm))
const ofEnvironment = (scope: ScopeId, environment: string) =>
  and(eq(secretValues.tenantId, scope), eq(secretValues.environment, environment))

/** The key of that generation; of the latest, where none is named. */
export const findDataKey = (
  database: Database,
  scope: ScopeId,
  realm: string,
  generation?: number,
): Promise<StoredKey | null> =>
  withTenant(database, scope, async (tx) => {
    const named = generation === undefined ? undefined : eq(dataKeys.generation, generation)
    const [row] = await tx.db
      .select(keyColumns)
      .from(dataKeys)
      .where(and(ofRealm(scope, realm), named))
      .orderBy(desc(dataKeys.generation))
      .limit(1)
    return row ?? null
  })

/** `false`: there is one of that generation already, and it stays. */
export const insertDataKey = (
  database: Database,
  scope: ScopeId,
  realm: string,
  key: { generation: number; wrapped: Uint8Array; wrappedBy: string },
): Promise<boolean> =>
  withTenant(database, scope, async (tx) => {
    const inserted = await tx.db
      .insert(dataKeys)
      .values({ ...key, tenantId: scope, realm })
      .onConflictDoNothing()
      .returning({ generation: dataKeys.generation })
    return inserted.length > 0
  })

/** Every data key of a scope, by realm and generation. */
export const listDataKeys = (
  database: Database,
  scope: ScopeId,
): Promise<(StoredKey & { realm: string })[]> =>
  withTenant(database, scope, (tx) =>
    tx.db
      .select({ realm: dataKeys.realm, ...keyColumns })
      .from(dataKeys)
      .where(eq(dataKeys.tenantId, scope))
      .orderBy(asc(dataKeys.realm), asc(dataKeys.generation)),
  )

/** Takes the data keys out of a scope's rows, which stay to say that there were some. */
export const forgetDataKeys = (
  database: Database,
  scope: ScopeId,
): Promise<{ dataKeys: number; values: number }> =>
  withTenant(database, scope, async (tx) => {
    const gone = await tx.db
      .update(dataKeys)
      .set({ wrapped: null })
      .where(and(eq(dataKeys.tenantId, scope), sql`${dataKeys.wrapped} is not null`))
      .returning({ generation: dataKeys.generation })
    return { dataKeys: gone.length, values: gone.length === 0 ? 0 : await countSealed(tx) }
  })

const countSealed = async (tx: TenantTx): Promise<number> => {
  const [row] = await tx.db.execute<{ count: string }>(sql`
    select (select count(*) from hotswap.secret_values where tenant_id = ${tx.scope})
      + (select count(*) from hotswap.channels where tenant_id = ${tx.scope} and generation > 0) as count`)
  return Number(row!.count)
}

/** What was sealed last of each of these keys; those that have nothing are left out. */
export const lastSecrets = async (
  tx: TenantTx,
  environment: Environment,
  keys: readonly ConfigKey[],
): Promise<Map<ConfigKey, SecretStanding>> => {
  const rows = await tx.db
    .selectDistinctOn([secretValues.key], {
      key: secretValues.key,
      version: secretValues.version,
      copiedEnvironment: secretValues.copiedEnvironment,
      copiedVersion: secretValues.copiedVersion,
    })
    .from(secretValues)
    .where(and(ofEnvironment(tx.scope, environment), inArray(secretValues.key, [...keys])))
    .orderBy(secretValues.key, desc(secretValues.version))
  return new Map(
    rows.map(({ key, version, copiedEnvironment, copiedVersion }) => [
      key as ConfigKey,
      {
        version,
        copiedFrom:
          copiedEnvironment === null
            ? null
            : { environment: copiedEnvironment as Environment, version: copiedVersion! },
      },
    ]),
  )
}

export const findSecret = async (
  tx: TenantTx,
  environment: Environment,
  key: ConfigKey,
  version: number,
): Promise<StoredSecret | null> => {
  const [row] = await tx.db
    .select(secretColumns)
    .from(secretValues)
    .where(
      and(ofEnvironment(tx.scope, environment), eq(secretValues.key, key), eq(secretValues.version, version)),
    )
  return (row as StoredSecret | undefined) ?? null
}

/** For somebody to read: it is in the audit trail in the same transaction, or it is not handed out. `null`: there is none. */
export const takeSecret = (
  database: Database,
  scope: ScopeId,
  { environment, key, version }: { environment: Environment; key: ConfigKey; version: number },
  audit: AuditBody,
): Promise<StoredSecret | null> =>
  withTenant(database, scope, async (tx) => {
    const found = await findSecret(tx, environment, key, version)
    if (found) await appendAudit(tx, [audit])
    return found
  })

/** `false`: one of the numbers was taken meanwhile, and what names it must not be written. */
export const insertSecrets = async (
  tx: TenantTx,
  environment: Environment,
  secrets: readonly NewSecret[],
): Promise<boolean> => {
  const rows = secrets.map(({ copiedFrom, ...secret }) => ({
    ...secret,
    tenantId: tx.scope,
    environment,
    copiedEnvironment: copiedFrom?.environment ?? null,
    copiedVersion: copiedFrom?.version ?? null,
  }))
  const inserted = await tx.db
    .insert(secretValues)
    .values(rows)
    .onConflictDoNothing()
    .returning({ key: secretValues.key })
  return inserted.length === rows.length
}

/** Sealed by a generation before this one, a few of them. */
export const agedSecrets = (
  database: Database,
  scope: ScopeId,
  environment: Environment,
  generation: number,
  limit: number,
): Promise<StoredSecret[]> =>
  withTenant(database, scope, async (tx) => {
    const rows = await tx.db
      .select(secretColumns)
      .from(secretValues)
      .where(and(ofEnvironment(scope, environment), lt(secretValues.generation, generation)))
      .limit(limit)
    return rows as StoredSecret[]
  })

/** The same value, sealed by a later generation; where somebody was faster, theirs stays. */
export const resealSecret = (
  database: Database,
  scope: ScopeId,
  environment: Environment,
  secret: StoredSecret,
  was: number,
): Promise<void> =>
  withTenant(database, scope, async (tx) => {
    const { key, version, generation, sealed } = secret
    const same = and(
      eq(secretValues.key, key),
      eq(secretValues.version, version),
      eq(secretValues.generation, was),
    )
    await tx.db
      .update(secretValues)
      .set({ generation, sealed })
      .where(and(ofEnvironment(scope, environment), same))
  })
