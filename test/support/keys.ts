import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Database } from "../../db/client.ts"
import type { Clock } from "../../functions/platform/clock.ts"
import { fileKeyRing } from "../../functions/platform/keys/file-key-ring.ts"
import type { KeyRing } from "../../functions/platform/keys/key-ring.ts"
import { makeMasterKey } from "../../functions/platform/keys/master-key.ts"
import { createVault, type Vault } from "../../functions/platform/keys/vault.ts"

/** A folder of keys that nobody else has; gone with the run's temporary directory. */
export const keyFolder = (): string => mkdtempSync(join(tmpdir(), "hotswap-keys-"))

/** What seals in a test, and the folder that its keys are in. */
export const testKeys = (parts: {
  db: Database
  clock: Clock
}): { keyRing: KeyRing; vault: Vault; keyDirectory: string } => {
  const keyDirectory = keyFolder()
  const keyRing = fileKeyRing(keyDirectory, makeMasterKey(keyDirectory))
  return { keyRing, vault: createVault({ ...parts, keyRing }), keyDirectory }
}
