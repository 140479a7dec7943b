import { fileURLToPath } from "node:url"
import { drizzle } from "drizzle-orm/postgres-js"
import { migrate as applyMigrations } from "drizzle-orm/postgres-js/migrator"
import postgres from "postgres"
import { scramVerifier } from "./scram.ts"

const MIGRATIONS = fileURLToPath(new URL("./migrations", import.meta.url))
/** Any number, as long as nothing else in the database locks it. */
const MIGRATION_LOCK = 7_305_001
const LOCK_NOT_AVAILABLE = "55P03"

export interface RolePasswords {
  appPassword: string
  readPassword: string
  systemPassword: string
}

export interface MigrationOptions {
  /** What revisions begin with in a database that was empty until now; 1 if it is not said. */
  firstEpoch?: number
  /** Longer than this it waits for no table, as all who come to that table meanwhile wait behind it; it fails instead. */
  lockWaitMs?: number
  /** The server cancels a statement that takes longer. */
  statementLimitMs?: number
  /** Where the SQL is, if not beside this code. */
  folder?: string
}

/** Did a migration give up as somebody else had a table? Nothing of it was applied, and it may be tried again. */
export const wasLockedOut = (error: unknown): boolean => {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if ("code" in cause && cause.code === LOCK_NOT_AVAILABLE) return true
  return false
}

/**
 * Brings a database up to date: the runtime roles with these passwords, then every migration not applied yet.
 * `ownerUrl` connects as the role that owns the database and may create roles; it needs no superuser. Harmless when
 * there is nothing to do, or where migrations are applied that this code does not know; of several at once, one works and
 * the others wait. Returns how many migrations it applied: all that were missing, or none.
 */
export const migrate = async (
  ownerUrl: string,
  passwords: RolePasswords,
  { firstEpoch, lockWaitMs = 0, statementLimitMs = 0, folder = MIGRATIONS }: MigrationOptions = {},
): Promise<number> => {
  const sql = postgres(ownerUrl, {
    max: 1,
    fetch_types: false,
    onnotice: () => {},
    connection: { ...KEEPALIVES, application_name: "hotswap-migrate", statement_timeout: statementLimitMs },
  })
  try {
    await sql`select pg_advisory_lock(${MIGRATION_LOCK})`
    await sql`select set_config('lock_timeout', ${`${lockWaitMs}ms`}, false)`
    await ensureRole(sql, "hotswap_app", passwords.appPassword)
    await ensureRole(sql, "hotswap_read", passwords.readPassword)
    await ensureRole(sql, "hotswap_system", passwords.systemPassword)
    const before = await countApplied(sql)
    if (!before && firstEpoch !== undefined) await noteNew(sql)
    // Beside the schema, not in it: what is in `hotswap` is under the tenants' policies, without exception.
    await applyMigrations(drizzle(sql), {
      migrationsFolder: folder,
      migrationsSchema: "hotswap_migrations",
    })
    if (firstEpoch !== undefined) await beginEpoch(sql, firstEpoch)
    return ((await countApplied(sql)) ?? 0) - (before ?? 0)
  } finally {
    await sql.end({ timeout: 5 })
  }
}

/** `null`: the database is new. */
const countApplied = async (sql: postgres.Sql): Promise<number | null> => {
  const [kept] = await sql`select to_regclass('hotswap_migrations.__drizzle_migrations') is null as "isNew"`
  if (kept?.isNew) return null
  const [row] = await sql`select count(*)::int as applied from hotswap_migrations.__drizzle_migrations`
  return row?.applied
}

/** Stands at the schema of the migrations until the epoch has begun, however many attempts that takes. */
const NEW = "new: its epoch has not begun"

const noteNew = (sql: postgres.Sql) =>
  sql.begin(async (tx) => {
    await tx`create schema if not exists hotswap_migrations`
    await tx.unsafe(`comment on schema hotswap_migrations is '${NEW}'`)
  })

/** Once in a database's life. Forced policies hold for the owner, too, and there is none that lets anybody write here. */
const beginEpoch = (sql: postgres.Sql, epoch: number) =>
  sql.begin(async (tx) => {
    const [said] =
      await tx`select obj_description('hotswap_migrations'::regnamespace, 'pg_namespace') = ${NEW} as "isNew"`
    if (!said?.isNew) return
    await tx`alter table hotswap.epoch no force row level security`
    await tx`update hotswap.epoch set epoch = greatest(epoch, ${epoch})`
    await tx`alter table hotswap.epoch force row level security`
    await tx`comment on schema hotswap_migrations is null`
  })

// Every attribute is said, so that a role somebody made wider is narrowed again. SUPERUSER and BYPASSRLS cannot be
// taken away by an owner who has neither; such a role is refused instead.
const ATTRIBUTES = "login noinherit nocreatedb nocreaterole"

/**
 * After so many seconds of silence, then between so many questions, the server takes a client for gone. Otherwise what a
 * client had locked whose network failed in the middle of a message would stay locked for two hours.
 */
const KEEPALIVES = { tcp_keepalives_idle: 10, tcp_keepalives_interval: 5, tcp_keepalives_count: 3 }

const ensureRole = async (sql: postgres.Sql, role: string, password: string) => {
  const [found] =
    await sql`select rolsuper or rolbypassrls or rolreplication as wide from pg_roles where rolname = ${role}`
  if (found?.wide)
    throw new Error(
      `the role ${role} is a superuser or bypasses row-level security: alter it, then migrate again`,
    )
  const verb = found ? "alter" : "create"
  const template = `${verb} role %I ${ATTRIBUTES} password %L`
  const verifier = scramVerifier(password)
  const [quoted] = await sql`select format(${template}::text, ${role}::text, ${verifier}::text) as statement`
  await sql.unsafe(quoted?.statement as string)
  for (const [name, value] of Object.entries(KEEPALIVES))
    await sql.unsafe(`alter role ${role} set ${name} = ${value}`)
}
