import type { Instant } from "../../core/change/change.ts"
import { toInstant } from "../instant.ts"
import type { TenantTx } from "../tenant.ts"
import { textQuery } from "../text-query.ts"

/** What tells, without reading them, whether rows have changed. */
export interface Signals {
  at: Instant
  schemaVersion: number
  revisions: Record<string, number>
  /** Of each archived table; it differs when a row does. */
  tables: Record<string, string>
}

/** All rows of a small table, as one hash. */
const all = (table: string, order: string) =>
  `(select encode(sha256(convert_to(coalesce(string_agg(row_to_json(t)::text, E'\\n' order by ${order}), ''), 'UTF8')), 'hex')
    from hotswap.${table} t where t.tenant_id = $1)`

/**
 * Everything a person or a rollout does is in the audit, and every commit raises its head's `rev`, in one transaction with the
 * rows it writes. What is altered besides (how often the clock has looked at a change, keys wrapped anew, secrets sealed anew,
 * checkpoints that are signed later) is asked for by itself. What backups and jobs tell of themselves does not count: they alter
 * no row that is archived, and each nightly backup would make the next one necessary. The tables of the audit are of one instant
 * for that reason: a checkpoint may be signed of entries that do not count, and would be of none if they were not read with it.
 */
const signalsQuery = textQuery<{ found: Record<string, unknown> | null }>(
  `with heads as materialized (
    select h.environment, h.rev, (select max(p.seq) from hotswap.pointers p
      where p.tenant_id = h.tenant_id and p.environment = h.environment) as seq
    from hotswap.heads h where h.tenant_id = $1),
  told as materialized (
    select e.seq, e.hash from hotswap.audit_entries e
    where e.tenant_id = $1 and e.action not like 'backup.%' and e.action not like 'job.%'
    order by e.seq desc limit 1),
  commits as (select (select coalesce(json_agg(h order by h.environment), '[]') from heads h)::text
    || (select coalesce(json_agg(t), '[]') from told t)::text as text),
  dropped as (select (select coalesce(max(d.through), 0) from hotswap.audit_drops d where d.tenant_id = $1)::text as text),
  audit as (select (select text from dropped) || (select coalesce(json_agg(t), '[]') from told t)::text
    || coalesce((select min(k.size) from hotswap.audit_checkpoints k
      where k.tenant_id = $1 and k.size >= (select seq from told))::text, '') as text)
  select case when exists (select from hotswap.tenants where tenant_id = $1) then json_build_object(
    'at', clock_timestamp(),
    'schemaVersion', (select count(*) - 1 from hotswap_migrations.__drizzle_migrations),
    'revisions', (select coalesce(json_object_agg(environment, coalesce(seq, 0)), '{}') from heads),
    'tables', json_build_object(
      'tenants', ${all("tenants", "t.tenant_id")},
      'external_ids', ${all("external_ids", `t.external_id collate "C"`)},
      'heads', ${all("heads", `t.environment collate "C"`)},
      'chunks', (select text from commits),
      'releases', (select text from commits),
      'pointers', (select text from commits),
      'config_versions', (select text from commits),
      'changes', (select text from commits) || (select coalesce(json_agg(json_build_array(c.change_id, c.looks)
          order by c.change_id), '[]') from hotswap.changes c where c.tenant_id = $1 and c.pending)::text,
      'data_keys', ${all("data_keys", `t.realm collate "C", t.generation`)},
      'secret_values', (select json_build_array(count(*), max(s.at), sum(s.generation)) from hotswap.secret_values s
          where s.tenant_id = $1)::text,
      'channels', ${all("channels", "t.channel_id")},
      'audit_keys', ${all("audit_keys", "t.tenant_id")},
      'audit_people', ${all("audit_people", `t.pseudonym collate "C"`)},
      'audit_entries', (select text from audit),
      'audit_heads', (select text from audit),
      'audit_checkpoints', (select text from audit),
      'audit_drops', (select text from dropped),
      'audit_retention', ${all("audit_retention", "t.tenant_id")},
      'report_reviews', ${all("report_reviews", "t.review_id")})) end as found`,
  ["scope"],
)

/** One round trip. `null`: there is no such scope. */
export const signals = async (tx: TenantTx): Promise<Signals | null> => {
  const [row] = await tx.run(signalsQuery, { scope: tx.scope })
  const found = row?.found as (Omit<Signals, "at"> & { at: string }) | null | undefined
  return found ? { ...found, at: toInstant(found.at) } : null
}
