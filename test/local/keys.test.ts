import { chmodSync, existsSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { TenantId } from "../../core/ids.ts"
import { Secret } from "../../core/secret/secret.ts"
import { fileKeyRing } from "../../functions/platform/keys/file-key-ring.ts"
import { makeMasterKey, masterKeyPath, readMasterKey } from "../../functions/platform/keys/master-key.ts"
import { createVault } from "../../functions/platform/keys/vault.ts"
import { keepMasterKey } from "../../local/keys.ts"
import { StartError } from "../../local/settings.ts"
import { makeTenant } from "../db/fixtures.ts"
import { handClock } from "../functions/platform/fakes.ts"
import { type OpenTestDatabase, openTestDatabase } from "../support/database.ts"
import { keyFolder } from "../support/keys.ts"

const ACME = "acme" as TenantId
let database: OpenTestDatabase
let systemUrl: string
beforeAll(async () => {
  database = await openTestDatabase()
  systemUrl = database.url("hotswap_system")
})
afterAll(() => database.close())

const refusal = async (directory: string): Promise<string> => {
  const error = await keepMasterKey(directory, systemUrl).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(StartError)
  expect((error as Error).message).not.toContain("\n")
  return (error as Error).message
}

test("the first start makes a master key, for its owner alone, and the next ones keep it", async () => {
  const directory = join(keyFolder(), "keys")
  await keepMasterKey(directory, systemUrl)
  const { id } = readMasterKey(directory)!
  await keepMasterKey(directory, systemUrl)
  expect(readMasterKey(directory)!.id).toBe(id)
  expect(statSync(masterKeyPath(directory)).mode & 0o777).toBe(0o600)
  expect(statSync(directory).mode & 0o777).toBe(0o700)
})

test("once something is sealed, a start with the key missing, exchanged or open to others says so in one line", async () => {
  const directory = keyFolder()
  const keyRing = fileKeyRing(directory, makeMasterKey(directory))
  await makeTenant(database.app, ACME)
  const place = { scope: ACME, realm: "QA", name: "k", version: 1 }
  await createVault({ db: database.app, keyRing, clock: handClock() }).seal(place, new Secret("x"))
  await keepMasterKey(directory, systemUrl)

  const empty = keyFolder()
  expect(await refusal(empty)).toMatch(
    /master\.key is missing, and the secrets in this database open with no/,
  )
  expect(existsSync(masterKeyPath(empty))).toBe(false)
  const other = keyFolder()
  makeMasterKey(other)
  expect(await refusal(other)).toMatch(/master\.key is not the key that the secrets in this database were/)
  chmodSync(masterKeyPath(directory), 0o640)
  expect(await refusal(directory)).toMatch(/master\.key can be read by others on this machine: chmod 600/)
  rmSync(masterKeyPath(directory))
  expect(await refusal(directory)).toMatch(/master\.key is missing/)
})
