import postgres from "postgres"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { freshDatabase, type TestDatabase } from "../support/postgres.ts"
import { catalogFaults, grants, RUNTIME_ROLES } from "./catalog.ts"
import { DATABASE_MUTANTS, REACHED_AT_ONCE } from "./mutants.ts"
import { fillAll, type RowTally, rowFaults, THIEF, VICTIM } from "./rows.ts"

let database: TestDatabase
let admin: postgres.Sql
beforeAll(async () => {
  database = await freshDatabase()
  admin = postgres(database.url("postgres"), { max: 1, onnotice: () => {} })
})
afterAll(async () => {
  await admin.end()
  await database.drop()
})

/** Looks in a transaction that never was: what is altered in it, roles included, is seen by nobody else. */
const undone = async <T>(work: (tx: postgres.TransactionSql) => Promise<T>): Promise<T> => {
  const kept: T[] = []
  const undo = new Error("undo")
  await admin
    .begin(async (tx) => {
      kept.push(await work(tx))
      throw undo
    })
    .catch((error: unknown) => {
      if (error !== undo) throw error
    })
  return kept[0]!
}

test("the catalog shows no way from one tenant to another", async () => {
  expect(await catalogFaults(admin)).toEqual([])
})

test("there are the grants that were looked at, and no others", async () => {
  await expect(await grants(admin)).toMatchFileSnapshot("grants.txt")
})

test("every table × verb × role × stand of the transaction reaches no row of another tenant", async () => {
  const { faults, tables, attempts } = await undone(async (tx): Promise<RowTally> => {
    await fillAll(tx, [THIEF, VICTIM])
    return await rowFaults(tx)
  })
  expect(faults).toEqual([])
  const [all] = await admin`select count(*)::int as tables from pg_tables where schemaname = 'hotswap'`
  expect(tables).toBe((all?.tables as number) - 1)
  expect(attempts).toBeGreaterThan(tables * RUNTIME_ROLES.length * 100)
})

test("whatever function a role may call, its transaction's end is the end of its tenant", async () => {
  const functions = await admin`select p.oid::regprocedure::text as signature, p.proname,
      array(select t::regtype::text from unnest(p.proargtypes) with ordinality u (t, nth) order by nth) as types
    from pg_proc p where p.pronamespace = 'hotswap'::regnamespace order by 1`
  const values: Readonly<Record<string, string>> = {
    jsonb: "'[]'",
    "timestamp with time zone": "now()",
    boolean: "false",
  }
  for (const role of RUNTIME_ROLES) {
    const sql = postgres(database.url(role as never), { max: 1, onnotice: () => {} })
    try {
      for (const { proname, types } of functions) {
        const given = (types as string[]).map(
          (type) =>
            `${values[type] ?? (/int|float|double|numeric/.test(type) ? "1" : "'~platform'")}::${type}`,
        )
        await sql.unsafe(`select * from hotswap.${proname}(${given.join(", ")})`).catch(() => null)
        const [left] = await sql`select coalesce(current_setting('hotswap.tenant', true), '') as tenant,
          coalesce(current_setting('hotswap.read_scopes', true), '') as scopes`
        expect({ role, proname, ...left }).toEqual({ role, proname, tenant: "", scopes: "" })
      }
    } finally {
      await sql.end()
    }
  }
})

describe("a database that was opened on purpose is found out", () => {
  test.each(Object.entries(DATABASE_MUTANTS))("by the catalog: %s", async (_name, statement) => {
    const faults = await undone(async (tx) => {
      await tx.unsafe(statement)
      return await catalogFaults(tx)
    })
    expect(faults).not.toEqual([])
  })

  test.each(Object.entries(REACHED_AT_ONCE))("by its rows: %s", async (name, table) => {
    const { faults } = await undone(async (tx) => {
      await tx.unsafe(DATABASE_MUTANTS[name]!)
      await fillAll(tx, [THIEF, VICTIM])
      return await rowFaults(tx, table)
    })
    expect(faults).not.toEqual([])
  })
})
