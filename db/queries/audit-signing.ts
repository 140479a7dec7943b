import { sql } from "drizzle-orm"
import type { Instant } from "../../core/change/change.ts"
import type { ScopeId } from "../../core/ids.ts"
import type { Database } from "../client.ts"
import { toInstant } from "../instant.ts"

// As the role `hotswap_system`, across tenants: its grants show it the hashes and times of entries, none of their words.

/** A chain that is longer than what was signed of it. */
export interface GrownChain {
  scope: ScopeId
  seq: number
  /** How much of it is signed. */
  signed: number
}

/** Those first that were signed longest ago. */
export const grownChains = (system: Database, limit: number): Promise<GrownChain[]> =>
  system.transaction(async ({ db }) => {
    const rows = await db.execute<{ scope: ScopeId; seq: string; signed: string }>(sql`
      select h.tenant_id as scope, h.seq, coalesce(c.size, 0) as signed from hotswap.audit_heads h
      left join lateral (select k.size, k.at from hotswap.audit_checkpoints k where k.tenant_id = h.tenant_id
        order by k.size desc limit 1) c on true
      where h.seq > coalesce(c.size, 0) order by c.at nulls first, h.tenant_id limit ${limit}`)
    return rows.map(({ scope, seq, signed }) => ({ scope, seq: Number(seq), signed: Number(signed) }))
  })

/** What the next checkpoint of a chain goes on from. */
export const signedSoFar = (
  system: Database,
  scope: ScopeId,
): Promise<{ size: number; note: string; frontier: Uint8Array } | null> =>
  system.transaction(async ({ db }) => {
    const [row] = await db.execute<{ size: string; note: string; frontier: Uint8Array }>(sql`
      select size, note, frontier from hotswap.audit_checkpoints where tenant_id = ${scope}
      order by size desc limit 1`)
    return row ? { size: Number(row.size), note: row.note, frontier: row.frontier } : null
  })

/** Hashes of a chain's entries, oldest first. */
export const entryHashes = (
  system: Database,
  scope: ScopeId,
  { after, limit }: { after: number; limit: number },
): Promise<{ seq: number; hash: Uint8Array; at: Instant }[]> =>
  system.transaction(async ({ db }) => {
    const rows = await db.execute<{ seq: string; hash: Uint8Array; at: string }>(sql`
      select seq, hash, at from hotswap.audit_entries where tenant_id = ${scope} and seq > ${after}
      order by seq limit ${limit}`)
    return rows.map(({ seq, hash, at }) => ({ seq: Number(seq), hash, at: toInstant(at) }))
  })

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

/** `false`: somebody else was first. */
export const addCheckpoint = (
  system: Database,
  scope: ScopeId,
  {
    size,
    after,
    note,
    frontier,
    hashes,
  }: { size: number; after: number; note: string; frontier: Uint8Array; hashes: Uint8Array },
): Promise<boolean> =>
  system.transaction(async ({ db }) => {
    const rows = await db.execute(sql`
      insert into hotswap.audit_checkpoints (tenant_id, size, after, note, frontier, hashes)
      values (${scope}, ${size}, ${after}, ${note}, decode(${hex(frontier)}, 'hex'), decode(${hex(hashes)}, 'hex'))
      on conflict do nothing returning size`)
    return rows.length === 1
  })

export interface Droppable {
  scope: ScopeId
  /** The size of the checkpoint that covers what is to go. */
  through: number
  note: string
}

/** Dropped at once: the rest is for the next time. */
const DROP_MAX = 20_000

/** Chains of which a checkpoint covers only entries that are older than their scope keeps them. */
export const droppableChains = (system: Database, limit: number): Promise<Droppable[]> =>
  system.transaction(async ({ db }) => {
    const rows = await db.execute<{ scope: ScopeId; through: string; note: string }>(sql`
      select r.tenant_id as scope, c.size as through, c.note from hotswap.audit_retention r
      cross join lateral (select coalesce(max(d.through), 0) as through from hotswap.audit_drops d
        where d.tenant_id = r.tenant_id) gone
      cross join lateral (
        select k.size, k.note from hotswap.audit_checkpoints k
        join hotswap.audit_entries e on e.tenant_id = k.tenant_id and e.seq = k.size
        where k.tenant_id = r.tenant_id and k.size > gone.through and k.size <= gone.through + ${DROP_MAX}
          and e.at < now() - make_interval(days => r.days)
        order by k.size desc limit 1) c
      limit ${limit}`)
    return rows.map(({ scope, through, note }) => ({ scope, through: Number(through), note }))
  })

/** Drops the beginning of a chain and keeps the signed word of it: all or nothing. Returns how many entries. */
export const dropEntries = (system: Database, { scope, through, note }: Droppable): Promise<number> =>
  system.transaction(async ({ db }) => {
    await db.execute(sql`
      insert into hotswap.audit_drops (tenant_id, through, note) values (${scope}, ${through}, ${note})
      on conflict do nothing`)
    const rows = await db.execute(sql`
      delete from hotswap.audit_entries where tenant_id = ${scope} and seq <= ${through} returning seq`)
    const left = await db.execute(sql`
      select seq from hotswap.audit_entries where tenant_id = ${scope} and seq <= ${through} limit 1`)
    // The policy lets go only what is too old by what the scope says now: it may have said otherwise since it was asked.
    if (left.length > 0) throw new Error(`entries of ${scope} up to ${through} are to be kept after all`)
    return rows.length
  })
