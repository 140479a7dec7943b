import { and, asc, desc, eq, getTableColumns, gt, isNull, lt, lte, or, sql } from "drizzle-orm"
import type { AuditBody } from "../../core/audit/entry.ts"
import type { Instant } from "../../core/change/change.ts"
import type { NoticeType } from "../../core/change/notice.ts"
import type { Environment } from "../../core/environment.ts"
import type { ChangeId, ScopeId } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import type { Database } from "../client.ts"
import { auditEntries } from "../schema/audit.ts"
import { channels, deliveries } from "../schema/notifications.ts"
import { type TenantTx, withTenant } from "../tenant.ts"
import { appendAudit } from "./audit.ts"
import { type Remember, remember } from "./replies.ts"

/** Where a scope wants to be told of its changes. */
export interface Channel {
  tenantId: ScopeId
  /** A UUID. */
  channelId: string
  /** `null`: all of them. */
  environment: Environment | null
  type: "webhook" | "slack" | "email"
  config: JsonObject
  secret: string | null
  /** `null`: whatever happens. */
  events: NoticeType[] | null
  createdAt: Instant
  createdBy: string
}

export type NewChannel = Omit<Channel, "tenantId" | "createdAt">
/** What may be altered of a channel; what is left out stays. */
export type ChannelPatch = Partial<Pick<Channel, "environment" | "config" | "secret" | "events">>

/** One message to one channel. */
export interface Delivery {
  tenantId: ScopeId
  /** A UUID that rises with time. */
  deliveryId: string
  channelId: string
  environment: Environment
  type: NoticeType
  changeId: ChangeId
  detail: JsonObject
  at: Instant
  state: "pending" | "delivered" | "dead"
  /** How often it was taken. */
  attempts: number
  /** Not before this, while it is pending; `null`: at once. */
  dueAt: Instant | null
  lastError: string | null
  settledAt: Instant | null
}

/** What became of an attempt. */
export type DeliveryOutcome =
  | { state: "delivered"; at: Instant }
  | { state: "pending"; dueAt: Instant; error: string }
  | { state: "dead"; at: Instant; error: string }

export const CHANNELS_MAX = 20

/** What sealed its secret stands in the secret itself. */
const { generation: _generation, ...channelColumns } = getTableColumns(channels)
const ownChannel = (scope: ScopeId, channelId: string) =>
  and(eq(channels.tenantId, scope), eq(channels.channelId, channelId))
const ownDelivery = (scope: ScopeId, deliveryId: string) =>
  and(eq(deliveries.tenantId, scope), eq(deliveries.deliveryId, deliveryId))

/** Oldest first. */
export const listChannels = (database: Database, scope: ScopeId): Promise<Channel[]> =>
  withTenant(database, scope, async (tx) => {
    const rows = await tx.db
      .select(channelColumns)
      .from(channels)
      .where(eq(channels.tenantId, scope))
      .orderBy(asc(channels.createdAt), asc(channels.channelId))
    return rows as Channel[]
  })

/** `too_many`: the scope has {@link CHANNELS_MAX}; nothing was written. Throws `KeyTaken`. */
export const insertChannel = (
  database: Database,
  scope: ScopeId,
  channel: NewChannel,
  audit: AuditBody,
  reply?: Remember<Channel>,
): Promise<{ kind: "inserted"; channel: Channel } | { kind: "too_many" }> =>
  withTenant(database, scope, async (tx) => {
    // Lock before counting: two who add the last one must not both find room.
    await tx.db.execute(sql`select pg_advisory_xact_lock(hotswap.scope_lock(${scope}, '~channels'))`)
    if ((await tx.db.$count(channels, eq(channels.tenantId, scope))) >= CHANNELS_MAX)
      return { kind: "too_many" }
    const [row] = await tx.db
      .insert(channels)
      .values({ ...channel, tenantId: scope })
      .returning(channelColumns)
    await appendAudit(tx, [audit])
    await remember(tx, reply, row as Channel)
    return { kind: "inserted", channel: row as Channel }
  })

/** `null`: there is no such channel, and nothing was written. Throws `KeyTaken`. */
export const updateChannel = (
  database: Database,
  scope: ScopeId,
  channelId: string,
  patch: ChannelPatch,
  audit: AuditBody,
  reply?: Remember<Channel>,
): Promise<Channel | null> =>
  withTenant(database, scope, async (tx) => {
    const [row] = await tx.db
      .update(channels)
      .set(patch)
      .where(ownChannel(scope, channelId))
      .returning(channelColumns)
    if (!row) return null
    await appendAudit(tx, [audit])
    await remember(tx, reply, row as Channel)
    return row as Channel
  })

/** What was still to be delivered to it is dead. `false`: there is no such channel. */
export const deleteChannel = (
  database: Database,
  scope: ScopeId,
  channelId: string,
  audit: AuditBody,
): Promise<boolean> =>
  withTenant(database, scope, async (tx) => {
    const gone = await tx.db.delete(channels).where(ownChannel(scope, channelId)).returning()
    if (gone.length === 0) return false
    const pending = and(eq(deliveries.tenantId, scope), eq(deliveries.channelId, channelId))
    await tx.db
      .update(deliveries)
      .set(CHANNEL_GONE)
      .where(and(pending, eq(deliveries.state, "pending")))
    await appendAudit(tx, [audit])
    return true
  })

/** Test messages within a minute: to one channel, and to all of a scope, as channels are soon made anew. */
export const TESTS_MAX = 5
export const SCOPE_TESTS_MAX = 20

