import type { JobKind } from "../../core/job/job.ts"
import type { BackupPlatform } from "../platform/compose-backup.ts"
import { adoptWork } from "./adopt.ts"
import { cloneWork } from "./clone.ts"
import { createWork } from "./create.ts"
import { drillWork } from "./drill.ts"
import { handOverWork } from "./hand-over.ts"
import { importWork } from "./import.ts"
import { migrateWork } from "./migrate.ts"
import { restoreWork } from "./restore.ts"
import { validateWork } from "./validate.ts"
import type { Work } from "./work.ts"

/** How a kind of job is done. */
export type WorkFactory = (platform: BackupPlatform) => Work

/** Every kind of job that there is work for. */
export const WORKS: Readonly<Partial<Record<JobKind, WorkFactory>>> = {
  "backup.adopt": adoptWork,
  "backup.hand_over": handOverWork,
  "backup.import": importWork,
  "backup.create": createWork,
  "backup.validate": validateWork,
  "backup.drill": drillWork,
  "backup.restore": restoreWork,
  "tenant.clone": cloneWork,
  "tenant.migrate": migrateWork,
}
