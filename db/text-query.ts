import type postgres from "postgres"
import type { Prepared } from "./connection.ts"

/**
 * A prepared query written as SQL, for what must run without Drizzle; with it, it runs all the same. Its
 * parameters are text on the wire: cast each to what it is with `::text::jsonb` and the like, as the driver
 * would serialise other types in its own way.
 */
export const textQuery = <Row>(
  text: string,
  parameters: readonly string[],
): Prepared<Record<string, unknown>, Row[]> => ({
  build: (db) => {
    const { $client: sql } = db as unknown as { $client: postgres.Sql }
    return {
      execute: async (values = {}) => {
        const given = parameters.map((name) => values[name] as string)
        return (await sql.unsafe(text, given, { prepare: true })) as unknown as Row[]
      },
    }
  },
})
