import type { JobKind } from "../../core/job/job.ts"
import type { JsonObject } from "../../core/json.ts"
import type { BackupPlatform } from "../platform/compose-backup.ts"
import { createRunner, type Runner, type RunnerOptions } from "./runner.ts"
import { TASKS } from "./tasks.ts"
import type { Work } from "./work.ts"
import { WORKS } from "./works.ts"

export interface Backup {
  runner: Runner
  /** What is done again and again, by name. */
  tasks: ReadonlyMap<string, { everyMs: number; run: () => Promise<JsonObject> }>
}

/** Does jobs, and what leads to them by the clock. */
export const createBackup = (platform: BackupPlatform, options?: RunnerOptions): Backup => {
  const works: Partial<Record<JobKind, Work>> = {}
  for (const [kind, make] of Object.entries(WORKS)) works[kind as JobKind] = make(platform)
  const tasks = Object.entries(TASKS).map(
    ([name, { everyMs, make }]) => [name, { everyMs, run: make(platform) }] as const,
  )
  return { runner: createRunner(platform, works, options), tasks: new Map(tasks) }
}
