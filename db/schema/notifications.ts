import { sql } from "drizzle-orm"
import { check, foreignKey, index, integer, jsonb, primaryKey, text, uuid } from "drizzle-orm/pg-core"
import type { NoticeType } from "../../core/change/notice.ts"
import type { JsonObject } from "../../core/json.ts"
import { environment, instant, tenantId } from "./columns.ts"
import { ownRows, systemRows } from "./policies.ts"
import { hotswap } from "./schema.ts"
import { tenants } from "./tenants.ts"

/** Where a scope wants to be told of its changes. */
export const channels = hotswap.table(
  "channels",
  {
    tenantId: tenantId(),
    channelId: uuid("channel_id").notNull(),
    /** `null`: all of them. */
    environment: text("environment"),
    type: text("type").$type<"webhook" | "slack" | "email">().notNull(),
    config: jsonb("config").$type<JsonObject>().notNull(),
    /** Sealed: `hs1.{generation}.{base64url}`. One that is not was kept before there were keys, and is sealed soon. */
    secret: text("secret"),
    /** Of the key that sealed it; 0: it is not sealed. What the system role may know of it. */
    generation: integer("generation").generatedAlwaysAs(
      sql`case when secret is null then null when secret like 'hs1.%' then split_part(secret, '.', 2)::int else 0 end`,
    ),
    /** `null`: whatever happens. */
    events: jsonb("events").$type<NoticeType[]>(),
    createdAt: instant("created_at").notNull().default(sql`clock_timestamp()`),
    createdBy: text("created_by").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.channelId] }),
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    check("channels_type_known", sql`${t.type} in ('webhook', 'slack', 'email')`),
    ownRows(t.tenantId),
    systemRows(),
  ],
)

/**
 * One message to one channel, left by the commit it tells of. Names its channel without a foreign key: a commit must
 * not fail because a channel is taken away at that moment.
 */
export const deliveries = hotswap.table(
  "deliveries",
  {
    tenantId: tenantId(),
    /** Rises with time. */
    deliveryId: uuid("delivery_id").notNull().default(sql`uuidv7()`),
    channelId: uuid("channel_id").notNull(),
    environment: environment(),
    type: text("type").$type<NoticeType>().notNull(),
    changeId: text("change_id").notNull(),
    detail: jsonb("detail").$type<JsonObject>().notNull(),
    at: instant("at").notNull(),
    state: text("state").$type<"pending" | "delivered" | "dead">().notNull().default("pending"),
    attempts: integer("attempts").notNull().default(0),
    /** Not before this; `null` while pending: at once. */
    dueAt: instant("due_at"),
    lastError: text("last_error"),
    settledAt: instant("settled_at"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.deliveryId] }),
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    check("deliveries_state_known", sql`${t.state} in ('pending', 'delivered', 'dead')`),
    // By scope first: one's backlog is not what another's turn is looked for behind.
    index("deliveries_due")
      .on(t.tenantId, t.dueAt.nullsFirst(), t.deliveryId)
      .where(sql`${t.state} = 'pending'`),
    index("deliveries_settled").on(t.settledAt).where(sql`${t.settledAt} is not null`),
    ownRows(t.tenantId),
    systemRows(),
    systemRows("delete"),
  ],
)
