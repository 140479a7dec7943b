import postgres from "postgres"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { PLATFORM } from "../../core/ids.ts"
import { listChanges } from "../../db/queries/changes.ts"
import { commitScope, loadScope } from "../../db/queries/scope.ts"
import { insertToken } from "../../db/queries/tokens.ts"
import { type OpenTestDatabase, openTestDatabase } from "../support/database.ts"
import { auditOf, DEVELOPMENT, directCommit, key, makeTenant, tenantId } from "./fixtures.ts"

let database: OpenTestDatabase
const open = (role: Parameters<OpenTestDatabase["url"]>[0]) =>
  postgres(database.url(role), { max: 1, onnotice: () => {} })
let admin: postgres.Sql
let app: postgres.Sql
let read: postgres.Sql

const RUNTIME_ROLES = ["hotswap_app", "hotswap_read", "hotswap_system"]
/** Of no tenant: one row that everyone may read. */
const SHARED = ["epoch"]
/** Has to be unique across tenants: the reason stands beside the table. */
const UNIQUE_ACROSS_TENANTS = ["external_ids_one_tenant"]

beforeAll(async () => {
  database = await openTestDatabase()
  admin = open("postgres")
  app = open("hotswap_app")
  read = open("hotswap_read")
  for (const id of ["victim", "thief"]) await fill(id)
  const { state } = (await loadScope(database.app, { scope: PLATFORM, environment: DEVELOPMENT, keys: [] }))!
  await commitScope(database.app, directCommit(state, "p", 1))
})

afterAll(async () => {
  await Promise.all([admin, app, read].map((sql) => sql.end()))
  await database.close()
})

/** At least one row in every table of a tenant's. */
const fill = async (id: string) => {
  const scope = tenantId(id)
  await makeTenant(database.app, id)
  const { state } = (await loadScope(database.app, { scope, environment: DEVELOPMENT, keys: [key("a")] }))!
  const reply = { status: 200, headers: {}, body: {}, stamps: [] }
  await commitScope(database.app, directCommit(state, "a", `value of ${id}`), {
    key: "k",
    fingerprint: "f",
    reply,
  })
  const { changeId } = (await listChanges(database.app, scope, { limit: 1 }))[0]!.content
  await admin`insert into hotswap.gate_steps (tenant_id, change_id, step, environment, since)
    values (${id}, ${changeId}, 0, ${DEVELOPMENT}, now())`
  await admin`insert into hotswap.gate_instances (tenant_id, change_id, step, instance, token_id)
    values (${id}, ${changeId}, 0, 'i', 't')`
  await admin`insert into hotswap.gate_baselines values (${id}, ${DEVELOPMENT}, 1, 1, now())`
  await admin`insert into hotswap.gate_readers (tenant_id, environment, instance, token_id, seq, at)
    values (${id}, ${DEVELOPMENT}, 'i', 't', 1, now())`
  await admin`insert into hotswap.gate_tenants (tenant_id, change_id, unit, reached, step, step_since, last_at, tier)
    values (${id}, ${changeId}, 'u', true, 0, now(), now(), 'Pro')`
  await admin`insert into hotswap.workflow_waits (tenant_id, change_id, task_token) values (${id}, ${changeId}, 't')`
  await admin`insert into hotswap.channels (tenant_id, channel_id, type, config, created_by)
    values (${id}, gen_random_uuid(), 'webhook', '{}', 's')`
  await admin`insert into hotswap.deliveries (tenant_id, channel_id, environment, type, change_id, detail, at)
    values (${id}, gen_random_uuid(), ${DEVELOPMENT}, 'change.live', ${changeId}, '{}', now())`
  await admin`insert into hotswap.external_ids values (${id}, ${`guild:${id}`})`
  const token = {
    kind: "api" as const,
    subject: "s",
    roles: [],
    tenants: null,
    environment: null,
    secretHash: "00",
  }
  const issuer = { subject: "platform", tokenId: "startup" as const, ancestors: [] }
  const tokenId = `${id}:tok_${"0".repeat(32)}` as never
  await insertToken(
    database.app,
    scope,
    { ...token, tokenId, issuer, expiresAt: "2999-01-01T00:00:00Z" },
    auditOf("t", id),
  )
}

const tables = async (): Promise<string[]> => {
  const rows = await admin`select tablename from pg_tables where schemaname = 'hotswap' order by 1`
  return rows.map((row) => row.tablename as string)
}
const owned = async () => (await tables()).filter((name) => !SHARED.includes(name))

/** How often a statement reached a row; refusals by grants or policies count as none. */
const reached = async (sql: postgres.Sql, tenant: string | null, statement: string, scopes = "") =>
  sql
    .begin(async (tx) => {
      if (tenant !== null) await tx`select set_config('hotswap.tenant', ${tenant}, true)`
      await tx`select set_config('hotswap.read_scopes', ${scopes}, true)`
      const result = await tx.unsafe(statement)
      throw Object.assign(new Error("undo"), { count: result.count })
    })
    .catch((error: { count?: number; code?: string }) => {
      if (error.count !== undefined) return error.count
      if (error.code === "42501") return 0
      throw error
    })

