import type postgres from "postgres"
import { RUNTIME_ROLES, SHARED_TABLES } from "./catalog.ts"

type Tx = postgres.TransactionSql

export const [THIEF, VICTIM] = ["thief", "victim"]

/** How a transaction may stand when it reaches for another tenant's rows. */
const STANDS: Readonly<Record<string, readonly string[]>> = {
  "its own tenant": [`select set_config('hotswap.tenant', '${THIEF}', true)`],
  "no tenant": [],
  "an empty one": ["select set_config('hotswap.tenant', '', true)"],
  "the foreign one, left again": [
    `select set_config('hotswap.tenant', '${VICTIM}', true)`,
    `select set_config('hotswap.tenant', '${THIEF}', true)`,
  ],
  "the foreign one in a part that was rolled back": [
    `select set_config('hotswap.tenant', '${THIEF}', true)`,
    "savepoint part",
    `select set_config('hotswap.tenant', '${VICTIM}', true)`,
    "rollback to savepoint part",
  ],
  "the foreign one among what it inherits": [
    `select set_config('hotswap.tenant', '${THIEF}', true)`,
    `select set_config('hotswap.read_scopes', '${VICTIM},~platform', true)`,
  ],
}

/** Runs a statement and undoes it: how many rows it reached, or why not. */
const ATTEMPT = `create or replace function pg_temp.attempt(statement text) returns text language plpgsql as $$
declare reached bigint;
begin
  begin
    execute statement;
    get diagnostics reached = row_count;
    raise exception using errcode = 'UNDO1', message = reached::text;
  exception
    when sqlstate 'UNDO1' then return 'reached ' || sqlerrm;
    when others then return sqlstate;
  end;
end $$`

interface Column {
  name: string
  type: string
  generated: boolean
}

const tablesOf = async (tx: Tx): Promise<Map<string, Column[]>> => {
  const rows =
    await tx`select c.table_name, c.column_name, c.udt_name, c.is_generated from information_schema.columns c
    join pg_tables t on t.schemaname = c.table_schema and t.tablename = c.table_name
    where c.table_schema = 'hotswap' order by c.table_name, c.ordinal_position`
  const tables = new Map<string, Column[]>()
  for (const row of rows) {
    if (SHARED_TABLES.includes(row.table_name)) continue
    const columns = tables.get(row.table_name) ?? []
    columns.push({ name: row.column_name, type: row.udt_name, generated: row.is_generated !== "NEVER" })
    tables.set(row.table_name, columns)
  }
  return tables
}

const VALUES: Readonly<Record<string, string>> = {
  text: "'x'",
  uuid: "gen_random_uuid()",
  jsonb: "'{}'",
  json: "'{}'",
  bool: "true",
  timestamptz: "now()",
  date: "current_date",
  bytea: "'\\x00'",
}
/** Where a check wants something in particular. */
const PARTICULAR: Readonly<Record<string, string>> = {
  tier: "'Pro'",
  status: "'active'",
  kind: "'api'",
  state: "'pending'",
  type: "'webhook'",
  body: "'{}'",
}

/** One row in every table, for a tenant of whom nothing needs to make sense but whose it is. */
export const fillAll = async (tx: Tx, tenants: readonly string[]): Promise<void> => {
  await tx.unsafe("set local session_replication_role = replica")
  for (const [table, columns] of await tablesOf(tx)) {
    const [checks] = await tx`select coalesce(array_agg(conname::text), '{}') as names from pg_constraint
      where conrelid = ${`hotswap.${table}`}::regclass and contype = 'c'`
    for (const name of checks!.names as string[])
      await tx.unsafe(`alter table hotswap.${table} drop constraint "${name}"`)
    for (const tenant of tenants) {
      const given = columns.filter(({ generated }) => !generated)
      const values = given.map(({ name, type }) =>
        name === "tenant_id"
          ? `'${tenant}'`
          : name === "external_id"
            ? `'guild:${tenant}'`
            : type === "text"
              ? (PARTICULAR[name] ?? "'x'")
              : (VALUES[type] ?? (type.startsWith("_") ? "'{}'" : "1")),
      )
      const names = given.map(({ name }) => `"${name}"`).join(", ")
      const statement = `insert into hotswap.${table} (${names}) overriding system value values (${values.join(", ")}) on conflict do nothing`
      await tx.unsafe(statement).catch((error: unknown) => {
        throw new Error(`${statement}: ${String(error)}`)
      })
    }
  }
  await tx.unsafe("set local session_replication_role = origin")
}

