import { isBackupId } from "../../core/backup/manifest-format.ts"
import { parseScopeId, type ScopeId } from "../../core/ids.ts"

/** Where the manifest of an archive waits until all of its parts are there: nothing is an archive before. */
export const stagedName = (home: ScopeId, backupId: string): string => {
  if (parseScopeId(home) !== home || !isBackupId(backupId))
    throw new Error(`"${home}", "${backupId}" is no import`)
  return `imports/${home}/${backupId}`
}
