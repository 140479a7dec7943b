import { z } from "@hono/zod-openapi"
import { may } from "../../core/access.ts"
import {
  beyondTier,
  EVERY_HOURS_MAX,
  KEEP_MAX,
  type OwnSchedule,
  scheduleInForce,
} from "../../core/backup/schedule.ts"
import { Refusal } from "../../core/errors.ts"
import { PLATFORM, type Tier } from "../../core/ids.ts"
import { findSchedule, type KeptSchedule, setSchedule } from "../../db/queries/backup-schedules.ts"
import { json, type Route, route, tenantNotFound } from "../http/route.ts"
import { wholeTenant } from "./audit-parts.ts"
import { once } from "./channel-parts.ts"
import type { ManageDeps } from "./deps.ts"
import { JobStarted, startJob } from "./job-parts.ts"
import { audited, remembered } from "./remember.ts"
import { TenantPath } from "./shapes.ts"

const TAG = "Backups"
const PATH = "/api/v1/tenants/{tenantId}/backup-schedule"

const Hours = z.int().min(1).max(EVERY_HOURS_MAX)
const Last = z.int().min(1).max(KEEP_MAX)
const Periods = z.int().min(0).max(KEEP_MAX)
const Fields = {
  everyHours: Hours,
  keepLast: Last,
  keepDaily: Periods,
  keepWeekly: Periods,
  keepMonthly: Periods,
}

const InForce = z.object({ ...Fields, paused: z.boolean() })
const Own = z.object({
  everyHours: Hours.nullable(),
  keepLast: Last.nullable(),
  keepDaily: Periods.nullable(),
  keepWeekly: Periods.nullable(),
  keepMonthly: Periods.nullable(),
  paused: z.boolean(),
})

const ScheduleShown = z
  .object({
    tenantId: z.string(),
    schedule: InForce.openapi({ description: "What holds" }),
    own: Own.openapi({ description: "What the tenant says for itself; `null`: its tier's default holds" }),
    nextDueAt: z.string().nullable(),
    lastAt: z.string().nullable().openapi({ description: "The instant of the last complete backup" }),
    failures: z.int().openapi({ description: "In a row" }),
  })
  .openapi("BackupSchedule")

const NewSchedule = z
  .strictObject({
    everyHours: Hours.nullish(),
    keepLast: Last.nullish(),
    keepDaily: Periods.nullish(),
    keepWeekly: Periods.nullish(),
    keepMonthly: Periods.nullish(),
    paused: z.boolean().optional(),
  })
  .openapi("NewBackupSchedule")

const NOTHING: OwnSchedule = {
  everyHours: null,
  keepLast: null,
  keepDaily: null,
  keepWeekly: null,
  keepMonthly: null,
  paused: false,
}

const UNPLANNED = { ...NOTHING, nextDueAt: null, lastAt: null, failures: 0 }

const shown = (tenantId: string, tier: Tier | null, kept: KeptSchedule | null) => {
  const { nextDueAt, lastAt, failures, ...own } = kept ?? UNPLANNED
  return { tenantId, schedule: scheduleInForce(tier, own), own, nextDueAt, lastAt, failures } as const
}

const ownOf = (body: z.output<typeof NewSchedule>): OwnSchedule => ({
  everyHours: body.everyHours ?? null,
  keepLast: body.keepLast ?? null,
  keepDaily: body.keepDaily ?? null,
  keepWeekly: body.keepWeekly ?? null,
  keepMonthly: body.keepMonthly ?? null,
  paused: body.paused ?? false,
})

const Shown = { 200: { description: "How often, what is kept, and how it goes", schema: ScheduleShown } }

const getRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: PATH,
    operationId: "getBackupSchedule",
    tag: TAG,
    summary: "How often a tenant is backed up, and what is kept of that",
    action: "backup.schedule",
    params: TenantPath,
    replies: Shown,
    where: wholeTenant(deps),
    run: async ({ scope }) => {
      const { tier, schedule } = await findSchedule(deps.db, scope!)
      return json(200, shown(scope!, tier, schedule))
    },
  })

const putRoute = (deps: ManageDeps): Route =>
  route({
    method: "put",
    path: PATH,
    operationId: "setBackupSchedule",
    tag: TAG,
    summary:
      "Say how often, and what is kept; what is left out is the tier's. More than the tier brings is the platform's to give",
    action: "backup.schedule",
    params: TenantPath,
    body: NewSchedule,
    replies: Shown,
    where: wholeTenant(deps),
    run: async ({ body, scope, ...call }) =>
      await once(deps, scope!, call.idempotency, async () => {
        const own = ownOf(body)
        const { tier } = await findSchedule(deps.db, scope!)
        const beyond = beyondTier(tier, scheduleInForce(tier, own))
        if (beyond.length > 0 && !may(call.principal, "backup.schedule_all", { scope, environment: null }))
          throw new Refusal(
            "FORBIDDEN",
            `More than the tier brings: ${beyond.join(", ")}. The platform's admins may set it.`,
          )
        const audit = audited(call, "backup.schedule", scope!, { ...own })
        const reply = remembered(call.idempotency, (kept: KeptSchedule) => ({
          status: 200,
          headers: {},
          body: { ...shown(scope!, tier, kept) } as never,
        }))
        const kept = await setSchedule(deps.db, scope!, own, audit, reply)
        if (!kept) throw tenantNotFound(scope!)
        return json(200, shown(scope!, tier, kept))
      }),
  })

const drillRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/backups/drills",
    operationId: "startDrill",
    tag: TAG,
    summary:
      "Restore the latest archives of some tenants, drawn by lot, for trial: compared with archive and tenant, and removed again",
    action: "backup.drill",
    body: z
      .strictObject({ tenants: z.int().min(1).max(20).optional().openapi({ description: "3, if not said" }) })
      .openapi("NewDrill"),
    replies: JobStarted,
    run: async ({ body, ...call }) =>
      await startJob(deps, call, {
        scope: PLATFORM,
        kind: "backup.drill",
        params: body.tenants === undefined ? {} : { tenants: body.tenants },
      }),
  })

export const backupScheduleRoutes = (deps: ManageDeps): Route[] => [
  getRoute(deps),
  putRoute(deps),
  drillRoute(deps),
]
