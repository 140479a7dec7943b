import { sql } from "drizzle-orm"
import {
  bigint,
  boolean,
  date,
  doublePrecision,
  foreignKey,
  index,
  integer,
  jsonb,
  primaryKey,
  text,
  uuid,
} from "drizzle-orm/pg-core"
import type { JsonObject } from "../../core/json.ts"
import type { EventType } from "../../core/usage/event.ts"
import type { TenantMetric } from "../../core/usage/metrics.ts"
import { hash, instant, tenantId } from "./columns.ts"
import { ownRows, systemRows, systemWrites } from "./policies.ts"
import { hotswap } from "./schema.ts"
import { tenants } from "./tenants.ts"

const count = (name: string) => bigint(name, { mode: "number" }).notNull().default(0)
const sum = (name: string) => doublePrecision(name).notNull().default(0)

/** What happened at a tenant, as it was told. */
export const tenantEvents = hotswap.table(
  "tenant_events",
  {
    tenantId: tenantId(),
    /** Whoever tells it gives it its id: told again, it is kept once. */
    eventId: text("event_id").notNull(),
    type: text("type").$type<EventType>().notNull(),
    at: instant("at").notNull(),
    receivedAt: instant("received_at").notNull().default(sql`clock_timestamp()`),
    /** Whom it is about. Nowhere else in the row. */
    userId: text("user_id"),
    data: jsonb("data").$type<JsonObject>().notNull(),
    /** It is in the statistics. */
    counted: boolean("counted").notNull().default(false),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.eventId] }),
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    index("tenant_events_uncounted").on(t.receivedAt).where(sql`not ${t.counted}`),
    index("tenant_events_old").on(t.receivedAt),
    index("tenant_events_of_user").on(t.tenantId, t.userId).where(sql`${t.userId} is not null`),
    ownRows(t.tenantId),
    ...systemWrites(),
    systemRows("delete"),
  ],
)

/** What of each kind happened within ten minutes. */
export const usageSlots = hotswap.table(
  "usage_slots",
  {
    tenantId: tenantId(),
    slot: instant("slot").notNull(),
    kind: text("kind").$type<EventType>().notNull(),
    count: count("count"),
    failed: count("failed"),
    amountCents: count("amount_cents"),
    durationMs: sum("duration_ms"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.slot, t.kind] }),
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    index("usage_slots_old").on(t.slot),
    ownRows(t.tenantId),
    ...systemWrites(),
    systemRows("delete"),
  ],
)

/** Requests alike within a day, and who made them. */
export const usageRequests = hotswap.table(
  "usage_requests",
  {
    tenantId: tenantId(),
    day: date("day").notNull(),
    route: text("route").notNull(),
    method: text("method").notNull(),
    status: integer("status").notNull(),
    /** Empty where nobody is named. */
    userId: text("user_id").notNull(),
    count: count("count"),
    durationMs: sum("duration_ms"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.day, t.route, t.method, t.status, t.userId] }),
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    index("usage_requests_old").on(t.day),
    ownRows(t.tenantId),
    ...systemWrites(),
    systemRows("delete"),
  ],
)

/** Who was there on which day: a digest of their name, enough to count them. */
export const usageUsers = hotswap.table(
  "usage_users",
  {
    tenantId: tenantId(),
    day: date("day").notNull(),
    userKey: hash("user_key").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.day, t.userKey] }),
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    index("usage_users_of_key").on(t.tenantId, t.userKey),
    index("usage_users_old").on(t.day),
    ownRows(t.tenantId),
    ...systemWrites(),
    systemRows("delete"),
  ],
)

/** What a metric has come to since it was first counted. Of tenants without a label of their own: under their tier. */
export const usageMetrics = hotswap.table(
  "usage_metrics",
  {
    tenantId: tenantId(),
    metric: text("metric").$type<TenantMetric>().notNull(),
    /** The values of its labels as a JSON list, in the metric's own order. */
    labels: text("labels").notNull(),
    /** Of a histogram: the sum. */
    value: sum("value"),
    buckets: bigint("buckets", { mode: "number" }).array(),
    /** Of a gauge: from then on it is 0. */
    until: instant("until"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.metric, t.labels] }),
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    index("usage_metrics_scraped").on(t.metric, t.tenantId, t.labels),
    ownRows(t.tenantId),
    ...systemWrites(),
  ],
)

/** What is remembered of a tenant between one counting and the next. */
export const usageMeters = hotswap.table(
  "usage_meters",
  {
    tenantId: tenantId().primaryKey(),
    /** Its metrics are told by its name. */
    labelled: boolean("labelled").notNull().default(false),
    windowAt: instant("window_at"),
    refused: integer("refused").notNull().default(0),
    told: boolean("told").notNull().default(false),
    measuredAt: instant("measured_at"),
  },
  (t) => [
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    index("usage_meters_labelled").on(t.measuredAt).where(sql`${t.labelled}`),
    ownRows(t.tenantId),
    ...systemWrites(),
  ],
)

/** How far each instance of a function was counted. The platform's rows. */
export const usageSources = hotswap.table(
  "usage_sources",
  {
    tenantId: tenantId(),
    instance: uuid("instance").notNull(),
    seq: bigint("seq", { mode: "number" }).notNull(),
    at: instant("at").notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.instance] }),
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    ownRows(t.tenantId),
    ...systemWrites(),
    systemRows("delete"),
  ],
)
