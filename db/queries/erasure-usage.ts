import { sql } from "drizzle-orm"
import type { TenantId } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import type { Person } from "../../core/report/person.ts"
import { userKeyOf } from "../../core/usage/sums.ts"
import type { Database } from "../client.ts"
import { withTenant } from "../tenant.ts"

const PAGE = 1_000

const among = (names: readonly string[]) =>
  sql`user_id in (select jsonb_array_elements_text(${JSON.stringify(names)}::jsonb))`

const eraseEvents = async (database: Database, scope: TenantId, person: Person): Promise<number> => {
  let erased = 0
  for (;;) {
    const page = await withTenant(database, scope, async ({ db }) => {
      const rows = await db.execute(sql`
        update hotswap.tenant_events set user_id = ${person.pseudonym}
        where tenant_id = ${scope} and event_id in (
          select event_id from hotswap.tenant_events where tenant_id = ${scope} and ${among(person.names)} limit ${PAGE})
        returning event_id`)
      return rows.length
    })
    erased += page
    if (page < PAGE) return erased
  }
}

/**
 * Puts the pseudonym in the place of a person in events and statistics, which add up to what they did. What functions have yet to
 * hand on, of the last seconds, still has their name. Returns of how many rows of each.
 */
export const eraseUser = async (
  database: Database,
  scope: TenantId,
  person: Person,
): Promise<Record<string, number>> => {
  const tenant_events = await eraseEvents(database, scope, person)
  const key = (name: string): string => userKeyOf(scope, name)
  return await withTenant(database, scope, async ({ db }) => {
    // Whoever adds up now has read events as they were.
    await db.execute(sql`select pg_advisory_xact_lock(hashtextextended('hotswap.usage', 0))`)
    const requests = await db.execute(sql`
      with gone as (delete from hotswap.usage_requests where tenant_id = ${scope} and ${among(person.names)}
        returning day, route, method, status, count, duration_ms),
      kept as (insert into hotswap.usage_requests as u (tenant_id, day, route, method, status, user_id, count, duration_ms)
        select ${scope}, day, route, method, status, ${person.pseudonym}, sum(count), sum(duration_ms) from gone
        group by day, route, method, status
        on conflict (tenant_id, day, route, method, status, user_id) do update set count = u.count + excluded.count,
          duration_ms = u.duration_ms + excluded.duration_ms)
      select day from gone`)
    const users = await db.execute(sql`
      with gone as (delete from hotswap.usage_users where tenant_id = ${scope} and user_key in (
          select decode(k, 'hex') from jsonb_array_elements_text(${JSON.stringify(person.names.map(key))}::jsonb) k)
        returning day),
      kept as (insert into hotswap.usage_users (tenant_id, day, user_key)
        select distinct ${scope}, day, decode(${key(person.pseudonym)}, 'hex') from gone on conflict do nothing)
      select day from gone`)
    return { tenant_events, usage_requests: requests.length, usage_users: users.length }
  })
}

/** Events and requests of somebody's, a page at a time. */
export async function* rowsOfUser(
  database: Database,
  scope: TenantId,
  names: readonly string[],
): AsyncGenerator<{ table: string; row: JsonObject }> {
  for (let after = ""; ; ) {
    const page = await withTenant(database, scope, ({ db }) =>
      db.execute<{ id: string; row: JsonObject }>(sql`
        select event_id as id, to_jsonb(e) - 'tenant_id' - 'counted' as row from hotswap.tenant_events e
        where tenant_id = ${scope} and ${among(names)} and event_id > ${after} order by event_id limit ${PAGE}`),
    )
    for (const { row } of page) yield { table: "tenant_events", row }
    if (page.length < PAGE) break
    after = page.at(-1)!.id
  }
  const requests = await withTenant(database, scope, ({ db }) =>
    db.execute<{ row: JsonObject }>(sql`
      select jsonb_build_object('user_id', user_id, 'route', route, 'method', method, 'status', status,
        'from', min(day), 'to', max(day), 'count', sum(count)) as row
      from hotswap.usage_requests where tenant_id = ${scope} and ${among(names)}
      group by user_id, route, method, status order by user_id, route, method, status`),
  )
  for (const { row } of requests) yield { table: "usage_requests", row }
}
