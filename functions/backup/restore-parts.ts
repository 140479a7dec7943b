import type { Instant } from "../../core/change/change.ts"
import type { Environment } from "../../core/environment.ts"
import type { ScopeId, TenantId } from "../../core/ids.ts"
import type { JobOwner } from "../../core/job/job.ts"
import type { Database } from "../../db/client.ts"
import type { Archives } from "../platform/archive/archives.ts"
import type { Clock } from "../platform/clock.ts"
import type { KeyRing } from "../platform/keys/key-ring.ts"
import type { Log } from "../platform/log.ts"
import type { Publisher } from "../platform/publish.ts"
import type { WorkContext } from "./work.ts"

/** A part of what jobs are done with. */
export interface RestorePlatform {
  db: Database
  /** For the one transaction in which a tenant is made, which may take minutes. */
  bulk: Database
  keyRing: KeyRing
  archives: Pick<Archives, "open">
  publisher: Pick<Publisher, "publish">
  clock: Clock
  log: Log
  settings: { environments: readonly Environment[] }
}

/** A tenant to be made of an archive. */
export interface RestoreNew {
  /** The scope whose archive it is. */
  source: ScopeId
  /** A UUID. */
  backupId: string
  /** Whose folder the archive is in; left out, the source's. */
  home?: ScopeId
  /** Of its manifest, as it was listed. */
  hash?: string | null
  /** Is not here, and never was. The source itself: its rows come back as they were. */
  target: TenantId
  name?: string | undefined
  /** Only of another id: as it was then. */
  asOf?: Instant | undefined
  /** Everything but that it takes effect. */
  dryRun?: boolean | undefined
  how: "restore" | "clone"
  /** A trial: a tenant that nobody sees, of which nobody is told, and that is removed again. */
  isDrill?: boolean | undefined
  jobId: string
  by: JobOwner
}

export type RestoreContext = Pick<WorkContext, "progress" | "signal"> & Partial<Pick<WorkContext, "hold">>
