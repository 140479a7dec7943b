import { hkdfSync, randomBytes } from "node:crypto"
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from "node:fs"
import { join } from "node:path"
import { Refusal } from "../../../core/errors.ts"
import type { ScopeId } from "../../../core/ids.ts"
import { framed, keyNameBytes } from "../../../core/secret/place.ts"
import type { KeyRing } from "./key-ring.ts"
import { type MasterKey, syncDirectory, writeNew } from "./master-key.ts"
import { KEY_BYTES, NotOpened, open, seal } from "./sealing.ts"

const SEED = /^(\d{1,9})\.seed$/
const SHREDDED = "shredded"
const BY = /^file:([0-9a-f]{16}):(\d{1,9})$/

/**
 * Wrapping keys derived (HKDF, RFC 5869) from the master key and a seed of the scope's own, a file beside it: without
 * either there is no key, so that taking away a scope's seeds shreds what was sealed for it alone. Scopes' names are
 * fit for files.
 */
export const fileKeyRing = (directory: string, master: MasterKey): KeyRing => {
  const folder = (scope: ScopeId): string => join(directory, "scopes", scope)

  const numbers = (scope: ScopeId): number[] => {
    const names = existsSync(folder(scope)) ? readdirSync(folder(scope)) : []
    if (names.includes(SHREDDED)) throw shredded(scope)
    return names.flatMap((name) => SEED.exec(name)?.[1] ?? []).map(Number)
  }

  const seedPath = (scope: ScopeId, number: number): string => join(folder(scope), `${number}.seed`)

  const wrappingKey = (scope: ScopeId, number: number): Uint8Array => {
    if (!numbers(scope).includes(number)) throw new NotOpened()
    const seed = readFileSync(seedPath(scope, number))
    if (seed.length !== KEY_BYTES) throw new NotOpened()
    const about = framed("hotswap wrapping key 1", scope, number)
    return new Uint8Array(hkdfSync("sha256", master.key, seed, about, KEY_BYTES))
  }

  const make = (scope: ScopeId, number: number): number => {
    mkdirSync(folder(scope), { recursive: true, mode: 0o700 })
    try {
      writeNew(seedPath(scope, number), randomBytes(KEY_BYTES))
      syncDirectory(join(directory, "scopes"))
      syncDirectory(directory)
    } catch (error) {
      // Somebody else made it at this moment: it is as good.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
    }
    return number
  }

  const latest = (scope: ScopeId): number => Math.max(0, ...numbers(scope)) || make(scope, 1)

  return {
    wrap: async (name, key) =>
      kept(() => {
        const number = latest(name.scope)
        const bytes = seal(wrappingKey(name.scope, number), key, keyNameBytes(name))
        return { bytes, by: `file:${master.id}:${number}` }
      }),
    unwrap: async (name, { bytes, by }) =>
      kept(() => {
        const [, masterId, number] = BY.exec(by) ?? []
        if (masterId !== master.id) throw new NotOpened()
        return open(wrappingKey(name.scope, Number(number)), bytes, keyNameBytes(name))
      }),
    renew: async (scope) =>
      kept(() => {
        make(scope, Math.max(0, ...numbers(scope)) + 1)
      }),
    shred: async (scope) =>
      kept(() => {
        mkdirSync(folder(scope), { recursive: true, mode: 0o700 })
        const names = readdirSync(folder(scope))
        // First, so that no key is made while the others go.
        if (!names.includes(SHREDDED)) writeNew(join(folder(scope), SHREDDED), "")
        const seeds = names.filter((name) => SEED.test(name))
        for (const name of seeds) erase(join(folder(scope), name))
        syncDirectory(folder(scope))
        return seeds.length
      }),
  }
}

const shredded = (scope: ScopeId): Refusal =>
  new Refusal("SECRET_SHREDDED", `The keys of "${scope}" were destroyed.`)

/** What the disk refuses is no fault of who asks. */
const kept = <Result>(work: () => Result): Result => {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error)) throw error
    throw new Refusal("SECRET_KEYS_UNAVAILABLE", "The folder of keys cannot be used.", { cause: error })
  }
}

/** Written over first; a disk that keeps old blocks may still hold it, without the master key of no use. */
const erase = (path: string): void => {
  const file = openSync(path, "r+")
  try {
    writeSync(file, randomBytes(KEY_BYTES))
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  unlinkSync(path)
}
