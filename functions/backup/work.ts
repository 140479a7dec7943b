import type { Instant } from "../../core/change/change.ts"
import type { Job, JobProgress } from "../../core/job/job.ts"
import type { JsonObject } from "../../core/json.ts"
import type { TenantTx } from "../../db/tenant.ts"

/** One attempt at a job: what it is, and how its work tells how far it has come. */
export interface WorkContext {
  /** As it was when this attempt began; its `checkpoint` is what the last one left. */
  job: Job
  /**
   * Call it often: it costs nothing, and is written down once a second. Throws once the attempt is to end, be it that the
   * job was cancelled, that the time is up, or that somebody else holds it now.
   */
  progress(progress: JobProgress): Promise<void>
  /**
   * Durable when it returns: another attempt goes on from here. Throws as `progress` does. With a transaction it is a part of
   * that, so that what was done and that it was done are written together, and nothing is done twice; call it last then.
   */
  checkpoint(state: JsonObject, tx?: TenantTx): Promise<void>
  /**
   * For a transaction that must not take effect twice: holds the job until the transaction ends, so that nobody takes it over
   * before. Throws where somebody did.
   */
  hold(tx: TenantTx): Promise<void>
  /** Aborted once the attempt is to end; whatever is thrown after it is taken for its end. */
  signal: AbortSignal
}

/** `later`: not before `at`, going on from the last checkpoint. */
export type WorkOutcome = { kind: "done"; result: JsonObject } | { kind: "later"; at?: Instant }

/** Throws a Refusal where the job cannot be done, which becomes its problem; anything else leads to another attempt. */
export type Work = (context: WorkContext) => Promise<WorkOutcome>
