import { type Database, openDatabase } from "../../db/client.ts"
import { type Basics, composeBasics, type Overrides } from "./compose.ts"
import { composeKeys } from "./keys/compose-keys.ts"
import type { Vault } from "./keys/vault.ts"
import { composeMessenger, type Messenger } from "./messages/messenger.ts"
import { readSettings } from "./settings.ts"

/** What sends messages: it finds what is due in every tenant, and reads one tenant at a time. */
export interface NotifyPlatform extends Basics {
  /** As the role that sees one tenant at a time. */
  db: Database
  /** As the role of the few cross-tenant queries. */
  system: Database
  /** Opens what messages are signed with, or posted to. */
  vault: Vault | undefined
  messenger: Messenger
  /** From 0 to 1, for the times of repeated attempts. */
  chance(): number
  close(): Promise<void>
}

/** Throws SettingsError. Nothing is connected before the first look needs it. */
export const composeNotify = (
  variables: Readonly<Record<string, string | undefined>>,
  overrides: Overrides = {},
): NotifyPlatform => {
  const settings = readSettings(variables, ["databaseUrl", "databaseSystemUrl"])
  const db = openDatabase({ url: settings.databaseUrl, applicationName: "hotswap-notify", max: 4 })
  const system = openDatabase({
    url: settings.databaseSystemUrl,
    applicationName: "hotswap-notify-system",
    max: 1,
  })
  const basics = composeBasics("notify", overrides, variables)
  return {
    ...basics,
    vault: composeKeys(variables, settings, { db, clock: basics.clock }).vault,
    db,
    system,
    messenger: composeMessenger(settings),
    chance: Math.random,
    close: async () => {
      await Promise.all([db.close(), system.close()])
    },
  }
}
