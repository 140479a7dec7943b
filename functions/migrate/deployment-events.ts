import { setTimeout as pause } from "node:timers/promises"

/**
 * What CloudFormation calls a custom resource with, and waits for an answer to at the URL:
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html
 */
export interface DeploymentEvent {
  RequestType: "Create" | "Update" | "Delete"
  /** May be written to once, by whoever has it: shown to nobody. */
  ResponseURL: string
  StackId: string
  RequestId: string
  LogicalResourceId: string
}

export type Outcome = { ok: true; applied: number } | { ok: false; reason: string }

/** The same for ever: another one would tell CloudFormation that the resource was replaced and the old one is to be deleted. */
const RESOURCE_ID = "hotswap-database"
/** The whole answer may have 4 KiB. */
const REASON_LENGTH_MAX = 1_000
/** As nobody repeats what could not be told, it is tried for about twenty seconds: less than the function keeps back for it. */
const TRIES_MAX = 6
const TRY_LIMIT_MS = 2_500
const FIRST_PAUSE_MS = 200

/** Tells CloudFormation what came of it. Throws where it could not be told: it waits until its own time is up then. */
export const tellDeployment = async (
  { ResponseURL, StackId, RequestId, LogicalResourceId }: DeploymentEvent,
  outcome: Outcome,
): Promise<void> => {
  const told = {
    ...(outcome.ok
      ? { Status: "SUCCESS", Data: { Applied: String(outcome.applied) } }
      : { Status: "FAILED", Reason: outcome.reason.slice(0, REASON_LENGTH_MAX) }),
    PhysicalResourceId: RESOURCE_ID,
    StackId,
    RequestId,
    LogicalResourceId,
  }
  // As bytes, which come without a content type: the URL is signed for none.
  const body = new TextEncoder().encode(JSON.stringify(told))
  for (let tried = 1; ; tried++)
    try {
      const signal = AbortSignal.timeout(TRY_LIMIT_MS)
      const { ok, status } = await fetch(ResponseURL, { method: "PUT", body, signal })
      if (ok) return
      throw new Error(`the deployment could not be told: ${status}`)
    } catch (error) {
      if (tried === TRIES_MAX) throw error
      await pause(FIRST_PAUSE_MS * 2 ** (tried - 1))
    }
}
