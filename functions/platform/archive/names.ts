import { isBackupId, isPartId } from "../../../core/backup/manifest-format.ts"
import { parseScopeId, type ScopeId } from "../../../core/ids.ts"

/** Where archives are in a blob store, unless it is said otherwise. */
export const ARCHIVE_ROOT = "backups"

const homeFolder = (root: string, home: ScopeId): string => {
  if (parseScopeId(home) !== home) throw new Error(`"${home}" is no home of archives`)
  return `${root}/${home}`
}

export const archivesFolder = (root: string, home: ScopeId): string => `${homeFolder(root, home)}/archives`
export const partsFolder = (root: string, home: ScopeId): string => `${homeFolder(root, home)}/parts`

/** Throws what is not the id of an archive: it came from outside, and becomes part of a path. */
export const archiveName = (root: string, home: ScopeId, backupId: string): string => {
  if (!isBackupId(backupId)) throw new Error(`"${backupId}" is not the id of an archive`)
  return `${archivesFolder(root, home)}/${backupId}`
}

/** The same of a part. */
export const partName = (root: string, home: ScopeId, partId: string): string => {
  if (!isPartId(partId)) throw new Error(`"${partId}" is not the id of a part`)
  return `${partsFolder(root, home)}/${partId}`
}

export const lastWord = (name: string): string => name.slice(name.lastIndexOf("/") + 1)
