import { sql } from "drizzle-orm"
import { boolean, check, integer, pgPolicy } from "drizzle-orm/pg-core"
import { appRole, hotswap, readRole, systemRole } from "./schema.ts"

/** One row, of no tenant: it rises when the database is restored from the past, so that revisions still grow. */
export const epoch = hotswap.table(
  "epoch",
  {
    only: boolean("only").primaryKey().default(true),
    epoch: integer("epoch").notNull().default(1),
  },
  (t) => [
    check("epoch_one_row", sql`${t.only}`),
    pgPolicy("everyone", { for: "select", to: [appRole, readRole, systemRole], using: sql`true` }),
  ],
)
