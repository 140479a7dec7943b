import { type Database, openDatabase } from "../../db/client.ts"
import type { DatabaseRole } from "../../local/postgres/secrets.ts"
import { freshDatabase } from "./postgres.ts"

/** On a machine that does much else an answer may be late; what a test is not about is not to fail for that. */
const DEADLINE_MS = 30_000

/** A database of a test's own, opened as each of the runtime's roles. */
export interface OpenTestDatabase {
  app: Database
  read: Database
  system: Database
  url: (role: DatabaseRole) => string
  /** Ends the connections and drops the database. */
  close: () => Promise<void>
}

export const openTestDatabase = async (max = 10): Promise<OpenTestDatabase> => {
  const { url, drop } = await freshDatabase()
  const open = (role: DatabaseRole) =>
    openDatabase({ url: url(role), applicationName: `test ${role}`, max, deadlineMs: DEADLINE_MS })
  const [app, read, system] = [open("hotswap_app"), open("hotswap_read"), open("hotswap_system")]
  return {
    app,
    read,
    system,
    url,
    close: async () => {
      await Promise.all([app, read, system].map((database) => database.close()))
      await drop()
    },
  }
}
