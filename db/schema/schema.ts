import { pgRole, pgSchema } from "drizzle-orm/pg-core"

export const hotswap = pgSchema("hotswap")

// The migrator creates these with their attributes and passwords; no password belongs in a migration.
/** Writes for one tenant at a time: the functions `manage` and `advance`. */
export const appRole = pgRole("hotswap_app").existing()
/** Reads for one tenant at a time: the function `read`. */
export const readRole = pgRole("hotswap_read").existing()
/** Sees a few columns across tenants: the relay, the sweeper and the list of tenants. */
export const systemRole = pgRole("hotswap_system").existing()
