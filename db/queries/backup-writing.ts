import { getTableColumns } from "drizzle-orm"
import type { AuditBody } from "../../core/audit/entry.ts"
import { apart } from "../../core/audit/people.ts"
import type { ScopeId } from "../../core/ids.ts"
import { BACKUPS } from "../../core/secret/place.ts"
import type { Database } from "../client.ts"
import { backups } from "../schema/backups.ts"
import { askTenant, type TenantTx } from "../tenant.ts"
import { textQuery } from "../text-query.ts"
import { heldSchedule } from "./backup-schedules.ts"
import { type ScopeState, scopeState } from "./backup-snapshot.ts"
import type { BackupDone, BackupRow, NewBackup } from "./backups.ts"
import type { StoredKey } from "./secrets.ts"

// The two transactions around an archive of a scope's own. Each sends all it has to say at once: of a fleet of small tenants that
// have not changed, asking is what a backup costs.

type Found = Record<string, unknown>

const heldQuery = textQuery<{ isFree: boolean }>(
  `select coalesce(removing_until <= clock_timestamp(), true) as "isFree"
  from hotswap.backup_schedules where tenant_id = $1 for no key update`,
  ["scope"],
)

const hex = (name: string) => `encode(b.${name}, 'hex')`
const HASHES = ["fingerprint", "manifest_hash"]
/** A row as JSON, in which hashes are hex. */
const ROW = `to_jsonb(b) || jsonb_build_object(${HASHES.map((name) => `'${name}', ${hex(name)}`).join(", ")})`

/**
 * After {@link heldQuery}, as a statement of its own: what retention did while the lock was waited for is seen. Where parts are being
 * taken away, or the scope is deleted, nothing is written.
 */
const begunQuery = textQuery<{
  mayWrite: boolean
  own: Found | null
  last: Found | null
  key: Found | null
}>(
  `with allowed as materialized (
    select from hotswap.backup_schedules s join hotswap.tenants t on t.tenant_id = s.tenant_id
    where s.tenant_id = $1 and t.status <> 'deleted' and coalesce(s.removing_until <= clock_timestamp(), true)),
  begun as (
    insert into hotswap.backups as b (tenant_id, backup_id, source, origin, state, created_by, job_id)
    select $1, $2::text::uuid, $1, $3, 'writing', $4, $5::text::uuid from allowed
    on conflict do nothing returning b.backup_id)
  select exists (select from allowed) as "mayWrite",
    (select ${ROW} from hotswap.backups b where b.tenant_id = $1 and b.backup_id = $2::text::uuid) as own,
    (select ${ROW} from (select * from hotswap.backups k
      where k.tenant_id = $1 and k.source = $1 and k.state = 'complete' and k.origin in ('requested', 'scheduled')
        and k.backup_id < $2::text::uuid order by k.backup_id desc limit 1) b) as last,
    (select jsonb_build_object('generation', k.generation, 'wrapped', encode(k.wrapped, 'hex'), 'wrappedBy', k.wrapped_by)
      from hotswap.data_keys k where k.tenant_id = $1 and k.realm = '${BACKUPS}'
      order by k.generation desc limit 1) as key`,
  ["scope", "backupId", "origin", "createdBy", "jobId"],
)

const columns = Object.entries(getTableColumns(backups))

const rowOf = (found: Found): BackupRow =>
  Object.fromEntries(
    columns.map(([name, column]) => {
      const value = found[column.name] ?? null
      const isPlain = value === null || HASHES.includes(column.name)
      return [name, isPlain ? value : column.mapFromDriverValue(value)]
    }),
  ) as unknown as BackupRow

const keyOf = ({ generation, wrapped, wrappedBy }: Found): StoredKey => ({
  generation: generation as number,
  wrapped: wrapped === null ? null : Buffer.from(wrapped as string, "hex"),
  wrappedBy: wrappedBy as string,
})