const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** Something one can do to a table, and what it takes to be allowed to. */
interface Verb {
  statement: string
  /** `null`: nobody at run time may. */
  takes: { privilege: "SELECT" | "INSERT" | "UPDATE" | "DELETE"; column: string | null } | null
}

/** Everything one can do to a table, said of the victim's rows. */
const verbsOf = (table: string, columns: readonly Column[]): Verb[] => {
  const settable = columns.filter(({ generated }) => !generated).map(({ name }) => name)
  const rest = settable.filter((name) => name !== "tenant_id").map((name) => `, "${name}"`)
  const of = `hotswap.${table}`
  const theirs = `tenant_id = '${VICTIM}'`
  const select = (column: string) => ({ privilege: "SELECT", column }) as const
  const update = (column: string | null) => ({ privilege: "UPDATE", column }) as const
  return [
    ...columns.map(({ name }) => ({
      statement: `select "${name}" from ${of} where ${theirs}`,
      takes: select(name),
    })),
    { statement: `select 1 from ${of} where ${theirs} for update`, takes: update(null) },
    { statement: `select 1 from ${of} where ${theirs} for key share`, takes: update(null) },
    {
      statement: `select count(*) from ${of} where ${theirs} having count(*) > 0`,
      takes: select("tenant_id"),
    },
    {
      statement: `delete from ${of} where ${theirs}`,
      takes: { privilege: "DELETE", column: null },
    },
    ...settable.map((name) => ({
      statement: `update ${of} set "${name}" = "${name}" where ${theirs}`,
      takes: update(name),
    })),
    {
      statement: `update ${of} set tenant_id = '${VICTIM}' where tenant_id = '${THIEF}'`,
      takes: update("tenant_id"),
    },
    {
      statement: `insert into ${of} (tenant_id${rest.join("")}) overriding system value
        select '${VICTIM}'${rest.join("")} from ${of} where tenant_id = '${THIEF}'`,
      takes: { privilege: "INSERT", column: null },
    },
    {
      statement: `merge into ${of} t using (select '${VICTIM}' as id) s on t.tenant_id = s.id when matched then do nothing`,
      takes: select("tenant_id"),
    },
    ...[
      `truncate ${of} cascade`,
      `lock table ${of} in access exclusive mode`,
      `alter table ${of} disable row level security`,
      `create policy open on ${of} using (true)`,
      `create view hotswap.seen as select * from ${of}`,
      `copy ${of} to '/dev/null'`,
    ].map((statement) => ({ statement, takes: null })),
  ]
}

/** What a role was granted: of the system role, who is for every tenant, what stands in the reviewed list. */
const grantsOf = async (tx: Tx, role: string): Promise<(table: string, takes: Verb["takes"]) => boolean> => {
  const rows = await tx`select c.relname || ' ' || p.privilege || ' ' || a.attname as name from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped,
    unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p(privilege)
    where c.relnamespace = 'hotswap'::regnamespace and c.relkind = 'r' and case p.privilege
      when 'DELETE' then has_table_privilege(${role}, c.oid, 'DELETE')
      else has_column_privilege(${role}, c.oid, a.attnum, p.privilege) end`
  const names = new Set(rows.map(({ name }) => name as string))
  return (table, takes) => {
    if (takes === null) return false
    const { privilege, column } = takes
    if (column !== null) return names.has(`${table} ${privilege} ${column}`)
    return [...names].some((name) => name.startsWith(`${table} ${privilege} `))
  }
}

