import type { Principal } from "../../core/access.ts"
import { homeOf } from "../../core/backup/backup.ts"
import type { Instant } from "../../core/change/change.ts"
import type { Environment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import { parseBackupId, type ScopeId, type TenantId } from "../../core/ids.ts"
import type { Job } from "../../core/job/job.ts"
import type { JsonObject } from "../../core/json.ts"
import type { Database } from "../../db/client.ts"
import { type BackupRow, findBackup } from "../../db/queries/backups.ts"
import { isTenantHere } from "../../db/queries/restore.ts"
import { permit } from "../http/permit.ts"
import type { Archives, OpenArchive } from "../platform/archive/archives.ts"
import type { MutatePlatform } from "../platform/mutate.ts"
import { ownerNow } from "./job-owner.ts"
import { restoreInto } from "./restore-into.ts"
import { type RestorePlatform as NewPlatform, restoreAsNew } from "./restore-new.ts"
import { type WantedPlatform, wantedAsOf, wantedOfArchive } from "./wanted-keys.ts"
import type { Work, WorkContext } from "./work.ts"

export interface RestorePlatform extends MutatePlatform, WantedPlatform {
  vault: WantedPlatform["vault"]
  /** For the changes: one may hold as much as an environment, and takes longer then than a request has. */
  bulk: Database
  archives: Archives
}

/** What was asked for, as the routes have checked it. */
interface Params {
  /** With its scope. None: what the scope's own history tells. */
  backupId?: string
  target: ScopeId
  /** When it was asked for, the target was not here: one that is by now, be it of an earlier attempt, is left as it is. */
  isNew?: boolean
  /** Of a tenant that is made. */
  newName?: string
  asOf?: Instant
  /** All that there are, when left out. */
  environments?: readonly Environment[]
  dryRun?: boolean
}

/** `backup.restore` where the target is here: what was becomes changes. */
const restoreHere = async (
  platform: RestorePlatform,
  params: Params,
  context: WorkContext,
): Promise<JsonObject> => {
  const owner = await ownerNow(platform, context.job)
  const { target, asOf, dryRun = false } = params
  permitAll(owner, params, platform.settings.environments)
  const from = params.backupId === undefined ? null : await openChecked(platform, params, owner, context)
  if (from && asOf !== undefined) checkWithin(from, asOf)
  const { environments, skipped } = environmentsOf(platform, params, from)
  const patient = { ...platform, db: platform.bulk }
  const wanted = from ? await wantedOfArchive(patient, from, environments, asOf) : wantedAsOf(patient, asOf!)
  const at = asOf ?? from!.manifest.at
  // Whose backup it was is nothing for another tenant to know.
  const named = from?.manifest.source === target ? params.backupId : "a backup"
  const comment = from ? `Restores ${named} as of ${at}` : `Restores what was stable at ${at}`
  const restored = await restoreInto(
    patient,
    { scope: target, environments, wanted, comment, dryRun, owner },
    from ? { ...context, job: withChecked(context.job, from.hash) } : context,
  )
  return {
    tenantId: target,
    backupId: params.backupId ?? null,
    at,
    dryRun,
    environments: restored,
    skipped: [...skipped],
  }
}

const onlyOf = (environments: readonly Environment[] | undefined): Environment | null =>
  environments?.length === 1 ? environments[0]! : null

/** What they could ask for then they have to be allowed now. A token bound to one environment names it. */
const permitAll = (owner: Principal, { target, environments }: Params, all: readonly Environment[]): void => {
  permit(owner, "backup.restore", { scope: target, environment: onlyOf(environments) })
  for (const environment of environments ?? all)
    permit(owner, "change.submit", { scope: target, environment })
}

const notFound = (backupId: string): Refusal =>
  new Refusal("BACKUP_NOT_FOUND", `There is no backup "${backupId}".`)

const backupThere = async (db: Database, backupId: string): Promise<BackupRow> => {
  const named = parseBackupId(backupId)
  const row = named && (await findBackup(db, named.scope, named.uuid))
  if (row?.state !== "complete") throw notFound(backupId)
  return row
}

const openChecked = async (
  platform: RestorePlatform,
  { backupId, environments }: Params,
  owner: Principal,
  { job, checkpoint, progress, signal }: WorkContext,
): Promise<OpenArchive> => {
  const row = await backupThere(platform.db, backupId!)
  permit(owner, "backup.restore", { scope: row.tenantId, environment: onlyOf(environments) })
  const archive = await platform.archives.open(homeOf(row), row.backupId, row.manifestHash)
  // Of all of it, before anything is written; once, however many attempts there are.
  if (job.checkpoint.checked !== archive.hash) {
    await archive.check((done) => progress({ step: "checking the archive", ...done }), signal)
    await checkpoint({ ...job.checkpoint, checked: archive.hash })
  }
  return archive
}

const withChecked = (job: Job, checked: string): Job => ({
  ...job,
  checkpoint: { ...job.checkpoint, checked },
})

const checkWithin = ({ manifest }: OpenArchive, asOf: Instant): void => {
  if (Date.parse(asOf) > Date.parse(manifest.at))
    throw new Refusal("AS_OF_INVALID", `The archive is of ${manifest.at}, and shows nothing of ${asOf}.`)
}

/** Without names: every one that there is here, and in the archive. */
const environmentsOf = (
  { settings }: RestorePlatform,
  { environments }: Params,
  archive: OpenArchive | null,
): { environments: readonly Environment[]; skipped: readonly string[] } => {
  const here = settings.environments
  if (!archive) return { environments: environments ?? here, skipped: [] }
  const archived = archive.manifest.environments
  const missing = (environments ?? []).filter((environment) => !archived.includes(environment))
  if (missing.length > 0)
    throw new Refusal("ENVIRONMENT_UNKNOWN", `The archive knows nothing of ${missing.join(", ")}.`)
  return {
    environments: environments ?? here.filter((environment) => archived.includes(environment)),
    skipped: archived.filter((environment) => !(here as readonly string[]).includes(environment)),
  }
}

/** `backup.restore`: by changes where the target is here; where it is not, it is made. */
export const restoreWork =
  (platform: RestorePlatform & NewPlatform): Work =>
  async (context) => {
    const params = context.job.params as unknown as Params
    const { backupId, target, isNew = false } = params
    const isHere = async () => backupId === undefined || (await isTenantHere(platform.db, target as TenantId))
    const restore = !isNew && (await isHere()) ? restoreHere : restoreNew
    return { kind: "done", result: await restore(platform, params, context) }
  }

const restoreNew = async (
  platform: RestorePlatform & NewPlatform,
  { backupId, target, newName, asOf, dryRun }: Params,
  context: WorkContext,
): Promise<JsonObject> => {
  const { job } = context
  permit(await ownerNow(platform, job), "tenant.create", { scope: null, environment: null })
  const row = await backupThere(platform.db, backupId!)
  const input = {
    source: row.source,
    backupId: row.backupId,
    home: homeOf(row),
    hash: row.manifestHash,
    target: target as TenantId,
    name: newName,
    asOf,
    dryRun,
    how: "restore",
    jobId: job.jobId,
    by: job.createdBy,
  } as const
  return await restoreAsNew(platform, input, context)
}
