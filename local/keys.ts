import { mkdirSync } from "node:fs"
import { openDatabase } from "../db/client.ts"
import { wrappingKeys } from "../db/queries/secret-upkeep.ts"
import { makeMasterKey, masterKeyPath, readMasterKey } from "../functions/platform/keys/master-key.ts"
import { StartError } from "./settings.ts"

const FILE_KEY = /^file:([0-9a-f]{16}):/

/**
 * The master key of this folder is there, and is the one that this database's secrets were sealed under; where nothing
 * was sealed yet, it is made. Throws StartError that says what to do.
 */
export const keepMasterKey = async (directory: string, systemUrl: string): Promise<void> => {
  const used = await usedKeys(systemUrl)
  const path = masterKeyPath(directory)
  const master = read(directory)
  if (master && [...used].some((id) => id !== master.id))
    throw new StartError(
      `${path} is not the key that the secrets in this database were sealed under: put that one back`,
    )
  if (master) return
  if (used.size > 0)
    throw new StartError(
      `${path} is missing, and the secrets in this database open with no other: put it back from where you keep a copy`,
    )
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    makeMasterKey(directory)
  } catch (error) {
    throw new StartError(`${path} could not be made: ${(error as Error).message}`, { cause: error })
  }
}

const read = (directory: string) => {
  try {
    return readMasterKey(directory)
  } catch (error) {
    throw new StartError((error as Error).message, { cause: error })
  }
}

/** The ids of the master keys that data keys in this database were wrapped under. */
const usedKeys = async (systemUrl: string): Promise<Set<string>> => {
  const system = openDatabase({ url: systemUrl, applicationName: "hotswap-start", max: 1 })
  try {
    return new Set((await wrappingKeys(system)).flatMap((by) => FILE_KEY.exec(by)?.[1] ?? []))
  } finally {
    await system.close()
  }
}
