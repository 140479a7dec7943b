import type { PostgresJsDatabase } from "drizzle-orm/postgres-js"
import { type Database, type DatabaseOptions, openWith } from "./open.ts"

/**
 * The same as `openDatabase`, without Drizzle, which is more than half of what the read function may weigh.
 * Only queries made by `textQuery` run on it.
 */
export const openReader = (options: DatabaseOptions): Database =>
  openWith(options, (sql) => ({ $client: sql }) as unknown as PostgresJsDatabase)
