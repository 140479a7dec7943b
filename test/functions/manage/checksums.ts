import postgres from "postgres"

/** A hash of every row of every table, read as the superuser: what writes nothing leaves it as it was. */
export const openChecksums = (url: string) => {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => {} })
  const read = async (): Promise<Record<string, string>> => {
    const tables = await sql<{ name: string }[]>`
      select table_name as name from information_schema.tables
      where table_schema = 'hotswap' and table_type = 'BASE TABLE' order by 1`
    const sums: Record<string, string> = {}
    for (const { name } of tables) {
      const [row] = await sql<{ sum: string }[]>`
        select count(*) || ' ' || coalesce(md5(string_agg(t::text, ' ' order by t::text)), '') as sum
        from ${sql(`hotswap.${name}`)} t`
      sums[name] = row!.sum
    }
    return sums
  }
  return { read, close: () => sql.end({ timeout: 5 }) }
}
