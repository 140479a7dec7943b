import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { sql } from "drizzle-orm"
import { type Database, openDatabase } from "../../db/client.ts"
import type { Passwords } from "../../local/postgres/secrets.ts"

/** The process and the port of a home's own PostgreSQL. */
export const addressOf = async (home: string): Promise<{ pid: number; port: number }> => {
  const lines = (await readFile(join(home, "postgres/data/postmaster.pid"), "utf8")).split("\n")
  return { pid: Number(lines[0]), port: Number(lines[3]) }
}

/** A home's own PostgreSQL, as its superuser. */
export const superuserOf = async (home: string): Promise<Database> => {
  const { port } = await addressOf(home)
  const passwords = JSON.parse(await readFile(join(home, "postgres/passwords.json"), "utf8")) as Passwords
  return openDatabase({
    url: `postgres://postgres:${passwords.postgres}@127.0.0.1:${port}/hotswap`,
    applicationName: "test",
    deadlineMs: 60_000,
  })
}

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
