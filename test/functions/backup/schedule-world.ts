import postgres from "postgres"
import type { ScopeId, TenantId } from "../../../core/ids.ts"
import { withTenant } from "../../../db/tenant.ts"
import type { RetainDeps } from "../../../functions/backup/retain.ts"
import { systemClock } from "../../../functions/platform/clock.ts"
import { systemIds } from "../../../functions/platform/ids.ts"
import type { Log } from "../../../functions/platform/log.ts"
import { createWorld, must } from "../manage/world.ts"
import { localMessenger } from "../notify/world.ts"
import { archiveWorld } from "./archive-world.ts"

/** Management, archives and what happens to them by itself. What the log says as an error is collected. */
export const scheduleWorld = async () => {
  const world = await createWorld({ messenger: { ...localMessenger(), checkUrl: async () => {} } })
  const archiving = archiveWorld(world, { ...world.platform, keyRing: world.platform.keyRing! })
  const owner = postgres(world.url("postgres"), { max: 2, fetch_types: false, onnotice: () => {} })
  const errors: { message: string; fields: Record<string, unknown> }[] = []
  const log: Log = {
    ...world.platform.log,
    error: (message, fields = {}) => {
      errors.push({ message, fields: { ...fields } })
    },
  }
  const retaining: RetainDeps = {
    db: world.app,
    system: world.system,
    archives: archiving.archives,
    clock: systemClock,
    log,
  }
  /** A planner's, without what wakes anybody. */
  const planning = {
    ...world.platform,
    ...archiving,
    log,
    clock: systemClock,
    cache: { forget: async () => 0 },
    system: world.system,
    queue: undefined,
  }
  return {
    ...world,
    archiving,
    owner,
    errors,
    retaining,
    planning: planning as never,
    put: (tenantId: string, key: string, value: unknown) =>
      must(
        world.call("POST", "/api/v1/changes", {
          body: {
            tenantId,
            environment: "Development",
            edits: [{ key, value }],
            strategy: { type: "direct" },
          },
        }),
        202,
      ),
    newTenant: async (tenantId: string, tier = "Free"): Promise<TenantId> => {
      await must(world.call("POST", "/api/v1/tenants", { body: { tenantId, name: tenantId, tier } }), 201)
      return tenantId as TenantId
    },
    backUp: async (scope: string, wish: Parameters<typeof archiving.backUp>[1] = {}) => {
      const made = await archiving.backUp(scope, wish)
      if (made === "later") throw new Error("parts are being removed")
      return made
    },
    backups: (scope: string) =>
      owner`select backup_id as id, state, at, held from hotswap.backups where tenant_id = ${scope} order by at`,
    schedule: async (scope: string) =>
      (await owner`select * from hotswap.backup_schedules where tenant_id = ${scope}`)[0],
    /** As if it were due. */
    makeDue: (scope: string) => owner`
      update hotswap.backup_schedules set next_due_at = now() - interval '1 minute' where tenant_id = ${scope}`,
    /** As if whoever takes parts away had died, and its time were over. */
    expireRemoving: (scope: string) =>
      owner`update hotswap.backup_schedules set removing_until = null where tenant_id = ${scope}`,
    /** A job of that scope that somebody is still to do. */
    openJob: async (scope: ScopeId, params: object, kind = "backup.validate") => {
      const jobId = systemIds.uuid()
      await owner`insert into hotswap.jobs (tenant_id, job_id, kind, params, created_by)
        values (${scope}, ${jobId}, ${kind}, ${owner.json(params as never)}, '{"subject":"x"}')`
      return jobId
    },
    endJob: (jobId: string, state: "succeeded" | "failed" | "cancelled") => owner`
      update hotswap.jobs set state = ${state}, ended_at = clock_timestamp(),
        problem = case when ${state} = 'failed' then '{"code":"JOB_GAVE_UP"}'::jsonb end where job_id = ${jobId}`,
    audit: (scope: ScopeId) =>
      withTenant(world.app, scope, async ({ db }) => {
        const rows = await db.execute<{ body: string }>("select body from hotswap.audit_entries order by seq")
        return rows.map(
          ({ body }) => JSON.parse(body) as { action: string; detail?: Record<string, unknown> },
        )
      }),
    close: async () => {
      await owner.end()
      await archiving.close()
      await world.close()
    },
  }
}

export type ScheduleWorld = Awaited<ReturnType<typeof scheduleWorld>>
