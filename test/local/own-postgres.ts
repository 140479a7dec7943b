import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { sql } from "drizzle-orm"
import postgres from "postgres"
import { type Database, openDatabase } from "../../db/client.ts"
import type { Passwords } from "../../local/postgres/secrets.ts"

/** The process and the port of a home's own PostgreSQL. */
export const addressOf = async (home: string): Promise<{ pid: number; port: number }> => {
  const lines = (await readFile(join(home, "postgres/data/postmaster.pid"), "utf8")).split("\n")
  return { pid: Number(lines[0]), port: Number(lines[3]) }
}

/**
 * Since when a home's own PostgreSQL has gone without a crash; `null` while it takes nobody. Right after a kill the processes that
 * are left may go on for a moment, as if nothing had happened.
 */
export const wholeSince = async (home: string): Promise<string | null> => {
  let client: postgres.Sql | undefined
  try {
    client = postgres(await superuserUrl(home), { max: 1, connect_timeout: 5, onnotice: () => {} })
    const [row] =
      await client`select backend_start::text from pg_stat_activity where backend_type = 'checkpointer'`
    return row?.backend_start ?? null
  } catch {
    return null
  } finally {
    await client?.end({ timeout: 1 }).catch(() => undefined)
  }
}

const superuserUrl = async (home: string): Promise<string> => {
  const { port } = await addressOf(home)
  const passwords = JSON.parse(await readFile(join(home, "postgres/passwords.json"), "utf8")) as Passwords
  return `postgres://postgres:${passwords.postgres}@127.0.0.1:${port}/hotswap`
}

/** A home's own PostgreSQL, as its superuser. */
export const superuserOf = async (home: string): Promise<Database> =>
  openDatabase({ url: await superuserUrl(home), applicationName: "test", deadlineMs: 60_000 })

/** Lets no tenant be written or read until it is let go, or PostgreSQL is stopped. */
export const holdTenants = async (home: string) => {
  const database = await superuserOf(home)
  const held = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  const holding = database
    .transaction(async ({ command }) => {
      await command("lock table hotswap.tenants in access exclusive mode")
      held.resolve()
      await release.promise
    })
    // PostgreSQL may be stopped first.
    .catch(held.reject)
  await held.promise
  return {
    /** How many queries wait for it. */
    waiting: async (): Promise<number> => {
      const count = sql`select from pg_locks where not granted and relation = 'hotswap.tenants'::regclass`
      return (await database.transaction(({ db }) => db.execute(count))).length
    },
    letGo: async (): Promise<void> => {
      release.resolve()
      await holding
      await database.close()
    },
  }
}
