import { type SQL, sql } from "drizzle-orm"
import type { AuditBody } from "../../core/audit/entry.ts"
import type { Instant } from "../../core/change/change.ts"
import type { Environment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import { type ChangeId, jobIdOf, type TenantId } from "../../core/ids.ts"
import { canonical, type Json, type JsonObject } from "../../core/json.ts"
import { leadsTo } from "../../core/report/leads-to.ts"
import { type Person, withoutPerson } from "../../core/report/person.ts"
import type { Database } from "../client.ts"
import { type TenantTx, withTenant } from "../tenant.ts"
import { appendAudit } from "./audit.ts"
import { eraseAuditPerson, pseudonymOf } from "./audit-people.ts"
import { eraseUser, rowsOfUser } from "./erasure-usage.ts"
import { NAMING_TABLES, type NamingTable } from "./naming-tables.ts"
import { bumpHeads, markAll } from "./pointers.ts"

/** A row that names somebody: its key, and the columns in which it may. */
export interface NamingRow {
  table: string
  row: JsonObject
}

const columnsOf = (names: readonly string[], from = "t"): SQL =>
  sql.raw(names.map((name) => `${from}."${name}"`).join(", "))

/** As a text stands in JSON. */
const inJson = (name: string): string => JSON.stringify(name).slice(1, -1)

const mentions = (text: string, names: readonly string[]): SQL =>
  sql`(${sql.join(
    names.map((name) => sql`strpos(${sql.raw(text)}, ${inJson(name)}) > 0`),
    sql` or `,
  )})`

/** A page of rows that may name somebody, by key, locked if they are to be altered. */
const pageOf = async (
  tx: TenantTx,
  table: NamingTable,
  names: readonly string[],
  { after, limit, lock }: { after: JsonObject | null; limit: number; lock: boolean },
): Promise<JsonObject[]> => {
  const beyond =
    after === null
      ? sql``
      : sql`and (${columnsOf(table.key)}) > (select ${columnsOf(table.key, "r")} from
          jsonb_populate_record(null::hotswap.${sql.identifier(table.name)}, ${JSON.stringify(after)}::jsonb) r)`
  const rows = await tx.db.execute<{ row: JsonObject }>(sql`
    select (select to_jsonb(x) from (select ${columnsOf([...table.key, ...table.columns])}) x) as row
    from hotswap.${sql.identifier(table.name)} t
    where t.tenant_id = ${tx.scope} and ${mentions(table.text, names)} ${beyond}
    order by ${columnsOf(table.key)} limit ${limit} ${lock ? sql`for update` : sql``}`)
  return rows.map(({ row }) => row)
}

const writeBack = async (tx: TenantTx, table: NamingTable, rows: readonly JsonObject[]): Promise<void> => {
  const set = table.columns.map((name) => `"${name}" = r."${name}"`).join(", ")
  const same = table.key.map((name) => `t."${name}" = r."${name}"`).join(" and ")
  await tx.db.execute(sql`
    update hotswap.${sql.identifier(table.name)} t set ${sql.raw(set)}
    from jsonb_populate_recordset(null::hotswap.${sql.identifier(table.name)}, ${JSON.stringify(rows)}::jsonb) r
    where t.tenant_id = ${tx.scope} and ${sql.raw(same)}`)
}

/** What is done in their name is done as long as it is theirs. */
const jobsMustBeOver = async (tx: TenantTx, names: readonly string[]): Promise<void> => {
  const rows = await tx.db.execute<{ jobId: string; row: JsonObject }>(sql`
    select job_id as "jobId", created_by as row from hotswap.jobs
    where tenant_id = ${tx.scope} and state in ('queued', 'running') and ${mentions("created_by::text", names)}
    order by job_id`)
  const stand = { names, pseudonym: "" }
  const open = rows.filter(({ row }) => canonical(withoutPerson(row, stand)) !== canonical(row))
  if (open.length === 0) return
  const ids = open.slice(0, 10).map(({ jobId }) => jobIdOf(tx.scope, jobId))
  throw new Refusal("PERSON_ENGAGED", `Jobs that are not over are done in their name: ${ids.join(", ")}.`)
}

/** Changes of theirs, or that they had a part in, which are not over: as long as there are any, they are needed. */
const mustBeOver = async (tx: TenantTx, names: readonly string[]): Promise<void> => {
  await jobsMustBeOver(tx, names)
  const rows = await tx.db.execute<{ changeId: ChangeId; row: JsonObject }>(sql`
    select change_id as "changeId",
      jsonb_build_object('content', content - 'edits', 'status', status, 'approvals', approvals) as row
    from hotswap.changes where tenant_id = ${tx.scope} and pending
      and ${mentions("(content - 'edits')::text || status::text || approvals::text", names)} order by change_id`)
  const stand = { names, pseudonym: "" }
  const open = rows.filter(({ row }) => canonical(withoutPerson(row, stand)) !== canonical(row))
  if (open.length === 0) return
  const ids = open.slice(0, 10).map(({ changeId }) => changeId)
  throw new Refusal("PERSON_ENGAGED", `Changes that are not over name them: ${ids.join(", ")}.`)
}

/** Throws PERSON_ENGAGED. */
export const checkOver = (database: Database, scope: TenantId, names: readonly string[]): Promise<void> =>
  withTenant(database, scope, (tx) => mustBeOver(tx, names))

const PAGE = 200

/** Takes somebody out of a table, a page in a transaction; returns of how many rows. */
const eraseFrom = async (
  database: Database,
  scope: TenantId,
  table: NamingTable,
  person: Person,
  environments: readonly Environment[],
): Promise<number> => {
  let erased = 0
  for (let after: JsonObject | null = null; ; ) {
    const page: JsonObject[] = await withTenant(database, scope, async (tx) => {
      // Whoever has read a change decides anew: nothing that was read before is written back.
      if (table.name === "changes") {
        await bumpHeads(tx, environments)
        // Under another name they could approve what they submitted since somebody last looked.
        await mustBeOver(tx, person.names)
      }
      const rows = await pageOf(tx, table, person.names, { after, limit: PAGE, lock: true })
      const altered = rows.flatMap((row) => {
        const without = withoutReason(table, row, person)
        return canonical(without) === canonical(row) ? [] : [without]
      })
      if (altered.length > 0) await writeBack(tx, table, altered)
      erased += altered.length
      return rows
    })
    if (page.length < PAGE) return erased
    after = page.at(-1)!
  }
}

/** Of a version the reason is what its author wrote; elsewhere a reason is one of a few words. */
const withoutReason = ({ name }: NamingTable, row: JsonObject, person: Person): JsonObject => {
  if (name !== "config_versions") return withoutPerson(row, person) as JsonObject
  const { reason, ...rest } = row
  const { comment, ...without } = withoutPerson({ ...rest, comment: reason ?? null }, person) as JsonObject
  return { ...without, reason: comment ?? null }
}

/** Ends their tokens, so that nobody goes on under a name that is forgotten. */
const revokeTokens = (
  database: Database,
  scope: TenantId,
  names: readonly string[],
  environments: readonly Environment[],
): Promise<number> =>
  withTenant(database, scope, async (tx) => {
    const rows = await tx.db.execute(sql`
      update hotswap.tokens set revoked_at = clock_timestamp(), revoked_by = 'erased'
      where tenant_id = ${scope} and revoked_at is null
        and subject in (select jsonb_array_elements_text(${JSON.stringify(names)}::jsonb)) returning token_id`)
    if (rows.length > 0) await markAll(tx, environments)
    return rows.length
  })

const forgetReplies = async (tx: TenantTx, names: readonly string[]): Promise<number> => {
  const rows = await tx.db.execute(sql`
    update hotswap.idempotency_keys set body = '{}', headers = '{}', expires_at = now()
    where tenant_id = ${tx.scope} and ${mentions("body", names)} returning key`)
  return rows.length
}

const forgetAddress = async (tx: TenantTx, names: readonly string[]): Promise<number> => {
  const rows = await tx.db.execute(sql`
    update hotswap.tenants set admin_email = null, version = version + 1
    where tenant_id = ${tx.scope}
      and admin_email in (select jsonb_array_elements_text(${JSON.stringify(names)}::jsonb)) returning tenant_id`)
  return rows.length
}

export interface PersonErased {
  pseudonym: string
  /** Rows that named them, by table. */
  rows: Record<string, number>
  tokensRevoked: number
}

/** What stands in the audit for any of these names; `null`: nothing does. */
export const auditPseudonym = (
  database: Database,
  scope: TenantId,
  names: readonly string[],
): Promise<string | null> =>
  withTenant(database, scope, async (tx) => {
    for (const name of names) {
      const pseudonym = await pseudonymOf(tx, name)
      if (pseudonym) return pseudonym
    }
    return null
  })

/**
 * Takes somebody out of everything that is kept of a tenant, page by page: interrupted, it is asked for again. Last, in
 * one transaction, the audit forgets whom the pseudonym stood for, and says that somebody was erased. Throws
 * PERSON_ENGAGED.
 */
export const erasePerson = async (
  database: Database,
  scope: TenantId,
  { person, environments }: { person: Person; environments: readonly Environment[] },
  audit: (erased: PersonErased) => AuditBody,
): Promise<PersonErased> => {
  const { names, pseudonym } = person
  const tokensRevoked = await revokeTokens(database, scope, names, environments)
  const rows: Record<string, number> = {}
  for (const table of NAMING_TABLES)
    rows[table.name] = await eraseFrom(database, scope, table, person, environments)
  Object.assign(rows, await eraseUser(database, scope, person))
  return await withTenant(database, scope, async (tx) => {
    rows.audit_people = 0
    for (const name of names) if (await eraseAuditPerson(tx, name)) rows.audit_people++
    rows.idempotency_keys = await forgetReplies(tx, names)
    rows.tenants = await forgetAddress(tx, names)
    const erased = { pseudonym, rows, tokensRevoked }
    await appendAudit(tx, [audit(erased)])
    return erased
  })
}

/** Whoever asks about people need not be one who may see where webhooks lead. */
const withoutPath = (row: JsonObject): JsonObject => {
  const { url } = (row.config ?? {}) as JsonObject
  return typeof url === "string" ? { ...row, config: { url: leadsTo(url) } } : row
}

/** Everything kept that names somebody, a page at a time. */
export async function* rowsNaming(
  database: Database,
  scope: TenantId,
  names: readonly string[],
): AsyncGenerator<NamingRow> {
  const stand: Person = { names, pseudonym: "" }
  for (const table of NAMING_TABLES)
    for (let after: JsonObject | null = null; ; ) {
      const page: JsonObject[] = await withTenant(database, scope, (tx) =>
        pageOf(tx, table, names, { after, limit: PAGE, lock: false }),
      )
      for (const row of page)
        if (canonical(withoutReason(table, row, stand)) !== canonical(row))
          yield { table: table.name, row: withoutPath(row) }
      if (page.length < PAGE) break
      after = page.at(-1)!
    }
  yield* rowsOfUser(database, scope, names)
}

/** An entry that somebody stands in. */
export interface EntryNaming {
  seq: number
  at: Instant
  body: Json
}

/** Entries of the audit that somebody stands in, as they were hashed. */
export async function* entriesNaming(
  database: Database,
  scope: TenantId,
  names: readonly string[],
): AsyncGenerator<EntryNaming> {
  for (let after = 0; ; ) {
    const page: EntryNaming[] = await withTenant(database, scope, async (tx) => {
      const rows = await tx.db.execute<{ seq: string; at: string; body: string }>(sql`
        with called as (select jsonb_array_elements_text(${JSON.stringify(names)}::jsonb) as name), known as (
          select name from called union
          select p.pseudonym from hotswap.audit_people p join called on p.subject = name where p.tenant_id = ${scope})
        select seq, hotswap.instant(at) as at, body from hotswap.audit_entries
        where tenant_id = ${scope} and seq > ${after}
          and (actor in (select name from known) or body::jsonb #>> '{detail,subject}' in (select name from known))
        order by seq limit ${PAGE}`)
      return rows.map(({ seq, at, body }) => ({ seq: Number(seq), at, body: JSON.parse(body) as Json }))
    })
    yield* page
    if (page.length < PAGE) return
    after = page.at(-1)!.seq
  }
}
