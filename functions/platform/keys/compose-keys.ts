import type { Database } from "../../../db/client.ts"
import type { Clock } from "../clock.ts"
import { isDeployed } from "../deployed.ts"
import { SettingsError } from "../settings.ts"
import { fileKeyRing } from "./file-key-ring.ts"
import type { KeyRing } from "./key-ring.ts"
import { kmsKeyRing } from "./kms-key-ring.ts"
import { masterKeyPath, readMasterKey } from "./master-key.ts"
import { createVault, type Vault } from "./vault.ts"

/** What seals; both absent where nothing is set up to, on the machine of whoever tries it. */
export interface Keys {
  keyRing: KeyRing | undefined
  vault: Vault | undefined
}

/** Throws SettingsError. */
export const composeKeys = (
  variables: Readonly<Record<string, string | undefined>>,
  settings: { keyDirectory: string | null; kmsAlias: string | null },
  parts: { db: Database; clock: Clock },
): Keys => {
  const keyRing = keyRingOf(variables, settings, parts.clock)
  return { keyRing, vault: keyRing && createVault({ ...parts, keyRing }) }
}

const keyRingOf = (
  variables: Readonly<Record<string, string | undefined>>,
  { keyDirectory, kmsAlias }: { keyDirectory: string | null; kmsAlias: string | null },
  clock: Clock,
): KeyRing | undefined => {
  if (keyDirectory !== null && kmsAlias !== null)
    throw new SettingsError(["HOTSWAP_KEY_DIRECTORY and HOTSWAP_KMS_ALIAS are both set: leave one out"])
  if (kmsAlias !== null) return kmsKeyRing({ alias: kmsAlias, variables, clock })
  if (keyDirectory !== null) return fileRingIn(keyDirectory)
  if (isDeployed(variables))
    throw new SettingsError([
      "HOTSWAP_KMS_ALIAS is not set, nor HOTSWAP_KEY_DIRECTORY: nothing seals secrets",
    ])
  return undefined
}

const fileRingIn = (directory: string): KeyRing => {
  try {
    const master = readMasterKey(directory)
    if (master) return fileKeyRing(directory, master)
  } catch (error) {
    throw new SettingsError([(error as Error).message])
  }
  throw new SettingsError([
    `${masterKeyPath(directory)} is missing: put it back from where you keep a copy; with another one nothing that was sealed opens`,
  ])
}
