import { createHash } from "node:crypto"
import { homeOf } from "../../core/backup/backup.ts"
import { type HandOver, mustBeHandedOver, parseHandOver } from "../../core/backup/hand-over.ts"
import { partsOf } from "../../core/backup/parts.ts"
import { checkSchemaVersion } from "../../core/backup/rows.ts"
import { Refusal } from "../../core/errors.ts"
import { PLATFORM, parseBackupId, type ScopeId, type TenantId } from "../../core/ids.ts"
import type { Json } from "../../core/json.ts"
import { type BackupRow, findBackup } from "../../db/queries/backups.ts"
import type { NewImport } from "../../db/queries/imports.ts"
import { findTenant } from "../../db/queries/tenants.ts"
import type { OpenManifest } from "../platform/archive/archives.ts"
import type { ManagePlatform } from "../platform/compose-manage.ts"
import { isHandedOver, isSignedBy, receiverOf } from "../platform/deployment-keys.ts"
import { stagedName } from "../platform/staged-imports.ts"
import type { ManageDeps } from "./deps.ts"

type Archiving = NonNullable<ManagePlatform["archiving"]>

/** Throws BACKUPS_UNSUPPORTED. */
export const archivingOf = ({ archiving }: ManageDeps): Archiving => {
  if (archiving) return archiving
  throw new Refusal("BACKUPS_UNSUPPORTED", "No place is set up here where archives are kept.")
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** Throws BODY_INVALID for what is not base64 to the letter. */
export const bytesNamed = (path: string, text: string): Uint8Array => {
  if (BASE64.test(text)) return Buffer.from(text, "base64")
  const message = "It is not base64."
  throw new Refusal("BODY_INVALID", `Not as expected: ${path}.`, { errors: [{ path, message }] })
}

/** What is asked to be taken in, before anything of it is believed. */
export interface Offered {
  sealed: Uint8Array
  handOver: Json | undefined
  trustedSigningKey: string | undefined
}

/**
 * The manifest, opened, of an archive that may be taken in: made here, or handed over by a deployment that is trusted to
 * this one. Throws Refusals HAND_OVER_* and ARCHIVE_*.
 */
export const acceptable = async (deps: ManageDeps, offered: Offered): Promise<OpenManifest> => {
  // Who says so comes before what it says: nothing is opened on a stranger's word.
  const statement = offered.handOver === undefined ? null : trusted(deps, offered)
  const opened = await archivingOf(deps).archives.openManifest(offered.sealed)
  const { header, manifest } = opened
  if (isHandedOver(header.key) !== (statement !== null))
    throw new Refusal(
      "HAND_OVER_INVALID",
      statement
        ? "It was not sealed for another deployment."
        : "It comes without what its deployment has signed.",
    )
  if (statement && !isAbout(statement, opened))
    throw new Refusal("HAND_OVER_INVALID", "What was signed is about another archive.")
  checkSchemaVersion(manifest.schemaVersion)
  return opened
}

const isAbout = ({ backupId, source, to }: HandOver, { header, manifest }: OpenManifest): boolean =>
  manifest.backupId === backupId && manifest.source === source && header.key.to === to

const trusted = (
  { settings, clock }: ManageDeps,
  { sealed, handOver, trustedSigningKey }: Offered,
): HandOver => {
  if (!settings.handOverKey)
    throw new Refusal("HAND_OVER_UNSUPPORTED", "There is no key to open what was handed over with.")
  const signed = parseHandOver(handOver ?? null)
  mustBeHandedOver(signed, {
    now: clock.now(),
    manifestHash: createHash("sha256").update(sealed).digest("hex"),
    // What the operator has listed is not made longer by whoever calls.
    trusted: settings.trustedDeployments ?? (trustedSigningKey === undefined ? [] : [trustedSigningKey]),
    receivingKeys: receiverOf(settings.handOverKey).receivingKeys,
    checkSignature: isSignedBy,
  })
  return signed.statement
}

/** Where it is listed: with its own scope where that is here and it was made here, else with the platform. */
export const listedAs = async (
  { db }: ManageDeps,
  { header, manifest, hash }: OpenManifest,
  createdBy: string,
): Promise<NewImport> => {
  const { source, backupId } = manifest
  const common = { source, backupId, createdBy, manifestHash: hash }
  if (isHandedOver(header.key)) return { ...common, tenantId: PLATFORM, origin: "imported" }
  const isHere = (await findTenant(db, source as TenantId)) !== null
  return { ...common, tenantId: isHere ? source : PLATFORM, origin: "requested" }
}

const importNotFound = (text: string): Refusal =>
  new Refusal("IMPORT_NOT_FOUND", `There is no import "${text.slice(0, 200)}".`)

export const importNamed = (text: string): { scope: ScopeId; uuid: string } => {
  const named = parseBackupId(text)
  if (!named) throw importNotFound(text)
  return named
}

/** An import that is under way, with what it brings. Throws IMPORT_NOT_FOUND. */
export const importUnderWay = async (
  deps: ManageDeps,
  text: string,
): Promise<{ row: BackupRow; home: ScopeId; opened: OpenManifest }> => {
  const { scope, uuid } = importNamed(text)
  const row = await findBackup(deps.db, scope, uuid)
  if (row?.state !== "writing") throw importNotFound(text)
  const { archives, blobs } = archivingOf(deps)
  const home = homeOf(row)
  const sealed = await blobs.get(stagedName(home, uuid))
  if (!sealed) throw importNotFound(text)
  return { row, home, opened: await archives.openManifest(sealed) }
}

/** Parts that the store does not have yet, by their ids. */
export const missingOf = async (
  deps: ManageDeps,
  home: ScopeId,
  { manifest }: OpenManifest,
): Promise<{ missing: string[]; parts: number }> => ({
  missing: (await archivingOf(deps).archives.missingParts(home, manifest)).map(({ id }) => id),
  parts: partsOf(manifest).length,
})
