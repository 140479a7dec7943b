import { sql } from "drizzle-orm"
import type { ChangeState } from "../core/change/change.ts"
import type { Database } from "./client.ts"

// As `system.ts`: how far behind the functions are that follow what was committed.

export interface LagFigures {
  marks: number
  /** Seconds; 0 where nothing waits. */
  outboxAge: number
  dueChangeAge: number
  dueDeliveryAge: number
  /** Changes that the clock will look at. */
  awaitingApproval: number
  scheduled: number
  rollingOut: number
  deadDeliveries: number
}

const timed = (state: ChangeState["state"]) =>
  sql`(select count(*)::int from hotswap.changes where due_at is not null and state = ${state})`

const age = (at: string) =>
  sql.raw(`greatest(0, coalesce(extract(epoch from clock_timestamp() - ${at}), 0))::float8`)

/** Of all scopes together, by the database's clock; reads what is open, and what settled within the hour, never all there is. */
export const lagFigures = (system: Database): Promise<LagFigures> =>
  system.transaction(async ({ db }) => {
    const [row] = await db.execute<LagFigures & Record<string, unknown>>(sql`
      select (select count(*)::int from hotswap.outbox) as marks,
        (select ${age("min(at)")} from hotswap.outbox) as "outboxAge",
        (select ${age("min(due_at)")} from hotswap.changes where due_at is not null) as "dueChangeAge",
        (select ${age("min(due_at)")} from hotswap.deliveries where state = 'pending') as "dueDeliveryAge",
        ${timed("awaiting_approval")} as "awaitingApproval", ${timed("scheduled")} as scheduled,
        ${timed("rolling_out")} as "rollingOut",
        (select count(*)::int from hotswap.deliveries
          where state = 'dead' and settled_at > now() - interval '1 hour') as "deadDeliveries"`)
    return row!
  })
