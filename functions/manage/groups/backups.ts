import type { Route } from "../../http/route.ts"
import { backupScheduleRoutes } from "../backup-schedule.ts"
import { backupRoutes } from "../backups.ts"
import { allBackupsRoute } from "../backups-all.ts"
import { cloneRoute } from "../clone.ts"
import type { ManageDeps } from "../deps.ts"
import { downloadRoutes } from "../downloads.ts"
import { deploymentRoute } from "../hand-over.ts"
import { importRoutes } from "../imports.ts"
import { jobRoutes } from "../jobs.ts"
import { migrateRoute } from "../migrate.ts"
import { restoreRoutes } from "../restore.ts"

export const routes = (deps: ManageDeps): Route[] => [
  ...backupScheduleRoutes(deps),
  ...backupRoutes(deps),
  allBackupsRoute(deps),
  cloneRoute(deps),
  ...restoreRoutes(deps),
  migrateRoute(deps),
  ...jobRoutes(deps),
  ...downloadRoutes(deps),
  ...importRoutes(deps),
  deploymentRoute(deps),
]