export interface WritingBegun {
  /** As it was begun before; `null`: by this very call. */
  before: BackupRow | null
  /** The last whole archive of the scope's that was made here before it. */
  last: BackupRow | null
  state: ScopeState
  /** What archives of the scope are sealed with; `null`: it has none yet. */
  key: StoredKey | null
}

/**
 * That an archive of the scope is being written, and what the scope is like. One that was begun before is what it was. From then on
 * nothing is taken away until the row `writing` is complete or its job has ended. `"later"`: what nobody needs is just being taken away
 * there, and a part that is reused might go with it; try again soon. `"missing"`: there is no such scope, or it was deleted.
 */
export const beginArchive = (
  database: Database,
  scope: ScopeId,
  { backupId, origin, createdBy, jobId }: NewBackup,
): Promise<WritingBegun | "later" | "missing"> => {
  const ask = (tx: TenantTx) =>
    Promise.all([
      tx.run(heldQuery, { scope }),
      tx.run(begunQuery, { scope, backupId, origin, createdBy, jobId }),
      scopeState(tx),
    ])
  return askTenant(database, scope, ask, async (tx, asked) => {
    let [[held], [begun], state] = asked
    if (!state) return "missing"
    if (!held) {
      await heldSchedule(tx)
      ;[[held], [begun], state] = await ask(tx)
    }
    if (!held || !begun || !state) return "missing"
    if (!begun.mayWrite) return held.isFree ? "missing" : "later"
    return {
      before: begun.own && rowOf(begun.own),
      last: begun.last && rowOf(begun.last),
      state,
      key: begun.key && keyOf(begun.key),
    }
  })
}

const DONE = `at = ($3::text::jsonb ->> 'at')::timestamptz, schema_version = ($3::text::jsonb ->> 'schemaVersion')::int,
  revision = $3::text::jsonb ->> 'revision', fingerprint = decode($3::text::jsonb ->> 'fingerprint', 'hex'),
  manifest_hash = decode($3::text::jsonb ->> 'manifestHash', 'hex'), row_counts = $3::text::jsonb -> 'rowCounts',
  parts = ($3::text::jsonb ->> 'parts')::int, plain_bytes = ($3::text::jsonb ->> 'plainBytes')::bigint,
  packed_bytes = ($3::text::jsonb ->> 'packedBytes')::bigint, written_bytes = ($3::text::jsonb ->> 'writtenBytes')::bigint,
  locations = $3::text::jsonb -> 'locations'`

/** First, as whoever takes archives away holds it before their rows, too. */
const notedQuery = textQuery(
  `update hotswap.backup_schedules set last_at = greatest(last_at, $2::text::timestamptz), failures = 0
  where tenant_id = $1`,
  ["scope", "at"],
)

const endedQuery = textQuery<{ kept: Found }>(
  `with kept as (
    update hotswap.backups b set state = 'complete', ${DONE}
    where b.tenant_id = $1 and b.backup_id = $2::text::uuid and b.state = 'writing' returning ${ROW} as kept)
  select kept, hotswap.append_audit($1, $4::text::jsonb, clock_timestamp()) from kept`,
  ["scope", "backupId", "done", "audit"],
)

/**
 * That it is whole, and that the scope has one of that instant, where `hold` lets it; that is asked first. `null`: it is not being written
 * any more.
 */
export const endArchive = (
  database: Database,
  scope: ScopeId,
  { backupId, done, audit }: { backupId: string; done: BackupDone; audit: AuditBody },
  hold: (tx: TenantTx) => Promise<void>,
): Promise<BackupRow | null> =>
  askTenant(
    database,
    scope,
    (tx) =>
      Promise.all([
        hold(tx),
        tx.run(notedQuery, { scope, at: done.at }),
        tx.run(endedQuery, {
          scope,
          backupId,
          done: JSON.stringify(done),
          audit: JSON.stringify([apart(audit)]),
        }),
      ]),
    async (_tx, [, , [row]]) => (row ? rowOf(row.kept) : null),
  )
