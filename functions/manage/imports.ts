import { z } from "@hono/zod-openapi"
import { homeOf } from "../../core/backup/backup.ts"
import type { SignedHandOver } from "../../core/backup/hand-over.ts"
import { partsOf } from "../../core/backup/parts.ts"
import { Refusal } from "../../core/errors.ts"
import { backupIdOf, PLATFORM } from "../../core/ids.ts"
import type { Json } from "../../core/json.ts"
import type { BackupRow } from "../../db/queries/backups.ts"
import { beginImport } from "../../db/queries/imports.ts"
import { json, type Route, route } from "../http/route.ts"
import type { OpenManifest } from "../platform/archive/archives.ts"
import { putSomewhere } from "../platform/put-somewhere.ts"
import { stagedName } from "../platform/staged-imports.ts"
import { TAG } from "./backup-parts.ts"
import { scopeOfPath } from "./channel-parts.ts"
import type { ManageDeps } from "./deps.ts"
import {
  acceptable,
  archivingOf,
  bytesNamed,
  importNamed,
  importUnderWay,
  listedAs,
  missingOf,
} from "./import-parts.ts"
import { JobStarted, startJob } from "./job-parts.ts"
import { audited } from "./remember.ts"

const ImportShown = z
  .object({
    importId: z.string().openapi({ description: "Also the id of the backup that it becomes" }),
    backupId: z.string(),
    source: z.string(),
    state: z.enum(["writing", "complete"]),
    parts: z.int(),
    missing: z.array(z.string()).openapi({ description: "Ids of the parts that are still to be sent" }),
  })
  .openapi("Import")

const shown = (row: BackupRow, { missing, parts }: { missing: string[]; parts: number }) => {
  const importId = backupIdOf(row.tenantId, row.backupId)
  return { importId, backupId: importId, source: row.source, state: row.state, parts, missing }
}

const conflicting = (row: BackupRow): Refusal =>
  new Refusal(
    "IMPORT_CONFLICT",
    row.state === "removed"
      ? "It was here before, and was removed."
      : `Another archive is here as ${backupIdOf(row.tenantId, row.backupId)}.`,
  )

/** The manifest waits beside the archives. Throws IMPORT_CONFLICT where another waits under the same id. */
const staged = async (deps: ManageDeps, row: BackupRow, { bytes }: OpenManifest): Promise<void> => {
  const { blobs } = archivingOf(deps)
  const name = stagedName(homeOf(row), row.backupId)
  if ((await putSomewhere(blobs, name, bytes)) === "written") return
  if (Buffer.compare((await blobs.get(name)) ?? Buffer.of(), bytes) !== 0) throw conflicting(row)
}

const beginRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/backups/imports",
    operationId: "beginImport",
    isLong: true,
    tag: TAG,
    summary:
      "Take in an archive: one that was downloaded here, or one that another deployment handed over; the same again tells what is missing",
    action: "backup.import",
    body: z
      .strictObject({
        manifest: z.string().openapi({ description: "As it was downloaded, sealed, in base64" }),
        handOver: z
          .record(z.string(), z.unknown())
          .optional()
          .openapi({ description: "What the other deployment has signed, as it was downloaded" }),
        trustedSigningKey: z
          .string()
          .max(100)
          .optional()
          .openapi({ description: "The other deployment's key, where the operator has listed none" }),
      })
      .openapi("NewImport"),
    replies: {
      200: { description: "It was begun before; what is missing", schema: ImportShown },
      201: { description: "It is begun; what is missing", schema: ImportShown },
    },
    run: async ({ body, ...call }) => {
      const opened = await acceptable(deps, {
        sealed: bytesNamed("/manifest", body.manifest),
        handOver: body.handOver as Json | undefined,
        trustedSigningKey: body.trustedSigningKey,
      })
      const wanted = await listedAs(deps, opened, call.principal.subject)
      // Whose word was taken, as it may have been the caller who said that it is to be.
      const signed = body.handOver as unknown as SignedHandOver | undefined
      const audit = audited(call, "backup.import", backupIdOf(wanted.tenantId, wanted.backupId), {
        source: wanted.source,
        manifestHash: wanted.manifestHash,
        ...(signed && { from: signed.statement.from.signingKey }),
      })
      const begun = await beginImport(deps.db, wanted, audit)
      if (begun.kind === "busy")
        throw new Refusal("CHANGE_CONFLICT", "Archives are just being removed there: try again in a moment.")
      const { backup } = begun
      if (backup.manifestHash !== opened.hash || backup.state === "removed") throw conflicting(backup)
      if (backup.state === "complete")
        return json(200, shown(backup, { missing: [], parts: partsOf(opened.manifest).length }))
      await staged(deps, backup, opened)
      const left = await missingOf(deps, homeOf(backup), opened)
      return json(begun.kind === "begun" ? 201 : 200, shown(backup, left))
    },
  })

