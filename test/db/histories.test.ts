import postgres from "postgres"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type OpenTestDatabase, openTestDatabase } from "../support/database.ts"
import { makeTenant } from "./fixtures.ts"

const TENANTS = 200
const MOVES = 100

let database: OpenTestDatabase
let admin: postgres.Sql
beforeAll(async () => {
  database = await openTestDatabase()
  admin = postgres(database.url("postgres"), { max: 1, onnotice: () => {} })
  await makeTenant(database.app, "t0")
  await admin.unsafe(`
    create temporary table made as select 't' || n as id from generate_series(1, ${TENANTS}) n;
    insert into hotswap.tenants (tenant_id, name, tier) select id, id, 'Pro' from made;
    insert into hotswap.heads (tenant_id, environment, rev) select id, 'Production', 1 from made;
    insert into hotswap.releases (tenant_id, release_id, manifest)
      select id, p.stable, r.manifest from made, hotswap.pointers p
        join hotswap.releases r on r.tenant_id = p.tenant_id and r.release_id = p.stable
        where p.tenant_id = 't0' and p.environment = 'Production';
    insert into hotswap.pointers (tenant_id, environment, seq, at, tier, stable, cause)
      select id, 'Production', n, now() - interval '1 day' + n * interval '1 second', 'Pro', p.stable, 'live'
        from generate_series(1, ${MOVES}) n, made, hotswap.pointers p
        where p.tenant_id = 't0' and p.environment = 'Production';
    analyze`)
})
afterAll(async () => {
  await admin.end()
  await database.close()
})

/** How many rows of the pointers' history a call reads. */
const movesRead = async (call: string): Promise<number> =>
  await admin.begin(async (sql) => {
    const count = async () => {
      const [row] = await sql`select idx_tup_fetch + seq_tup_read as moves from pg_stat_xact_user_tables
        where schemaname = 'hotswap' and relname = 'pointers'`
      return Number(row?.moves)
    }
    const made = () => sql.unsafe(`set local role hotswap_app; ${call}; reset role`)
    // The first time it is planned as well, and the planner looks around.
    await made()
    const before = await count()
    await made()
    return (await count()) - before
  })

const REPORT = { i: 0, epoch: 1, platform: 0, tier: 0, arm: "stable", instance: "i", ok: 1, errors: 0 }
const reports = JSON.stringify([1, 2].map((seq) => ({ ...REPORT, i: seq, seq, tenant: MOVES })))

test.each([
  ["a reading", "select hotswap.read_pointer('t7', 'Production', '[]')"],
  ["a decision", "select hotswap.load_scope('t7', 'Production', '{}', '[]', '[]', false, null)"],
  [
    "a report",
    `select hotswap.record_outcomes('t7', 'Production', 't7:tok_1', '${reports}', now(), 100, 100)`,
  ],
])("%s takes the end of a history, however long that is", async (_what, call) => {
  const moves = await movesRead(call)
  expect(moves).toBeGreaterThan(0)
  expect(moves).toBeLessThan(15)
})
