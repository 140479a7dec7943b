import { z } from "@hono/zod-openapi"
import type { Principal } from "../../core/access.ts"
import type { Environment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import { isTenant, PLATFORM, type ScopeId, type TenantId } from "../../core/ids.ts"
import { type BackupRow, findBackup } from "../../db/queries/backups.ts"
import { beginningOf } from "../../db/queries/kept-versions.ts"
import { isTenantHere } from "../../db/queries/restore.ts"
import { findTenant } from "../../db/queries/tenants.ts"
import { permit, type Route, route, tenantNotFound } from "../http/route.ts"
import { misshapen } from "../http/validate.ts"
import { BackupPath, backupNamed, backupNotFound, TAG } from "./backup-parts.ts"
import type { ManageDeps } from "./deps.ts"
import { JobStarted, startJob } from "./job-parts.ts"
import { environmentNamed, scopeNamed } from "./parse.ts"
import { Instant, TenantPath, text } from "./shapes.ts"

const ENVIRONMENTS_MAX = 100

const Environments = z
  .array(z.string())
  .min(1)
  .max(ENVIRONMENTS_MAX)
  .optional()
  .openapi({ description: "All, when left out" })
const DryRun = z.boolean().optional().openapi({ description: "Only tell what it would do" })

const RestoreBody = z
  .strictObject({
    targetTenantId: z.string().optional().openapi({
      description: "The tenant that the backup is of, when left out; one that is not there is made",
    }),
    newName: text(200).min(1).optional().openapi({ description: "Of a tenant that is made" }),
    asOf: Instant.optional().openapi({
      description: "As it was at this time, rather than when the backup was made",
    }),
    environments: Environments,
    dryRun: DryRun,
  })
  .openapi("Restore")
const RestoreAsOfBody = z
  .strictObject({ asOf: Instant, environments: Environments, dryRun: DryRun })
  .openapi("RestoreAsOf")

/** The instant in full: to the microsecond, as the database tells them apart. */
const instantOf = (written: string): string => {
  const [, fraction = ""] = /\.(\d+)/.exec(written) ?? []
  const micros = fraction.padEnd(6, "0").slice(3, 6)
  return `${new Date(written).toISOString().slice(0, -1)}${micros}Z`
}

const environmentsNamed = (
  deps: ManageDeps,
  names: readonly string[] | undefined,
): Environment[] | undefined =>
  names && [...new Set(names.map((name) => environmentNamed(name, deps.settings.environments)))]

/** A token that is bound to an environment may restore that one. */
const onlyOf = (environments: readonly Environment[] | undefined): Environment | null =>
  environments?.length === 1 ? environments[0]! : null

/** What is restored are changes, which take their own permission, too. */
const permitChanges = (
  deps: ManageDeps,
  principal: Principal,
  scope: ScopeId,
  environments: readonly Environment[] | undefined,
): void => {
  for (const environment of environments ?? deps.settings.environments)
    permit(principal, "change.submit", { scope, environment })
}

/** The times of the history are the database's, whose clock may be ahead; it is asked again when they are read. */
const SKEW_MS = 60_000

const pastInstant = (deps: ManageDeps, written: string): string => {
  const asOf = instantOf(written)
  const now = deps.clock.now().toISOString()
  if (Date.parse(asOf) > Date.parse(now) + SKEW_MS)
    throw new Refusal("AS_OF_INVALID", `${asOf} is yet to come; it is ${now}.`)
  return asOf
}

const backupThere = async (deps: ManageDeps, text: string): Promise<BackupRow> => {
  const { scope, uuid } = backupNamed(text)
  const row = await findBackup(deps.db, scope, uuid)
  if (row?.state !== "complete") throw backupNotFound(text)
  return row
}

const backupRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/backups/{backupId}/restore",
    operationId: "restoreBackup",
    tag: TAG,
    summary: "Restore a backup: by changes where the tenant is there, as a new tenant where it is not",
    action: "backup.restore",
    params: BackupPath,
    body: RestoreBody,
    replies: JobStarted,
    where: ({ params, body }) => ({
      scope: backupNamed(params.backupId).scope,
      environment: onlyOf(environmentsNamed(deps, body.environments)),
    }),
    run: async ({ params, body, scope, environment: _, ...call }) => {
      const { principal } = call
      const row = await backupThere(deps, params.backupId)
      const named = body.targetTenantId ?? row.source
      const target = await scopeNamed(named, principal, deps.findExternal)
      const environments = environmentsNamed(deps, body.environments)
      const isHere = await isTenantHere(deps.db, target as TenantId)
      if (isHere) {
        if (isTenant(target) && (await findTenant(deps.db, target)) === null) throw tenantNotFound(target)
        if (body.newName !== undefined) throw unfit("newName", `${target} is there, and keeps its name.`)
        permit(principal, "backup.restore", { scope: target, environment: onlyOf(environments) })
        permitChanges(deps, principal, target, environments)
      } else {
        permit(principal, "tenant.create", { scope: null, environment: null })
        if (environments) throw unfit("environments", `${target} is not there: it is made whole.`)
      }
      const wish = {
        backupId: params.backupId,
        target,
        ...(!isHere && { isNew: true }),
        ...(body.newName !== undefined && { newName: body.newName }),
        ...(body.asOf !== undefined && { asOf: pastInstant(deps, body.asOf) }),
        ...(environments && { environments }),
        ...(body.dryRun && { dryRun: true }),
      }
      // A deleted tenant has no jobs of its own any more; under another id it can come back until it is erased.
      const isKept = !isTenant(scope!) || (await findTenant(deps.db, scope)) !== null
      return await startJob(deps, call, {
        scope: isKept ? scope! : PLATFORM,
        kind: "backup.restore",
        params: wish,
      })
    },
  })

const unfit = (path: string, message: string): Refusal => misshapen("body", [{ path: `/${path}`, message }])

const asOfRoute = (deps: ManageDeps): Route =>
  route({
    method: "post",
    path: "/api/v1/tenants/{tenantId}/restore",
    operationId: "restoreTenant",
    tag: TAG,
    summary: "Bring a tenant back to what it was at a time, by changes; takes no backup",
    action: "backup.restore",
    params: TenantPath,
    body: RestoreAsOfBody,
    replies: JobStarted,
    where: async ({ params, body }, principal) => ({
      scope: await scopeNamed(params.tenantId, principal, deps.findExternal),
      environment: onlyOf(environmentsNamed(deps, body.environments)),
    }),
    run: async ({ body, scope, environment: _, ...call }) => {
      const environments = environmentsNamed(deps, body.environments)
      permitChanges(deps, call.principal, scope!, environments)
      const asOf = pastInstant(deps, body.asOf)
      const beginning = await beginningOf(deps.db, scope!)
      if (beginning === null) throw tenantNotFound(scope!)
      if (asOf < beginning)
        throw new Refusal("AS_OF_INVALID", `${scope} begins at ${beginning}: there is nothing before it.`)
      const params = {
        target: scope!,
        asOf,
        ...(environments && { environments }),
        ...(body.dryRun && { dryRun: true }),
      }
      return await startJob(deps, call, { scope: scope!, kind: "backup.restore", params })
    },
  })

export const restoreRoutes = (deps: ManageDeps): Route[] => [backupRoute(deps), asOfRoute(deps)]
