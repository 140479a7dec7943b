import postgres from "postgres"

/** Connection strings of the runtime's roles, by the role that each has to lead to. */
export type RoleUrls = Readonly<Record<"hotswap_app" | "hotswap_read" | "hotswap_system", string>>

const CONNECT_LIMIT_SECONDS = 10

/** What is wrong with it, without the URL; `null`: it leads to a migrated database, as that role, which is no more than it should be. */
const wrongWith = async (role: string, url: string): Promise<string | null> => {
  const sql = postgres(url, {
    max: 1,
    fetch_types: false,
    connect_timeout: CONNECT_LIMIT_SECONDS,
    connection: { application_name: "hotswap-check", statement_timeout: CONNECT_LIMIT_SECONDS * 1_000 },
  })
  try {
    const [row] = await sql`
      select current_user as role, to_regclass('hotswap.heads') is not null as "isMigrated",
        rolsuper or rolbypassrls or rolcreaterole or pg_has_role(current_user, datdba, 'member') as "isWide"
      from pg_roles, pg_database where rolname = current_user and datname = current_database()`
    if (row?.role !== role) return `leads to the role ${row?.role}`
    if (!row.isMigrated) return "leads to a database without Hotswap's tables, or without a right to use them"
    return row.isWide ? "leads to a role that may do more than it should" : null
  } catch (error) {
    return `does not work: ${error instanceof Error ? error.message : String(error)}`
  } finally {
    await sql.end({ timeout: 1 })
  }
}

/** Connects as each of the roles that functions run as. One line for each that they could not use; none where all is well. */
export const checkRoles = async (urls: RoleUrls): Promise<readonly string[]> => {
  const lines = await Promise.all(
    Object.entries(urls).map(async ([role, url]) => {
      const wrong = await wrongWith(role, url)
      return wrong === null ? [] : [`the URL of ${role} ${wrong}`]
    }),
  )
  return lines.flat()
}
