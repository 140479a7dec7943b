import type { PostgresJsDatabase } from "drizzle-orm/postgres-js"
import type { ScopeId } from "../core/ids.ts"
import type { Database, Runner, TransactionOptions } from "./client.ts"
import type { Connection } from "./connection.ts"
import { textQuery } from "./text-query.ts"

/**
 * A transaction bound to one scope: row-level security shows it that scope's rows and no others. Only
 * {@link withTenant} and {@link askTenant} make one, so a query that asks for it cannot be run without a tenant.
 */
export interface TenantTx extends Runner {
  readonly scope: ScopeId
  /** Drizzle's query builder, without transactions of its own: this is one. */
  readonly db: Omit<PostgresJsDatabase, "transaction">
  /** Another scope in the same transaction, for the few writes that belong to two; this one's again afterwards. */
  readonly as: <T>(scope: ScopeId, work: (tx: TenantTx) => Promise<T>) => Promise<T>
  readonly __tenant: true
}

const setTenant = textQuery("select set_config('hotswap.tenant', $1, true)", ["scope"])

/** Runs `work` in a transaction of that scope; the setting ends with it. Rolled back when `work` throws. */
export const withTenant = <T>(
  database: Database,
  scope: ScopeId,
  work: (tx: TenantTx) => Promise<T>,
  options?: TransactionOptions,
): Promise<T> =>
  database.transaction(
    (connection) => work(tenantTx(connection, scope)),
    (connection) => connection.run(setTenant, { scope }),
    options,
  )

/**
 * The same, where what is asked first rests on nothing that has to be waited for: it is sent together with the beginning. `ask` sends
 * queries of `textQuery` only, and all of them at once: they are done in the order in which they were sent.
 */
export const askTenant = <Asked, T>(
  database: Database,
  scope: ScopeId,
  ask: (tx: TenantTx) => Promise<Asked>,
  work: (tx: TenantTx, asked: Asked) => Promise<T>,
): Promise<T> => {
  let answers: { asked: Asked } | undefined
  return database.transaction(
    (connection) => work(tenantTx(connection, scope), answers!.asked),
    async (connection) => {
      const [, asked] = await Promise.all([
        connection.run(setTenant, { scope }),
        ask(tenantTx(connection, scope)),
      ])
      answers = { asked }
    },
  )
}

/**
 * Runs `work` in the transaction that `runner` is, or in one of its own where it is none. Whoever holds a transaction must
 * not wait for a second connection: enough of them would wait for each other.
 */
export const inTenant = <T>(
  runner: Runner,
  database: Database,
  scope: ScopeId,
  work: (tx: TenantTx) => Promise<T>,
): Promise<T> => ("__tenant" in runner ? work(runner as TenantTx) : withTenant(database, scope, work))

const tenantTx = (connection: Connection, scope: ScopeId): TenantTx => ({
  scope,
  db: connection.db,
  run: connection.run,
  as: async (other, work) => {
    await connection.run(setTenant, { scope: other })
    const result = await work(tenantTx(connection, other))
    await connection.run(setTenant, { scope })
    return result
  },
  __tenant: true,
})
