import { accessSync, constants, mkdirSync } from "node:fs"
import { takeDirectory } from "./postgres/ownership.ts"
import { StartError } from "./settings.ts"

/**
 * Makes the home where it is not there yet, and takes it for this process; the mark of one that was killed is
 * taken over. Returns what gives it back. Throws StartError: not writable, or in use, and by whom.
 */
export const takeHome = (home: string): (() => void) => {
  try {
    // Passable for the user that PostgreSQL may have to run as, readable for nobody else.
    mkdirSync(home, { recursive: true, mode: 0o711 })
    accessSync(home, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new StartError(`${home} cannot be written to: choose another HOTSWAP_HOME, or change its owner`, {
      cause: error,
    })
  }
  try {
    return takeDirectory(home).giveBack
  } catch (error) {
    throw new StartError((error as Error).message, { cause: error })
  }
}
