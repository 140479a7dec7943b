import type { JsonObject } from "../../core/json.ts"
import type { BackupPlatform } from "../platform/compose-backup.ts"
import { startDrill } from "./drill.ts"
import { planBackups } from "./planner.ts"
import { retainBackups } from "./retain.ts"
import { removeStaleTransfers } from "./stale-transfers.ts"

/** What is done again and again without being asked for. */
export interface Task {
  /** From the end of one to the beginning of the next, where a timer in the same process starts it. */
  everyMs: number
  /** Made once; each call is one turn, and answers with what it did. */
  make: (platform: BackupPlatform) => () => Promise<JsonObject>
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** By the name that a schedule calls it: `{"task":"plan"}`. */
export const TASKS: Readonly<Record<string, Task>> = {
  plan: { everyMs: MINUTE_MS, make: (platform) => () => planBackups(platform) },
  retain: { everyMs: HOUR_MS, make: (platform) => () => retainBackups(platform) },
  drill: { everyMs: 24 * HOUR_MS, make: (platform) => () => startDrill(platform) },
  imports: { everyMs: 600_000, make: removeStaleTransfers },
}
