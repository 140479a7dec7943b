import { accessSync, constants, existsSync, mkdirSync } from "node:fs"
import { dirname } from "node:path"
import { takeDirectory } from "./postgres/ownership.ts"
import { StartError } from "./settings.ts"

/** One by one: Node's own way of making them all never ends where nothing can be made, as below /proc. */
const makeFolders = (path: string): void => {
  if (existsSync(path)) return
  makeFolders(dirname(path))
  try {
    // Passable for the user that PostgreSQL may have to run as, readable for nobody else.
    mkdirSync(path, { mode: 0o711 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
  }
}

/**
 * Makes the home where it is not there yet, and takes it for this process; the mark of one that was killed is
 * taken over. Returns what gives it back. Throws StartError: not writable, or in use, and by whom.
 */
export const takeHome = (home: string): (() => void) => {
  try {
    makeFolders(home)
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
