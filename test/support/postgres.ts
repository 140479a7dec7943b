import { randomBytes } from "node:crypto"
import postgres from "postgres"
import { inject } from "vitest"
import type { DatabaseRole } from "../../local/postgres/secrets.ts"
import { TEMPLATE } from "./global-postgres.ts"

/** A database of a test's own, migrated and empty. */
export interface TestDatabase {
  name: string
  url: (role: DatabaseRole) => string
  drop: () => Promise<void>
}

/** The run's server, as `role` on `database`. */
const testUrl = (role: DatabaseRole, database: string): string => {
  const { port, passwords } = inject("postgres")
  return `postgres://${role}:${passwords[role]}@127.0.0.1:${port}/${database}`
}

/** Copies the migrated template, in some tens of milliseconds. Drop it in `afterAll`. */
export const freshDatabase = async (): Promise<TestDatabase> => {
  const name = `test_${randomBytes(8).toString("hex")}`
  // Copied as files: as pages through the log it costs several times as much.
  await asRole("hotswap_owner", `create database ${name} template ${TEMPLATE} strategy file_copy`)
  return {
    name,
    url: (role) => testUrl(role, name),
    // The owner may not end other roles' connections, and one that was just closed may linger for a moment.
    drop: () => asRole("postgres", `drop database ${name} with (force)`),
  }
}

const asRole = async (role: DatabaseRole, statement: string) => {
  const sql = postgres(testUrl(role, "postgres"), { max: 1, fetch_types: false, onnotice: () => {} })
  try {
    await sql.unsafe(statement)
  } finally {
    await sql.end({ timeout: 5 })
  }
}
