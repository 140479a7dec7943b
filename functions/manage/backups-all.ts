import { z } from "@hono/zod-openapi"
import { ORIGINS } from "../../core/backup/backup.ts"
import { Refusal } from "../../core/errors.ts"
import { parseScopeId } from "../../core/ids.ts"
import { type BackupPosition, listAllBackups } from "../../db/system.ts"
import { decodeCursor, encodeCursor } from "../http/cursor.ts"
import { json, type Route, route } from "../http/route.ts"
import { Instant } from "./audit-parts.ts"
import { BACKUP_STATES, BackupShown, showBackup, TAG } from "./backup-parts.ts"
import { isUuid } from "./channel-parts.ts"
import type { ManageDeps } from "./deps.ts"
import { scopeNamed } from "./parse.ts"
import { Paging, page } from "./shapes.ts"

const LIST = "all_backups"

const positionOf = (cursor: string): BackupPosition => {
  const [at, scope, backupId] = decodeCursor(LIST, cursor, 3).map(String)
  const tenantId = parseScopeId(scope!)
  if (tenantId && Instant.safeParse(at).success && isUuid(backupId!))
    return { at: at!, tenantId, backupId: backupId! }
  throw new Refusal("CURSOR_INVALID", "It is not a cursor of this list.")
}

/** What the platform's operators look at. */
export const allBackupsRoute = (deps: ManageDeps): Route =>
  route({
    method: "get",
    path: "/api/v1/backups",
    operationId: "listAllBackups",
    tag: TAG,
    summary: "The backups of all tenants, newest first; those that were removed only with `state=removed`",
    action: "backup.list_all",
    query: z.strictObject({
      ...Paging,
      tenantId: z.string().optional(),
      origin: z.enum(ORIGINS).optional(),
      state: z.enum(BACKUP_STATES).optional(),
    }),
    replies: { 200: { description: "A page of backups", schema: page(BackupShown) } },
    run: async ({ query: { limit, cursor, tenantId, origin, state }, principal }) => {
      const rows = await listAllBackups(deps.system, {
        limit: limit + 1,
        ...(cursor === undefined ? {} : { before: positionOf(cursor) }),
        ...(tenantId === undefined
          ? {}
          : { source: await scopeNamed(tenantId, principal, deps.findExternal) }),
        ...(origin && { origin }),
        ...(state && { state }),
      })
      const shown = rows.slice(0, limit)
      const last = rows.length > limit ? shown.at(-1) : undefined
      return json(200, {
        items: shown.map(showBackup),
        nextCursor: last ? encodeCursor(LIST, [last.at, last.tenantId, last.backupId]) : null,
      })
    },
  })
