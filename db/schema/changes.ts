import { sql } from "drizzle-orm"
import { bigint, boolean, foreignKey, index, integer, jsonb, primaryKey, text } from "drizzle-orm/pg-core"
import type { Approval, ChangeContent, ChangeState, Comment } from "../../core/change/change.ts"
import { environment, instant, tenantId } from "./columns.ts"
import { ownRows, systemRows } from "./policies.ts"
import { hotswap } from "./schema.ts"
import { tenants } from "./tenants.ts"

/** Content is fixed when it is submitted: the grants let nobody update those columns. */
export const changes = hotswap.table(
  "changes",
  {
    tenantId: tenantId(),
    changeId: text("change_id").notNull(),
    environment: environment(),
    content: jsonb("content").$type<ChangeContent>().notNull(),
    /** murmur3 of every edited key: which chunk holds it follows from this and a release's bits. */
    keyHashes: bigint("key_hashes", { mode: "number" }).array().notNull(),
    state: text("state").notNull(),
    /** Something may still happen to it, or a review is owed: what every decision loads. */
    pending: boolean("pending").generatedAlwaysAs(
      sql`state in ('awaiting_approval', 'scheduled', 'rolling_out') or (status ? 'review' and not (status -> 'review') ? 'at')`,
    ),
    status: jsonb("status").$type<ChangeState>().notNull(),
    approvals: jsonb("approvals").$type<Approval[]>().notNull(),
    comments: jsonb("comments").$type<Comment[]>().notNull(),
    versions: jsonb("versions").$type<Record<string, number>>(),
    /** When the clock should look at it next. */
    dueAt: instant("due_at"),
    updatedAt: instant("updated_at").notNull(),
    /** How often the clock has looked at it since it last became something else. */
    looks: integer("looks").notNull().default(0),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.changeId] }),
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    index("changes_pending").on(t.tenantId, t.environment).where(sql`${t.pending}`),
    index("changes_listed").on(t.tenantId, t.state, t.changeId),
    index("changes_due").on(t.dueAt).where(sql`${t.dueAt} is not null`),
    ownRows(t.tenantId),
    systemRows(),
    systemRows("update"),
  ],
)
