import type { ArchivePart } from "../../core/backup/manifest.ts"
import type { ScopeId } from "../../core/ids.ts"
import type { BackupRow } from "../../db/queries/backups.ts"
import type { Archives, OpenManifest } from "../platform/archive/archives.ts"
import { ARCHIVE_ROOT, archiveName, partName } from "../platform/archive/names.ts"
import { LOCKED, type Locations } from "../platform/blob-locations.ts"
import type { WorkContext } from "./work.ts"

/** What was found at the locations of an archive, by location. */
export interface Copies {
  problems: Map<string, string>
  /** Copies that were put right. */
  mended: number
}

interface Wanted {
  name: string
  /** Whether these bytes are what they should be. */
  isWhole: (bytes: Uint8Array) => Promise<boolean>
}

/**
 * Reads every copy of everything an archive consists of, and replaces those that are missing or damaged from one that is
 * whole. Throws Refusal ARCHIVE_NOT_FOUND and others where no manifest opens.
 */
export const checkCopies = async (
  { archives, blobs }: { archives: Archives; blobs: Locations },
  home: ScopeId,
  { backupId, manifestHash }: Pick<BackupRow, "backupId" | "manifestHash">,
  { progress, signal }: Pick<WorkContext, "progress" | "signal">,
): Promise<Copies> => {
  const { bytes } = await archives.open(home, backupId, manifestHash)
  const manifest = await archives.openManifest(bytes)
  const copies: Copies = { problems: new Map(), mended: 0 }
  const wanted = wantedOf(home, manifest)
  for (const [nth, one] of wanted.entries()) {
    signal.throwIfAborted()
    await checkOne(blobs, one, copies)
    await progress({ step: "reading every copy", parts: nth + 1, partsTotal: wanted.length })
  }
  return copies
}

const same = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0

const wantedOf = (home: ScopeId, opened: OpenManifest): Wanted[] => {
  const { manifest, bytes } = opened
  const parts = new Map<string, ArchivePart>()
  for (const table of manifest.tables) for (const part of table.parts) parts.set(part.id, part)
  return [
    {
      name: archiveName(ARCHIVE_ROOT, home, manifest.backupId),
      isWhole: async (found) => same(found, bytes),
    },
    ...[...parts.values()].map((part) => ({
      name: partName(ARCHIVE_ROOT, home, part.id),
      isWhole: (found: Uint8Array) =>
        opened.openPart(part, found).then(
          () => true,
          () => false,
        ),
    })),
  ]
}

const checkOne = async (blobs: Locations, { name, isWhole }: Wanted, copies: Copies): Promise<void> => {
  // Sealed twice, the same part is other bytes: each of these is whole.
  const whole: Uint8Array[] = []
  for (const { store } of blobs.locations) {
    const found = await store.get(name).catch(() => null)
    if (found !== null && (await isWhole(found))) whole.push(found)
  }
  if (whole.length === blobs.locations.length || whole.length === 0) return
  for (const copy of await blobs.mend(name, (found) => whole.some((one) => same(one, found)))) {
    if (copy.state === "mended") copies.mended += 1
    // Why else may say where on a machine or in whose account it is, and tenants read this.
    else if (copy.state !== "whole")
      copies.problems.set(
        copy.name,
        `${name} is ${copy.state}${copy.problem === LOCKED ? `: ${LOCKED}` : ""}`,
      )
  }
}
