import { readdir } from "node:fs/promises"
import postgres from "postgres"
import { afterAll, beforeAll, expect, test } from "vitest"
import { COLUMNS, SCHEMA_VERSION } from "../../core/backup/rows.ts"
import { ARCHIVED, NOT_ARCHIVED } from "../../core/backup/tables.ts"
import { type OpenTestDatabase, openTestDatabase } from "../support/database.ts"

let database: OpenTestDatabase
let owner: postgres.Sql
beforeAll(async () => {
  database = await openTestDatabase()
  owner = postgres(database.url("postgres"), { max: 1, fetch_types: false })
})
afterAll(async () => {
  await owner.end()
  await database.close()
})

const KINDS: Readonly<Record<string, string>> = {
  text: "text",
  int4: "int",
  int8: "int",
  jsonb: "json",
  _int8: "ints",
  timestamptz: "time",
  bytea: "bytes",
  uuid: "uuid",
}

const kindOf = (column: string | { kind: string }): string =>
  typeof column === "string" ? column : column.kind

test("what archives hold of each table is what the catalog has, column by column", async () => {
  const rows = await owner`
    select table_name as "table", column_name as "column", udt_name as type, is_nullable = 'YES' as "isOptional"
    from information_schema.columns where table_schema = 'hotswap' and is_generated = 'NEVER'`
  const found: Record<string, Record<string, string>> = {}
  for (const { table, column, type, isOptional } of rows)
    if (table in COLUMNS)
      found[table] = { ...found[table], [column]: `${KINDS[type]}${isOptional ? "?" : ""}` }
  const expected = Object.entries(COLUMNS).map(([table, columns]) => [
    table,
    Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, kindOf(column)])),
  ])
  expect(found).toEqual(Object.fromEntries(expected))
  expect(Object.keys(COLUMNS)).toEqual(ARCHIVED.map(({ name }) => name))
})

test("every table with rows of tenants is in archives, or it is said why not", async () => {
  const rows = await owner`
    select distinct table_name as "table" from information_schema.columns
    where table_schema = 'hotswap' and column_name = 'tenant_id'`
  const said = [...ARCHIVED.map(({ name }) => name), ...Object.keys(NOT_ARCHIVED)]
  expect(said.toSorted()).toEqual(rows.map(({ table }) => table).toSorted())
})

test("an archived table comes after those that it refers to", async () => {
  const rows = await owner`
    select conrelid::regclass::text as "from", confrelid::regclass::text as "to" from pg_constraint
    where contype = 'f' and connamespace = 'hotswap'::regnamespace and conrelid <> confrelid`
  const place = (name: string) => ARCHIVED.findIndex((table) => `hotswap.${table.name}` === name)
  for (const { from, to } of rows)
    if (place(from) >= 0) expect(place(to), `${from} → ${to}`).toBeLessThan(place(from))
})

test("the schema version is the number of the last migration", async () => {
  const numbers = (await readdir("db/migrations"))
    .flatMap((name) => /^(\d{4})_/.exec(name)?.[1] ?? [])
    .map(Number)
  expect(SCHEMA_VERSION).toBe(Math.max(...numbers))
})
