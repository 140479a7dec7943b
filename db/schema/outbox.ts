import { sql } from "drizzle-orm"
import { foreignKey, index, primaryKey, uuid } from "drizzle-orm/pg-core"
import { environment, instant, tenantId } from "./columns.ts"
import { ownRows, systemRows } from "./policies.ts"
import { hotswap } from "./schema.ts"
import { tenants } from "./tenants.ts"

/**
 * A dirty mark, no event log: whoever finds it reads the pointer again and publishes that. `mark` tells one
 * marking from the next, so that clearing cannot take away one that was set meanwhile.
 */
export const outbox = hotswap.table(
  "outbox",
  {
    tenantId: tenantId(),
    environment: environment(),
    mark: uuid("mark").notNull().default(sql`gen_random_uuid()`),
    at: instant("at").notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.environment] }),
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    index("outbox_oldest").on(t.at),
    ownRows(t.tenantId),
    systemRows(),
    systemRows("delete"),
  ],
)
