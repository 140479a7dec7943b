import { Refusal } from "../../core/errors.ts"
import { backupIdOf, PLATFORM, parseScopeId, type ScopeId, type TenantId } from "../../core/ids.ts"
import type { JobOwner } from "../../core/job/job.ts"
import { findBackup } from "../../db/queries/backups.ts"
import { adoptBackup } from "../../db/queries/imports.ts"
import { findTenant } from "../../db/queries/tenants.ts"
import { ARCHIVE_ROOT } from "../platform/archive/names.ts"
import type { BackupPlatform } from "../platform/compose-backup.ts"
import { isHandedOver } from "../platform/deployment-keys.ts"
import { doneOf } from "./create.ts"
import { locationsOf } from "./locations.ts"
import type { Work } from "./work.ts"

type AdoptPlatform = Pick<BackupPlatform, "db" | "blobs" | "archives" | "clock">

/** Greater than whatever comes after a home's own slash. */
const BEHIND = "~"
const TOLD_MAX = 100

/** Homes in the store, in byte order, each asked for by itself: there may be as many as tenants. */
async function* homesAfter({ blobs }: AdoptPlatform, last: string | undefined): AsyncGenerator<ScopeId> {
  for (let after = last === undefined ? undefined : behind(last); ; ) {
    const { names } = await blobs.list(ARCHIVE_ROOT, { limit: 1, ...(after === undefined ? {} : { after }) })
    const [, word = ""] = names[0]?.split("/") ?? []
    if (word === "") return
    const home = parseScopeId(word)
    if (home) yield home
    after = behind(word)
  }
}

const behind = (home: string): string => `${ARCHIVE_ROOT}/${home}/${BEHIND}`

type Adopted = "adopted" | "known" | { backupId: string; code: string; detail: string }

/** Lists one archive of the store. What does not open is told of, and left. */
const adoptOne = async (
  platform: AdoptPlatform,
  home: ScopeId,
  backupId: string,
  by: JobOwner,
): Promise<Adopted> => {
  const { db, archives } = platform
  const isHere = (await findTenant(db, home as TenantId)) !== null
  const tenantId = isHere ? home : PLATFORM
  if ((await findBackup(db, tenantId, backupId)) ?? (await findBackup(db, PLATFORM, backupId))) return "known"
  try {
    const { header, manifest, hash } = await archives.open(home, backupId)
    // Made here it was sealed by the key ring, which nobody else has. For the key to hand over to this deployment everybody may seal
    // one; that it was signed by somebody who is trusted, the database knew.
    if (isHandedOver(header.key) || manifest.source !== home)
      throw new Refusal(
        "HAND_OVER_INVALID",
        "It came from elsewhere, and nothing in the store shows that it was taken in: take it in again.",
      )
    const missing = await archives.missingParts(home, manifest)
    if (missing.length > 0)
      throw new Refusal("ARCHIVE_DAMAGED", `${missing.length} of its parts are not in the store.`)
    const done = doneOf({ manifest, hash, writtenBytes: 0 }, await locationsOf(platform, home, manifest))
    const adopted = await adoptBackup(
      db,
      { tenantId, source: home, backupId, origin: "requested", createdBy: by.subject },
      done,
      {
        action: "backup.adopt",
        actor: { subject: by.subject, tokenId: by.tokenId },
        target: backupIdOf(tenantId, backupId),
        detail: { source: home, at: done.at, manifestHash: hash },
      },
    )
    if (adopted === "erased") throw new Refusal("SECRET_SHREDDED", `"${home}" was erased.`)
    return adopted
  } catch (error) {
    if (!(error instanceof Refusal) || error.code.endsWith("_UNAVAILABLE")) throw error
    return { backupId: backupIdOf(home, backupId), code: error.code, detail: error.message }
  }
}

interface Count {
  adopted: number
  known: number
  unopened: { backupId: string; code: string; detail: string }[]
  /** Beyond those. */
  untold: number
}

/**
 * `backup.adopt`: `params { home? }`. Lists what is in the store and the database does not know, of one home or, one after the
 * other, of all: after the database was lost the store is all there is. Going on after a kill finds what was listed and passes.
 */
export const adoptWork =
  (platform: AdoptPlatform): Work =>
  async ({ job, progress, checkpoint }) => {
    const only = typeof job.params.home === "string" ? parseScopeId(job.params.home) : null
    const { after, ...kept } = job.checkpoint as unknown as Partial<Count> & { after?: string }
    const count: Count = { adopted: 0, known: 0, unopened: [], untold: 0, ...kept }
    for await (const home of only ? [only] : homesAfter(platform, after)) {
      for (const backupId of await platform.archives.list(home)) {
        const outcome = await adoptOne(platform, home, backupId, job.createdBy)
        if (typeof outcome === "string") count[outcome]++
        else if (count.unopened.length < TOLD_MAX) count.unopened.push(outcome)
        else count.untold++
        await progress({ step: home, parts: count.adopted + count.known })
      }
      await checkpoint({ ...count, unopened: count.unopened.map((one) => ({ ...one })), after: home })
    }
    return {
      kind: "done",
      result: { ...count, unopened: count.unopened.map((one) => ({ ...one })) },
    }
  }