describe("the catalog", () => {
  test("the runtime's roles own nothing, are members of nothing and bypass nothing", async () => {
    const roles = await admin`
      select rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication, rolinherit, rolcanlogin,
        (select count(*)::int from pg_auth_members m where m.member = r.oid) as memberships,
        (select count(*)::int from pg_class c where c.relowner = r.oid) as owned
      from pg_roles r where rolname = any(${RUNTIME_ROLES}) order by 1`
    const narrow = {
      rolsuper: false,
      rolbypassrls: false,
      rolcreaterole: false,
      rolcreatedb: false,
      rolreplication: false,
    }
    expect(roles.map((role) => ({ ...role }))).toEqual(
      RUNTIME_ROLES.map((rolname) => ({
        rolname,
        ...narrow,
        rolinherit: false,
        rolcanlogin: true,
        memberships: 0,
        owned: 0,
      })),
    )
    const [owner] = await admin`select rolsuper, rolbypassrls from pg_roles where rolname = 'hotswap_owner'`
    expect({ ...owner }).toEqual({ rolsuper: false, rolbypassrls: false })
  })

  test("row-level security is enabled and forced on every table, and every table has a policy", async () => {
    const open = await admin`
      select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'hotswap' and c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity
        and exists (select from pg_policies p where p.schemaname = 'hotswap' and p.tablename = c.relname))`
    expect([...open]).toEqual([])
    expect((await tables()).length).toBe(22)
  })

  test("tenant_id comes first in every primary key, foreign key and unique constraint", async () => {
    const first = await admin`
      select k.conrelid::regclass::text as table, k.conname, k.contype, a.attname as first from pg_constraint k
      join pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[1]
      where k.connamespace = 'hotswap'::regnamespace and k.contype in ('p', 'u', 'f')`
    const other = first.filter(
      (row) => row.first !== "tenant_id" && !SHARED.includes((row.table as string).replace("hotswap.", "")),
    )
    expect(other.map((row) => row.conname)).toEqual(UNIQUE_ACROSS_TENANTS)
    const keys = first
      .filter((row) => row.contype === "p")
      .map((row) => (row.table as string).replace("hotswap.", ""))
    expect(keys.sort()).toEqual(await tables())
  })

  test("no view and no function runs with its owner's rights, and every function has a pinned search path", async () => {
    const views = await admin`select viewname from pg_views where schemaname = 'hotswap'
      union all select matviewname from pg_matviews where schemaname = 'hotswap'`
    expect([...views]).toEqual([])
    const loose = await admin`select proname from pg_proc where pronamespace = 'hotswap'::regnamespace
      and (prosecdef or not coalesce(array_to_string(proconfig, ',') like '%search_path=pg_catalog%', false))`
    expect([...loose]).toEqual([])
    const open =
      await admin`select proname from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g
      where p.pronamespace = 'hotswap'::regnamespace and g.grantee = 0`
    expect([...open]).toEqual([])
  })

  test("nobody may update or delete what is only appended to, nor the content of a change", async () => {
    const may = await admin`
      select r as role, t.tablename as table, p as privilege from unnest(${RUNTIME_ROLES}::text[]) r, pg_tables t,
        unnest(array['UPDATE', 'DELETE', 'TRUNCATE']) p
      where t.schemaname = 'hotswap' and has_table_privilege(r, 'hotswap.' || t.tablename, p)`
    expect(may.map(({ role, table, privilege }) => `${role} ${privilege} ${table}`).sort()).toEqual([
      "hotswap_app DELETE channels",
      "hotswap_app DELETE external_ids",
      "hotswap_app DELETE outbox",
      "hotswap_app DELETE workflow_waits",
      "hotswap_system DELETE deliveries",
      "hotswap_system DELETE gate_instances",
      "hotswap_system DELETE gate_readers",
      "hotswap_system DELETE gate_tenants",
      "hotswap_system DELETE idempotency_keys",
      "hotswap_system DELETE outbox",
      "hotswap_system DELETE workflow_waits",
    ])
    const columns = await admin`
      select table_name || '.' || column_name as column from information_schema.column_privileges
      where table_schema = 'hotswap' and grantee = any(${RUNTIME_ROLES}) and privilege_type = 'UPDATE'`
    const tablesWithUpdates = new Set(columns.map(({ column }) => (column as string).split(".")[0]))
    expect([...tablesWithUpdates].sort()).toEqual([
      "audit_heads",
      "changes",
      "channels",
      "deliveries",
      "gate_baselines",
      "gate_instances",
      "gate_readers",
      "gate_steps",
      "gate_tenants",
      "heads",
      "idempotency_keys",
      "outbox",
      "tenants",
      "tokens",
      "workflow_waits",
    ])
    expect(columns.map(({ column }) => column)).not.toContain("changes.content")
  })

  test("the reading role can write nothing at all", async () => {
    const may = await admin`select table_name, privilege_type from information_schema.table_privileges
      where grantee = 'hotswap_read' and privilege_type <> 'SELECT'`
    expect([...may]).toEqual([])
  })
})

