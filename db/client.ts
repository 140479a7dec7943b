import { drizzle } from "drizzle-orm/postgres-js"
import { type Database, type DatabaseOptions, openWith } from "./open.ts"

export type { Database, DatabaseOptions, Runner, TransactionOptions } from "./open.ts"
export { DatabaseUnavailable } from "./unavailable.ts"

/** Opens nothing yet: the first query does. */
export const openDatabase = (options: DatabaseOptions): Database => openWith(options, (sql) => drizzle(sql))
