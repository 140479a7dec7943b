import postgres from "postgres"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { PLATFORM } from "../../core/ids.ts"
import { listChanges } from "../../db/queries/changes.ts"
import { commitScope, loadScope } from "../../db/queries/scope.ts"
import { RUNTIME_ROLES } from "../isolation/catalog.ts"
import { type OpenTestDatabase, openTestDatabase } from "../support/database.ts"
import { DEVELOPMENT, directCommit, key, makeTenant, tenantId } from "./fixtures.ts"

// Which tables there are, with which policies and grants, and what every verb reaches: test/isolation/rows.test.ts.

let database: OpenTestDatabase
const open = (role: Parameters<OpenTestDatabase["url"]>[0]) =>
  postgres(database.url(role), { max: 1, onnotice: () => {} })
let admin: postgres.Sql
let app: postgres.Sql

beforeAll(async () => {
  database = await openTestDatabase()
  admin = open("postgres")
  app = open("hotswap_app")
  for (const id of ["victim", "thief"]) {
    await makeTenant(database.app, id)
    const scope = tenantId(id)
    const loaded = await loadScope(database.app, { scope, environment: DEVELOPMENT, keys: [key("a")] })
    await commitScope(database.app, directCommit(loaded!.state, "a", `value of ${id}`))
  }
  const { state } = (await loadScope(database.app, { scope: PLATFORM, environment: DEVELOPMENT, keys: [] }))!
  await commitScope(database.app, directCommit(state, "p", 1))
})

afterAll(async () => {
  await Promise.all([admin, app].map((sql) => sql.end()))
  await database.close()
})

describe("grants", () => {
  test("what is only appended to nobody may alter, but for names in a version; only the system may delete, what its policies let it", async () => {
    const appended = [
      "audit_checkpoints",
      "audit_drops",
      "audit_entries",
      "chunks",
      "config_versions",
      "pointers",
      "releases",
    ]
    const may = await admin`
      select r || ' ' || p || ' ' || t as line from unnest(${RUNTIME_ROLES}::text[]) r, unnest(${appended}::text[]) t,
        unnest(array['UPDATE', 'DELETE', 'TRUNCATE']) p
      where case p when 'UPDATE' then has_any_column_privilege(r, 'hotswap.' || t, p)
        else has_table_privilege(r, 'hotswap.' || t, p) end`
    expect(may.map(({ line }) => line).sort()).toEqual([
      "hotswap_app UPDATE config_versions",
      ...appended.map((table) => `hotswap_system DELETE ${table}`),
    ])
  })

  test("the content of a change and of a version stays what was approved, but for names: a trigger stands before it", async () => {
    const triggers =
      await admin`select event_object_table || ' ' || trigger_name as line from information_schema.triggers
      where trigger_schema = 'hotswap' and action_timing = 'BEFORE' and event_manipulation = 'UPDATE' order by 1`
    expect(triggers.map(({ line }) => line)).toEqual([
      "changes changes_names_only",
      "config_versions config_versions_author",
      "config_versions config_versions_names_only",
      "tokens tokens_issuer",
      "tokens tokens_subject",
    ])
    const [may] = await admin`select array(select r from unnest(${RUNTIME_ROLES}::text[]) r
      where has_column_privilege(r, 'hotswap.changes', 'content', 'UPDATE')) as roles`
    expect(may?.roles).toEqual(["hotswap_app"])
  })

  test("the reading role can write nothing at all", async () => {
    const may = await admin`select table_name, privilege_type from information_schema.column_privileges
      where grantee = 'hotswap_read' and privilege_type <> 'SELECT'
      union all select table_name, privilege_type from information_schema.table_privileges
      where grantee = 'hotswap_read' and privilege_type <> 'SELECT'`
    expect([...may]).toEqual([])
  })

  test("the system role sees no configuration, no token and no word of the audit", async () => {
    const system = open("hotswap_system")
    try {
      for (const hidden of [
        ...["chunks", "releases", "pointers", "config_versions", "tokens", "heads", "gate_baselines"].map(
          (table) => `* from hotswap.${table}`,
        ),
        "body from hotswap.audit_entries",
        "config from hotswap.channels",
        "secret from hotswap.channels",
        "detail from hotswap.deliveries",
        "task_token from hotswap.workflow_waits",
        "after_errors from hotswap.gate_tenants",
        "content from hotswap.changes",
        "body from hotswap.idempotency_keys",
      ])
        await expect(system.unsafe(`select ${hidden}`)).rejects.toMatchObject({ code: "42501" })
    } finally {
      await system.end()
    }
  })
})

/** How often a statement reached a row of a transaction for the thief; refusals by grants or policies count as none. */
const reached = async (statement: string, scopes: string) =>
  app
    .begin(async (tx) => {
      await tx`select set_config('hotswap.tenant', 'thief', true), set_config('hotswap.read_scopes', ${scopes}, true)`
      const result = await tx.unsafe(statement)
      throw Object.assign(new Error("undo"), { count: result.count })
    })
    .catch((error: { count?: number; code?: string }) => {
      if (error.count !== undefined) return error.count
      if (error.code === "42501") return 0
      throw error
    })

describe("what a transaction says of itself", () => {
  test("the inherited scopes open the platform and the tiers to be read, never a tenant, and not all tables", async () => {
    const pointers = "select tenant_id from hotswap.pointers where tenant_id <> 'thief'"
    expect(await reached(pointers, "victim")).toBe(0)
    expect(await reached(pointers, "victim,~platform")).toBe(1)
    for (const statement of [
      "select * from hotswap.audit_entries where tenant_id <> 'thief'",
      "select * from hotswap.changes where tenant_id <> 'thief'",
      "update hotswap.heads set rev = 0 where tenant_id = '~platform'",
    ])
      expect(await reached(statement, "~platform")).toBe(0)
  })

  test("the tenant's setting ends with its transaction", async () => {
    const rows = async () => (await app`select count(*)::int as rows from hotswap.tenants`)[0]?.rows
    await app.begin((tx) => tx`select set_config('hotswap.tenant', 'victim', true)`)
    expect(await rows()).toBe(0)
    await app`select * from hotswap.load_scope('victim', 'Development', '{}', null, '[]', false, null)`
    expect(await rows()).toBe(0)
    expect(await listChanges(database.app, tenantId("victim"), { limit: 9 })).toHaveLength(1)
  })
})
