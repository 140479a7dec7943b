import { fileURLToPath } from "node:url"
import { drizzle } from "drizzle-orm/postgres-js"
import { migrate as applyMigrations } from "drizzle-orm/postgres-js/migrator"
import postgres from "postgres"

const MIGRATIONS = fileURLToPath(new URL("./migrations", import.meta.url))
/** Any number, as long as nothing else in the database locks it. */
const MIGRATION_LOCK = 7_305_001

export interface RolePasswords {
  appPassword: string
  readPassword: string
  systemPassword: string
}

/**
 * Brings a database up to date: the runtime roles with these passwords, then every migration not applied yet.
 * `ownerUrl` connects as the role that owns the database and may create roles; it needs no superuser. Harmless when
 * there is nothing to do; of several at once, one works and the others wait.
 */
export const migrate = async (
  ownerUrl: string,
  passwords: RolePasswords,
  /** What revisions begin with in a database that was empty until now; 1 if it is not said. */
  firstEpoch?: number,
): Promise<void> => {
  const sql = postgres(ownerUrl, { max: 1, fetch_types: false, onnotice: () => {} })
  try {
    await sql`select pg_advisory_lock(${MIGRATION_LOCK})`
    await ensureRole(sql, "hotswap_app", passwords.appPassword)
    await ensureRole(sql, "hotswap_read", passwords.readPassword)
    await ensureRole(sql, "hotswap_system", passwords.systemPassword)
    const [kept] = await sql`select to_regclass('hotswap_migrations.__drizzle_migrations') is null as "isNew"`
    // Beside the schema, not in it: what is in `hotswap` is under the tenants' policies, without exception.
    await applyMigrations(drizzle(sql), {
      migrationsFolder: MIGRATIONS,
      migrationsSchema: "hotswap_migrations",
    })
    if (kept?.isNew && firstEpoch !== undefined) await beginEpoch(sql, firstEpoch)
  } finally {
    await sql.end({ timeout: 5 })
  }
}

/**
 * Readers never take a lower revision for a newer one, and one of a higher epoch always: whoever had heard of a database that was
 * lost takes what its successor says.
 */
export const epochOf = (now: Date): number => Math.floor((now.getTime() - Date.UTC(2026)) / 1_000)

/** Forced policies hold for the owner, too, and there is none that lets anybody write here. */
const beginEpoch = (sql: postgres.Sql, epoch: number) =>
  sql.begin(async (tx) => {
    await tx`alter table hotswap.epoch no force row level security`
    await tx`update hotswap.epoch set epoch = greatest(epoch, ${epoch})`
    await tx`alter table hotswap.epoch force row level security`
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
  const [quoted] = await sql`select format(${template}::text, ${role}::text, ${password}::text) as statement`
  await sql.unsafe(quoted?.statement as string)
  for (const [name, value] of Object.entries(KEEPALIVES))
    await sql.unsafe(`alter role ${role} set ${name} = ${value}`)
}
