import { z } from "@hono/zod-openapi"
import { Refusal } from "../../core/errors.ts"
import { backupIdOf, jobIdOf } from "../../core/ids.ts"
import type { Job } from "../../core/job/job.ts"
import {
  type BackupRow,
  findBackup,
  holdBackup,
  listBackups,
  removeBackup,
} from "../../db/queries/backups.ts"
import { decodeCursor, encodeCursor } from "../http/cursor.ts"
import { json, type Route, type RouteReply, route } from "../http/route.ts"
import { askerOf, createJob } from "../platform/jobs.ts"
import {
  BACKUP_STATES,
  BackupPath,
  BackupShown,
  backupNamed,
  backupNotFound,
  showBackup,
  TAG,
  whereOfBackup,
} from "./backup-parts.ts"
import { isUuid, scopeOfPath } from "./channel-parts.ts"
import type { ManageDeps } from "./deps.ts"
import { JobStarted, startJob } from "./job-parts.ts"
import { audited, conflict, remembered, replayed } from "./remember.ts"
import { Paging, page, TenantPath } from "./shapes.ts"

const LIST = "backups"
const One = { description: "The backup", schema: BackupShown }

const startedReply = (job: Job) => {
  const jobId = jobIdOf(job.scope, job.jobId)
  return {
    status: 202,
    headers: { location: `/api/v1/jobs/${jobId}` },
    body: { jobId, backupId: backupIdOf(job.scope, String(job.params.backupId)) },
  }
}

const createRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/tenants/{tenantId}/backups",
    operationId: "createBackup",
    tag: TAG,
    summary: "Back up a tenant (or `~platform`, or a tier): all of it, as it is at one instant",
    action: "backup.create",
    params: TenantPath,
    body: z
      .strictObject({
        includeEmptyTables: z
          .boolean()
          .default(false)
          .openapi({ description: "Name tables without rows, too" }),
      })
      .openapi("NewBackup"),
    replies: {
      202: {
        description: "The job that makes it; `Location` is where to look",
        schema: z.object({ jobId: z.string(), backupId: z.string() }).openapi("BackupStarted"),
      },
    },
    where: scopeOfPath(deps),
    run: async ({ body, scope, principal, instance, idempotency }): Promise<RouteReply> => {
      const kept = await replayed(deps, scope!, idempotency)
      if (kept) return kept
      const { includeEmptyTables } = body
      const params = { backupId: deps.ids.uuid(), origin: "requested", includeEmptyTables }
      const job = await createJob(
        deps,
        askerOf(principal, instance),
        { scope: scope!, kind: "backup.create", params },
        { reply: remembered(idempotency, startedReply) },
      )
      if (job === null) return (await replayed(deps, scope!, idempotency)) ?? conflict()
      const { status, body: shown, headers } = startedReply(job)
      return json(status, shown, headers)
    },
  })

const positionOf = (cursor: string): string => {
  const [last] = decodeCursor(LIST, cursor, 1)
  if (typeof last === "string" && isUuid(last)) return last
  throw new Refusal("CURSOR_INVALID", "It is not a cursor of this list.")
}

const listRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/tenants/{tenantId}/backups",
    operationId: "listBackups",
    tag: TAG,
    summary: "A tenant's backups, newest first; those that were removed only with `state=removed`",
    action: "backup.read",
    params: TenantPath,
    query: z.strictObject({ ...Paging, state: z.enum(BACKUP_STATES).optional() }),
    replies: { 200: { description: "A page of backups", schema: page(BackupShown) } },
    where: scopeOfPath(deps),
    run: async ({ query: { limit, cursor, state }, scope }) => {
      const rows = await listBackups(deps.db, scope!, {
        limit: limit + 1,
        ...(cursor === undefined ? {} : { before: positionOf(cursor) }),
        ...(state && { state }),
      })
      const shown = rows.slice(0, limit)
      const last = rows.length > limit ? shown.at(-1) : undefined
      return json(200, {
        items: shown.map(showBackup),
        nextCursor: last ? encodeCursor(LIST, [last.backupId]) : null,
      })
    },
  })

