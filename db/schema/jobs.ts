import { sql } from "drizzle-orm"
import {
  boolean,
  check,
  foreignKey,
  index,
  integer,
  jsonb,
  primaryKey,
  text,
  uuid,
} from "drizzle-orm/pg-core"
import type { JobKind, JobOwner, JobProgress, JobState } from "../../core/job/job.ts"
import type { JsonObject } from "../../core/json.ts"
import type { ProblemDocument } from "../../core/problem.ts"
import { instant, tenantId } from "./columns.ts"
import { ownRows, systemRows } from "./policies.ts"
import { hotswap } from "./schema.ts"
import { tenants } from "./tenants.ts"

/** What takes longer than a request: asked for, done in the background, and told of. Of the platform's, the scope is `~platform`. */
export const jobs = hotswap.table(
  "jobs",
  {
    tenantId: tenantId(),
    /** Rises with time. */
    jobId: uuid("job_id").notNull().default(sql`uuidv7()`),
    kind: text("kind").$type<JobKind>().notNull(),
    params: jsonb("params").$type<JsonObject>().notNull(),
    state: text("state").$type<JobState>().notNull().default("queued"),
    progress: jsonb("progress").$type<JobProgress>().notNull().default({}),
    /** What the next attempt goes on from; told to nobody. */
    checkpoint: jsonb("checkpoint").$type<JsonObject>().notNull().default({}),
    result: jsonb("result").$type<JsonObject>(),
    problem: jsonb("problem").$type<ProblemDocument>(),
    createdAt: instant("created_at").notNull().default(sql`clock_timestamp()`),
    /** In whose name it is done. */
    createdBy: jsonb("created_by").$type<JobOwner>().notNull(),
    /** Not before this. */
    dueAt: instant("due_at").notNull().default(sql`clock_timestamp()`),
    /** Who works on it says so until then; past it anybody may go on. */
    leaseUntil: instant("lease_until"),
    worker: uuid("worker"),
    /** How often it was begun without coming further. */
    attempts: integer("attempts").notNull().default(0),
    cancelRequested: boolean("cancel_requested").notNull().default(false),
    startedAt: instant("started_at"),
    endedAt: instant("ended_at"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.jobId] }),
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    check("jobs_state_known", sql`${t.state} in ('queued', 'running', 'succeeded', 'failed', 'cancelled')`),
    check(
      "jobs_ended",
      sql`(${t.state} in ('succeeded', 'failed', 'cancelled')) = (${t.endedAt} is not null)`,
    ),
    check("jobs_problem", sql`(${t.state} = 'failed') = (${t.problem} is not null)`),
    index("jobs_open").on(t.dueAt).where(sql`${t.state} in ('queued', 'running')`),
    index("jobs_failed").on(t.endedAt).where(sql`${t.state} = 'failed'`),
    index("jobs_over").on(t.endedAt).where(sql`${t.endedAt} is not null`),
    index("jobs_listed").on(t.tenantId, t.kind, t.jobId),
    ownRows(t.tenantId),
    // Its grants show it which there are and when they are due, not what they are about.
    systemRows(),
    systemRows("delete"),
  ],
)