/** Writing a row of another's and one of nobody's must fail alike: else the difference tells which there are. */
const oraclesOf = (table: string, columns: readonly Column[]): [string, string] => {
  const list = columns.filter(({ generated }) => !generated).map(({ name }) => `"${name}"`)
  const forged = (tenant: string) =>
    `insert into hotswap.${table} (${list.join(", ")}) overriding system value select ${list
      .map((name) => `(r).${name}`)
      .join(
        ", ",
      )} from (select jsonb_populate_record(null::hotswap.${table}, jsonb_set(kept.row, '{tenant_id}', ${quote(`"${tenant}"`)})) r
      from pg_temp.kept where kept.name = '${table}') s`
  return [forged(VICTIM!), forged("nobody-at-all")]
}

export interface RowTally {
  attempts: number
  tables: number
  faults: string[]
}

const asRole = async <T>(
  tx: Tx,
  role: string,
  first: readonly string[],
  work: (tx: Tx) => Promise<T>,
): Promise<T> => {
  await tx.unsafe("savepoint stand")
  try {
    await tx.unsafe(`set local session authorization ${role}`)
    for (const statement of first) await tx.unsafe(statement)
    return await work(tx)
  } finally {
    await tx.unsafe("rollback to savepoint stand")
  }
}

/** Every table (or the one) × verb × role × stand of the transaction. In a transaction that the caller rolls back. */
export const rowFaults = async (tx: Tx, only?: string): Promise<RowTally> => {
  const tally: RowTally = { attempts: 0, tables: 0, faults: [] }
  const all = await tablesOf(tx)
  const tables = only === undefined ? all : new Map([[only, all.get(only)!]])
  await tx.unsafe(ATTEMPT)
  await tx.unsafe("create temp table kept (name text, row jsonb) on commit drop")
  await tx.unsafe("grant select on pg_temp.kept to public")
  for (const table of tables.keys()) {
    const { count } = await tx.unsafe(
      `insert into pg_temp.kept select '${table}', to_jsonb(t) from hotswap.${table} t where tenant_id = '${VICTIM}' limit 1`,
    )
    if (count === 0) tally.faults.push(`there is nothing to steal in ${table}`)
    tally.tables++
  }
  const attempt = async (statements: readonly string[]): Promise<string[]> => {
    tally.attempts += statements.length
    const rows =
      await tx`select pg_temp.attempt(s) as outcome from unnest(${statements as string[]}::text[]) with ordinality u (s, nth) order by nth`
    return rows.map(({ outcome }) => outcome as string)
  }
  for (const role of RUNTIME_ROLES) {
    const isForAll = role === "hotswap_system"
    const isGranted = await grantsOf(tx, role)
    for (const [stand, first] of Object.entries(STANDS))
      await asRole(tx, role, first, async () => {
        for (const [table, columns] of tables) {
          const verbs = verbsOf(table, columns).filter(({ takes }) => !(isForAll && isGranted(table, takes)))
          const outcomes = await attempt(verbs.map(({ statement }) => statement))
          for (const [nth, outcome] of outcomes.entries())
            if (outcome.startsWith("reached ") && outcome !== "reached 0")
              tally.faults.push(`${role} with ${stand}: ${verbs[nth]!.statement}: ${outcome}`)
          if (isForAll) continue
          const [theirs, nobodys] = await attempt(oraclesOf(table, columns))
          if (theirs !== nobodys)
            tally.faults.push(
              `${role} with ${stand}: an insert into ${table} tells ${theirs} from ${nobodys}`,
            )
        }
        const others = [
          "select 1 from pg_stats where schemaname = 'hotswap'",
          "set role hotswap_owner",
          "create table hotswap.mine (id int)",
        ]
        for (const [nth, outcome] of (await attempt(others)).entries())
          if (outcome.startsWith("reached ") && !(nth === 0 && outcome === "reached 0"))
            tally.faults.push(`${role} with ${stand}: ${others[nth]}: ${outcome}`)
      })
  }
  return tally
}
