import type { TenantId, TokenId } from "../../core/ids.ts"
import type { TenantEvent } from "../../core/usage/event.ts"
import type { Database, Runner } from "../open.ts"
import { textQuery } from "../text-query.ts"

/** Why nothing was kept, and of which tenant's events. */
export interface EventsRefused {
  kind: "missing" | "suspended" | "revoked"
  tenantId: TenantId
}
export type EventsRecorded = EventsRefused | { kind: "recorded"; kept: number }

const record = textQuery<{ recorded: string | null }>(
  "select hotswap.record_events($1, $2, $3::text::jsonb) as recorded",
  ["scope", "token", "events"],
)

const recordOf = async (
  runner: Runner,
  tenantId: TenantId,
  token: TokenId | "startup",
  events: readonly TenantEvent[],
): Promise<EventsRecorded> => {
  const [row] = await runner.run(record, { scope: tenantId, token, events: JSON.stringify(events) })
  if (!row || row.recorded === null) return { kind: "missing", tenantId }
  const recorded = JSON.parse(row.recorded) as { refused?: "suspended" | "revoked"; kept?: number }
  return recorded.refused
    ? { kind: recorded.refused, tenantId }
    : { kind: "recorded", kept: recorded.kept ?? 0 }
}

/** Undoes a transaction in which one tenant's events were refused. */
class Undone extends Error {
  readonly refused: EventsRefused

  constructor(refused: EventsRefused) {
    super(refused.kind)
    this.refused = refused
  }
}

/**
 * Keeps all of them, or none: each once, however often it is told. They are in PostgreSQL when this resolves; `kept` is how many
 * were new.
 */
export const recordEvents = async (
  database: Database,
  token: TokenId | "startup",
  events: readonly TenantEvent[],
): Promise<EventsRecorded> => {
  const byTenant = [...Map.groupBy(events, ({ tenantId }) => tenantId)].sort(([one], [other]) =>
    one < other ? -1 : 1,
  )
  const [first, ...others] = byTenant
  if (first && others.length === 0) return await recordOf(database, first[0], token, first[1])
  try {
    return await database.transaction(async (runner) => {
      let kept = 0
      for (const [tenantId, its] of byTenant) {
        const recorded = await recordOf(runner, tenantId, token, its)
        if (recorded.kind !== "recorded") throw new Undone(recorded)
        kept += recorded.kept
      }
      return { kind: "recorded", kept }
    })
  } catch (error) {
    if (error instanceof Undone) return error.refused
    throw error
  }
}
