import { isDrillId } from "../../core/backup/drill-id.ts"
import type { Environment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import { isTenant } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import { findOrigin, isTenantHere } from "../../db/queries/restore.ts"
import type { OpenArchive } from "../platform/archive/archives.ts"
import { judgeArchive } from "./judge-archive.ts"
import { makingOf } from "./restore-making.ts"
import type { RestoreContext, RestoreNew, RestorePlatform } from "./restore-parts.ts"
import { writeTenant } from "./restore-writing.ts"

export type { RestoreNew, RestorePlatform } from "./restore-parts.ts"

const exists = ({ target }: RestoreNew): Refusal =>
  new Refusal("TENANT_EXISTS", `There is, or was, a tenant "${target}".`)

/**
 * Makes a tenant that is not here of an archive. Under its own id its rows are those of the archive, to the byte; under
 * another they are made over (core/backup/remap.ts says what is different). The archive is read and judged whole before the
 * first row is written; all rows are written in one transaction, or none. The same again is answered the same. Throws
 * Refusals: those of archives, ARCHIVE_INVALID, RESTORE_UNSUITABLE, TENANT_EXISTS, EXTERNAL_ID_TAKEN.
 */
export const restoreAsNew = async (
  platform: RestorePlatform,
  input: RestoreNew,
  context: RestoreContext,
): Promise<JsonObject> => {
  const answered = await alreadyDone(platform, input)
  if (answered) return answered
  const { signal } = context
  const archive = await platform.archives.open(input.home ?? input.source, input.backupId, input.hash)
  checkSuitable(input, archive)
  await archive.check((progress) => context.progress({ ...progress, step: "checking" }), signal)
  const isVerbatim = input.target === input.source
  const judged = await judgeArchive(platform, archive, {
    // A trial tells whether the tenant could come back as it is.
    tables: isVerbatim || input.isDrill ? "all" : "copied",
    progress: (progress) => context.progress(progress),
    signal,
  })
  const making = await makingOf(platform, input, judged)
  const result = await writeTenant(platform, input, { archive, judged, making }, context)
  if (result === "exists") return await othersAnswer(platform, input)
  if (!input.dryRun && !input.isDrill) await publish(platform, input, [...judged.judge.environments])
  return result
}

/** What was answered when the same was made before; `null`: it has not been. */
const alreadyDone = async ({ db }: RestorePlatform, input: RestoreNew): Promise<JsonObject | null> => {
  const { target, backupId, source, how, asOf, dryRun } = input
  const origin = await findOrigin(db, target)
  const isSame =
    origin?.backupId === backupId &&
    origin.source === source &&
    origin.how === how &&
    (origin.result.asOf ?? undefined) === asOf
  if (isSame && !dryRun) return origin.result
  if (origin || (await isTenantHere(db, target))) throw exists(input)
  return null
}

/** Somebody else was first: with the same, and then it is done, or with another. */
const othersAnswer = async (platform: RestorePlatform, input: RestoreNew): Promise<JsonObject> => {
  const answered = await alreadyDone(platform, input)
  if (!answered) throw exists(input)
  return answered
}

const unsuitable = (detail: string): Refusal => new Refusal("RESTORE_UNSUITABLE", detail)

const checkSuitable = (
  { target, source, asOf, isDrill = false }: RestoreNew,
  { manifest }: OpenArchive,
): void => {
  if (manifest.source !== source)
    throw unsuitable(`The archive is of "${manifest.source}", not of "${source}".`)
  if (!isTenant(source)) throw unsuitable(`"${source}" is no tenant: no tenant is made of its archive.`)
  if (!isTenant(target) || isDrillId(target) !== isDrill)
    throw unsuitable(`"${target}" is no id for a tenant.`)
  if (asOf === undefined) return
  if (target === source)
    throw unsuitable(
      "Under its own id a tenant is restored whole, as its readers must not go back; afterwards POST …/restore with asOf leads back.",
    )
  if (asOf > manifest.at) throw unsuitable(`The archive was made at ${manifest.at}, before ${asOf}.`)
}

/** Readers learn of it at once; the marks stay for the relay, which looks again. */
const publish = async (
  { publisher, log }: RestorePlatform,
  { target }: RestoreNew,
  environments: readonly string[],
): Promise<void> => {
  for (const environment of environments)
    try {
      await publisher.publish(target, environment as Environment)
    } catch (error) {
      log.warn("publishing failed; the relay will", { scope: target, environment, error })
    }
}
