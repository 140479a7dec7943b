import { sql } from "drizzle-orm"
import type { Environment } from "../../core/environment.ts"
import type { Tier } from "../../core/ids.ts"
import { EMPTY_CHUNK, EMPTY_RELEASE } from "../../core/release/compile.ts"
import { outbox } from "../schema/outbox.ts"
import { heads, pointers } from "../schema/pointers.ts"
import { chunks, releases } from "../schema/releases.ts"
import type { TenantTx } from "../tenant.ts"

/** A new tenant's first pointers: the empty release, everywhere. */
export const startPointers = async (tx: TenantTx, environments: readonly Environment[], tier: Tier) => {
  const own = { tenantId: tx.scope }
  const { id, manifest } = EMPTY_RELEASE
  await tx.db.insert(chunks).values({ ...own, chunkId: EMPTY_CHUNK.id, text: EMPTY_CHUNK.text })
  await tx.db.insert(releases).values({ ...own, releaseId: id, manifest })
  await tx.db.insert(heads).values(environments.map((environment) => ({ ...own, environment, rev: 1 })))
  const first = { ...own, seq: 1, at: sql`clock_timestamp()`, tier, stable: id, cause: "created" }
  await tx.db.insert(pointers).values(environments.map((environment) => ({ ...first, environment })))
  await markAll(tx, environments)
}

/** Voids what others have decided on the state until now, and keeps them out until the transaction ends. */
export const bumpHeads = async (tx: TenantTx, environments: readonly Environment[]) => {
  // One after the other, in one order: two who lock several must not wait for each other.
  for (const environment of [...environments].sort()) {
    await tx.db
      .insert(heads)
      .values({ tenantId: tx.scope, environment, rev: 1 })
      .onConflictDoUpdate({
        target: [heads.tenantId, heads.environment],
        set: { rev: sql`${heads.rev} + 1` },
      })
    await tx.db.execute(sql`select pg_advisory_xact_lock(hotswap.scope_lock(${tx.scope}, ${environment}))`)
  }
}

/**
 * The same releases as before, under another tier. Call {@link bumpHeads} first. An environment that was added to the
 * settings after the tenant was made has no pointer yet and gets one: a new tier counts from elsewhere, and only
 * where the tenant's own part has moved does a reader take that for newer.
 */
export const addTierPointers = async (tx: TenantTx, environments: readonly Environment[], tier: Tier) => {
  for (const environment of environments)
    await tx.db.execute(sql`
      insert into hotswap.pointers (tenant_id, environment, seq, at, tier, stable, stable_change_id,
        candidate_release, candidate_change_id, candidate_step, candidate_weight_bp, change_id, cause)
      select ${tx.scope}, ${environment}, coalesce(last.seq, 0) + 1,
        greatest(clock_timestamp(), last.at + interval '1 microsecond'), ${tier},
        coalesce(last.stable, ${EMPTY_RELEASE.id}), last.stable_change_id, last.candidate_release,
        last.candidate_change_id, last.candidate_step, last.candidate_weight_bp, null, 'tier'
      from (values (true)) one left join lateral (select * from hotswap.pointers p
        where p.tenant_id = ${tx.scope} and p.environment = ${environment} order by p.seq desc limit 1) last on true`)
}

export const markAll = async (tx: TenantTx, environments: readonly Environment[]) => {
  await tx.db
    .insert(outbox)
    .values(environments.map((environment) => ({ tenantId: tx.scope, environment })))
    .onConflictDoUpdate({
      target: [outbox.tenantId, outbox.environment],
      set: { mark: sql`excluded.mark`, at: sql`excluded.at` },
    })
}
