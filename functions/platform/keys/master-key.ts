import { createHash, randomBytes } from "node:crypto"
import { closeSync, fsyncSync, openSync, readFileSync, statSync, writeSync } from "node:fs"
import { dirname, join } from "node:path"
import { KEY_BYTES } from "./sealing.ts"

/** What wrapping keys are derived from, together with what is kept of each scope. */
export interface MasterKey {
  key: Uint8Array
  /** Tells this one from another, and nothing of it. */
  id: string
}

const HEX = /^[0-9a-f]{64}\n?$/
const OTHERS = 0o077

export const masterKeyPath = (directory: string): string => join(directory, "master.key")

const idOf = (key: Uint8Array): string =>
  createHash("sha256").update("hotswap master key 1").update(key).digest("hex").slice(0, 16)

/** `null`: there is none. Throws an Error that says what to do, in one line. */
export const readMasterKey = (directory: string): MasterKey | null => {
  const path = masterKeyPath(directory)
  let text: string
  let mode: number
  try {
    mode = statSync(path).mode
    text = readFileSync(path, "latin1")
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null
    throw new Error(`${path} cannot be read: start as the user it belongs to`, { cause: error })
  }
  if ((mode & OTHERS) !== 0)
    throw new Error(`${path} can be read by others on this machine: chmod 600 it, and think of who has`)
  if (!HEX.test(text))
    throw new Error(`${path} is damaged, not 64 hex digits: put it back from where you keep a copy`)
  const key = Buffer.from(text.trim(), "hex")
  return { key, id: idOf(key) }
}

/** Makes one by chance, on disk before anything is sealed with it. Throws where there is one already. */
export const makeMasterKey = (directory: string): MasterKey => {
  const key = randomBytes(KEY_BYTES)
  writeNew(masterKeyPath(directory), `${key.toString("hex")}\n`)
  return { key, id: idOf(key) }
}

/** A file that was not there, for its owner alone, that outlives a power cut. Throws EEXIST. */
export const writeNew = (path: string, content: string | Uint8Array): void => {
  const file = openSync(path, "wx", 0o600)
  try {
    writeSync(file, Buffer.from(content))
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  syncDirectory(dirname(path))
}

/** So that names that were made or taken away in it stay so. */
export const syncDirectory = (path: string): void => {
  const directory = openSync(path, "r")
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}