describe("another tenant's rows", () => {
  test("the suite has rows to steal in every table", async () => {
    for (const table of await owned()) {
      const [row] = await admin.unsafe(
        `select count(*)::int as rows from hotswap.${table} where tenant_id = 'victim'`,
      )
      expect({ table, empty: row?.rows === 0 }).toEqual({ table, empty: false })
    }
  })

  const verbs = (table: string, columns: string[]) => [
    `select * from hotswap.${table} where tenant_id = 'victim'`,
    `select tenant_id from hotswap.${table} where tenant_id <> 'thief'`,
    `delete from hotswap.${table} where tenant_id = 'victim'`,
    ...columns.map(
      (column) => `update hotswap.${table} set ${column} = ${column} where tenant_id = 'victim'`,
    ),
  ]

  test("whatever the verb, no role that works for one tenant reaches a row of another", async () => {
    for (const table of await owned()) {
      const columns = await admin`select column_name from information_schema.columns
        where table_schema = 'hotswap' and table_name = ${table} and is_generated = 'NEVER'`
      for (const statement of verbs(
        table,
        columns.map(({ column_name }) => column_name as string),
      ))
        for (const sql of [app, read])
          for (const tenant of ["thief", "", null]) {
            const rows = await reached(sql, tenant, statement)
            expect({ statement, tenant, rows }).toEqual({ statement, tenant, rows: 0 })
          }
    }
  })

  test("no row can be written in another tenant's name, nor moved there", async () => {
    for (const table of await owned()) {
      const columns =
        await admin`select string_agg(quote_ident(column_name), ', ') as list from information_schema.columns
        where table_schema = 'hotswap' and table_name = ${table} and is_generated = 'NEVER' and column_name <> 'tenant_id'`
      const list = [columns[0]?.list].filter(Boolean).join("")
      const names = list ? `, ${list}` : ""
      const forged = `insert into hotswap.${table} (tenant_id${names}) select 'victim'${names} from hotswap.${table} where tenant_id = 'thief'`
      expect({ table, rows: await reached(app, "thief", forged) }).toEqual({ table, rows: 0 })
      const moved = `update hotswap.${table} set tenant_id = 'victim' where tenant_id = 'thief'`
      expect({ table, rows: await reached(app, "thief", moved) }).toEqual({ table, rows: 0 })
    }
  })

  test("the inherited scopes open the platform and the tiers, never a tenant", async () => {
    const all = "select tenant_id from hotswap.pointers where tenant_id <> 'thief'"
    expect(await reached(app, "thief", all, "victim")).toBe(0)
    expect(await reached(app, "thief", all, "victim,~platform")).toBe(1)
    expect(
      await reached(
        app,
        "thief",
        "select * from hotswap.audit_entries where tenant_id <> 'thief'",
        "~platform",
      ),
    ).toBe(0)
    expect(
      await reached(app, "thief", "select * from hotswap.changes where tenant_id <> 'thief'", "~platform"),
    ).toBe(0)
    expect(
      await reached(
        app,
        "thief",
        "update hotswap.heads set rev = 0 where tenant_id = '~platform'",
        "~platform",
      ),
    ).toBe(0)
  })

  test("the tenant's setting ends with its transaction", async () => {
    await app.begin((tx) => tx`select set_config('hotswap.tenant', 'victim', true)`)
    expect((await app`select count(*)::int as rows from hotswap.tenants`)[0]?.rows).toBe(0)
    await app`select * from hotswap.load_scope('victim', 'Development', '{}', null, '[]', false, null)`
    expect((await app`select count(*)::int as rows from hotswap.tenants`)[0]?.rows).toBe(0)
  })

  test("the system role sees no configuration, no token and no audit", async () => {
    const system = open("hotswap_system")
    try {
      for (const table of [
        "chunks",
        "releases",
        "pointers",
        "config_versions",
        "tokens",
        "audit_entries",
        "heads",
        "channels",
        "gate_baselines",
      ])
        await expect(system.unsafe(`select * from hotswap.${table}`)).rejects.toMatchObject({ code: "42501" })
      for (const hidden of [
        "detail from hotswap.deliveries",
        "task_token from hotswap.workflow_waits",
        "after_errors from hotswap.gate_tenants",
      ])
        await expect(system.unsafe(`select ${hidden}`)).rejects.toMatchObject({ code: "42501" })
      await expect(system`select content from hotswap.changes`).rejects.toMatchObject({ code: "42501" })
      await expect(system`select body from hotswap.idempotency_keys`).rejects.toMatchObject({ code: "42501" })
    } finally {
      await system.end()
    }
  })
})