/** Throws BACKUP_NOT_FOUND. */
const backupSeen = async (deps: ManageDeps, text: string): Promise<BackupRow> => {
  const { scope, uuid } = backupNamed(text)
  const row = await findBackup(deps.db, scope, uuid)
  if (!row) throw backupNotFound(text)
  return row
}

const readRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/backups/{backupId}",
    operationId: "readBackup",
    tag: TAG,
    summary: "One backup: what is in it, where it is, and when it was last read",
    action: "backup.read",
    params: BackupPath,
    replies: { 200: One },
    where: whereOfBackup,
    run: async ({ params }) => json(200, showBackup(await backupSeen(deps, params.backupId))),
  })

const validateRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/backups/{backupId}/validate",
    operationId: "validateBackup",
    tag: TAG,
    summary: "Read all of a backup at each location, verify it, and put copies right that are not whole",
    action: "backup.validate",
    params: BackupPath,
    body: z.strictObject({}),
    replies: JobStarted,
    where: whereOfBackup,
    run: async ({ params, scope, ...call }) => {
      const row = await backupSeen(deps, params.backupId)
      if (row.state === "removed") throw backupNotFound(params.backupId)
      if (row.state === "writing")
        throw new Refusal("BACKUP_UNFINISHED", "There is nothing to read before it is written.")
      return await startJob(deps, call, {
        scope: scope!,
        kind: "backup.validate",
        params: { backupId: row.backupId },
      })
    },
  })

const holdRoute = (deps: ManageDeps): Route =>
  route({
    method: "patch",
    path: "/api/v1/backups/{backupId}",
    operationId: "holdBackup",
    tag: TAG,
    summary: "Hold a backup, so that retention leaves it alone and nobody deletes it, or let it go",
    action: "backup.keep",
    params: BackupPath,
    body: z.strictObject({ held: z.boolean() }).openapi("BackupHold"),
    replies: { 200: One },
    where: whereOfBackup,
    run: async ({ params, body, scope, ...call }) => {
      const { uuid } = backupNamed(params.backupId)
      const action = body.held ? "backup.hold" : "backup.release"
      const held = await holdBackup(
        deps.db,
        scope!,
        uuid,
        body.held,
        audited(call, action, backupIdOf(scope!, uuid)),
      )
      if (held.kind === "missing") throw backupNotFound(params.backupId)
      return json(200, showBackup(held.backup))
    },
  })

const REMOVAL_REFUSED = {
  held: () => new Refusal("BACKUP_HELD", "Let it go before it is deleted."),
  last: () => new Refusal("BACKUP_LAST", "No other whole backup of it is here."),
  writing: () => new Refusal("BACKUP_UNFINISHED", "It is being written: cancel its job instead."),
}

const removeRoute = (deps: ManageDeps): Route =>
  route({
    method: "delete",
    path: "/api/v1/backups/{backupId}",
    operationId: "deleteBackup",
    tag: TAG,
    summary: "Delete a backup: not one that is held, nor the last good one; its objects go within the hour",
    action: "backup.keep",
    params: BackupPath,
    replies: { 204: { description: "It is deleted, or was already" } },
    where: whereOfBackup,
    run: async ({ params, scope, ...call }) => {
      const { uuid } = backupNamed(params.backupId)
      const { kind } = await removeBackup(
        deps.db,
        scope!,
        uuid,
        audited(call, "backup.delete", backupIdOf(scope!, uuid)),
      )
      if (kind === "missing") throw backupNotFound(params.backupId)
      if (kind !== "removed") throw REMOVAL_REFUSED[kind]()
      return { status: 204, headers: {}, body: null }
    },
  })

export const backupRoutes = (deps: ManageDeps): Route[] => [
  createRoute(deps),
  listRoute(deps),
  readRoute(deps),
  validateRoute(deps),
  holdRoute(deps),
  removeRoute(deps),
]