const ImportPath = z.object({ importId: z.string() })
const whereOfImport = ({ params }: { params: { importId: string } }) => ({
  scope: importNamed(params.importId).scope,
  environment: null,
})

const partRoute = (deps: ManageDeps): Route =>
  route({
    method: "put",
    path: "/api/v1/backups/imports/{importId}/parts/{partId}",
    operationId: "sendImportPart",
    isLong: true,
    tag: TAG,
    summary: "Send one part of an archive that is taken in; it is opened and checked before it is kept",
    action: "backup.import",
    params: z.object({ importId: z.string(), partId: z.string() }),
    body: z
      .strictObject({ bytes: z.string().openapi({ description: "As it was downloaded, sealed, in base64" }) })
      .openapi("ImportPart"),
    replies: {
      200: {
        description: "It is kept",
        schema: z.object({ partId: z.string() }).openapi("ImportPartKept"),
      },
    },
    where: whereOfImport,
    run: async ({ params: { importId, partId }, body }) => {
      const { home, opened } = await importUnderWay(deps, importId)
      const part = partsOf(opened.manifest).find(({ id }) => id === partId)
      if (!part) throw new Refusal("IMPORT_PART_UNKNOWN", "The manifest names no such part.")
      const sealed = bytesNamed("/bytes", body.bytes)
      await opened.openPart(part, sealed)
      await archivingOf(deps).archives.putPart(home, part.id, sealed)
      return json(200, { partId })
    },
  })

const completeRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/backups/imports/{importId}/complete",
    operationId: "completeImport",
    isLong: true,
    tag: TAG,
    summary: "All parts are sent: have all of the archive checked, after which it can be restored",
    action: "backup.import",
    params: ImportPath,
    body: z.strictObject({}),
    replies: JobStarted,
    where: whereOfImport,
    run: async ({ params: { importId }, ...call }) => {
      const { row, home, opened } = await importUnderWay(deps, importId)
      const { missing } = await missingOf(deps, home, opened)
      if (missing.length > 0)
        throw new Refusal("IMPORT_INCOMPLETE", `${missing.length} parts have not been sent.`, {
          extra: { missing },
        })
      const params = { backupId: row.backupId }
      return await startJob(deps, call, { scope: row.tenantId, kind: "backup.import", params })
    },
  })

const adoptRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/backups/adopt",
    operationId: "adoptBackups",
    tag: TAG,
    summary:
      "After the database was lost: list again what the store has and the database does not know, of one tenant or of all",
    action: "backup.import",
    body: z.strictObject({ tenantId: z.string().optional() }).openapi("Adoption"),
    replies: JobStarted,
    where: async ({ body }, principal) =>
      body.tenantId === undefined
        ? { scope: null, environment: null }
        : await adoptedScope(deps, body.tenantId, principal),
    run: async ({ body, scope, ...call }) => {
      archivingOf(deps)
      const params = body.tenantId === undefined ? {} : { home: scope! }
      return await startJob(deps, call, { scope: PLATFORM, kind: "backup.adopt", params })
    },
  })

/** A tenant that was lost with the database is not there, and can be named all the same. */
const adoptedScope = (
  deps: ManageDeps,
  tenantId: string,
  principal: Parameters<ReturnType<typeof scopeOfPath>>[1],
) => scopeOfPath(deps)({ params: { tenantId } }, principal)

export const importRoutes = (deps: ManageDeps): Route[] => [
  beginRoute(deps),
  partRoute(deps),
  completeRoute(deps),
  adoptRoute(deps),
]