/**
 * To be called before a test message is sent: its audit entry is what the next ones are counted by. `too_many`: within
 * the last minute there were as many as there may be, and nothing was written.
 */
export const admitTest = (
  database: Database,
  scope: ScopeId,
  audit: AuditBody,
): Promise<"admitted" | "too_many"> =>
  withTenant(database, scope, async (tx) => {
    await tx.db.execute(sql`select pg_advisory_xact_lock(hotswap.scope_lock(${scope}, '~channels'))`)
    const { tenantId, at, action, target } = auditEntries
    const isRecent = gt(at, sql`clock_timestamp() - interval '1 minute'`)
    const recent = await tx.db
      .select({ target })
      .from(auditEntries)
      .where(and(eq(tenantId, scope), isRecent, eq(action, audit.action)))
    const ofChannel = recent.filter((test) => test.target === audit.target)
    if (ofChannel.length >= TESTS_MAX || recent.length >= SCOPE_TESTS_MAX) return "too_many"
    await appendAudit(tx, [audit])
    return "admitted"
  })

const CHANNEL_GONE = {
  state: "dead" as const,
  dueAt: null,
  lastError: "The channel was deleted.",
  settledAt: sql`clock_timestamp()`,
}

/** Newest first; `before` is the last one of the page before. */
export const listDeliveries = (
  database: Database,
  scope: ScopeId,
  { state, before, limit }: { state?: Delivery["state"]; before?: string; limit: number },
): Promise<Delivery[]> =>
  withTenant(database, scope, async (tx) => {
    const fits = and(
      eq(deliveries.tenantId, scope),
      state === undefined ? undefined : eq(deliveries.state, state),
      before === undefined ? undefined : lt(deliveries.deliveryId, before),
    )
    const rows = await tx.db
      .select(getTableColumns(deliveries))
      .from(deliveries)
      .where(fits)
      .orderBy(desc(deliveries.deliveryId))
      .limit(limit)
    return rows as Delivery[]
  })

/**
 * A delivery that is due at `now`, with its channel, for whoever takes it first: until `leaseUntil` nobody else gets
 * it. `attempts` counts this one. `null`: it is not due, or settled, or its channel is gone.
 */
export const takeDelivery = (
  database: Database,
  scope: ScopeId,
  deliveryId: string,
  now: Instant,
  leaseUntil: Instant,
): Promise<{ delivery: Delivery; channel: Channel } | null> =>
  withTenant(database, scope, async (tx) => {
    const isDue = or(isNull(deliveries.dueAt), lte(deliveries.dueAt, now))
    const [taken] = await tx.db
      .update(deliveries)
      .set({ attempts: sql`${deliveries.attempts} + 1`, dueAt: leaseUntil })
      .where(and(ownDelivery(scope, deliveryId), eq(deliveries.state, "pending"), isDue))
      .returning()
    if (!taken) return null
    const channel = await findChannel(tx, taken.channelId)
    if (channel) return { delivery: taken as Delivery, channel }
    await tx.db.update(deliveries).set(CHANNEL_GONE).where(ownDelivery(scope, deliveryId))
    return null
  })

const findChannel = async (tx: TenantTx, channelId: string): Promise<Channel | null> => {
  const [row] = await tx.db.select(channelColumns).from(channels).where(ownChannel(tx.scope, channelId))
  return (row as Channel | undefined) ?? null
}

/** Writes down what became of an attempt; a delivery that is settled already stays as it is. */
export const settleDelivery = (
  database: Database,
  scope: ScopeId,
  deliveryId: string,
  outcome: DeliveryOutcome,
): Promise<void> =>
  withTenant(database, scope, async (tx) => {
    const isPending = and(ownDelivery(scope, deliveryId), eq(deliveries.state, "pending"))
    await tx.db.update(deliveries).set(settledAs(outcome)).where(isPending)
  })

const settledAs = (outcome: DeliveryOutcome) => {
  switch (outcome.state) {
    case "delivered":
      return { state: outcome.state, dueAt: null, lastError: null, settledAt: outcome.at }
    case "dead":
      return { state: outcome.state, dueAt: null, lastError: outcome.error, settledAt: outcome.at }
    case "pending":
      return { dueAt: outcome.dueAt, lastError: outcome.error }
  }
}

/**
 * Has a dead delivery tried again, at once and as often as a new one. `missing`: there is none. `not_dead`: it is
 * pending or delivered, or its channel is gone. Nothing is written in either case. `within`: of this environment only. Throws `KeyTaken`.
 */
export const retryDelivery = (
  database: Database,
  scope: ScopeId,
  deliveryId: string,
  audit: AuditBody,
  { within = null, reply }: { within?: Environment | null; reply?: Remember<Delivery> | undefined } = {},
): Promise<{ kind: "retried"; delivery: Delivery } | { kind: "missing" } | { kind: "not_dead" }> =>
  withTenant(database, scope, async (tx) => {
    const [found] = await tx.db
      .select(getTableColumns(deliveries))
      .from(deliveries)
      .where(ownDelivery(scope, deliveryId))
      .for("update")
    if (!found || (within !== null && found.environment !== within)) return { kind: "missing" }
    if (found.state !== "dead" || !(await findChannel(tx, found.channelId))) return { kind: "not_dead" }
    const [row] = await tx.db
      .update(deliveries)
      .set({ state: "pending", attempts: 0, dueAt: null, settledAt: null })
      .where(ownDelivery(scope, deliveryId))
      .returning()
    await appendAudit(tx, [audit])
    await remember(tx, reply, row as Delivery)
    return { kind: "retried", delivery: row as Delivery }
  })
