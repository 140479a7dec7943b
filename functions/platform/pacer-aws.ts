import type { SFNClient, SFNClientConfig } from "@aws-sdk/client-sfn"
import { type ChangeId, parseChangeId } from "../../core/ids.ts"
import type { Database } from "../../db/client.ts"
import { keepTaskToken, takeTaskToken } from "../../db/queries/workflows.ts"
import type { Pacer } from "./pacer.ts"

export interface AwsPacerOptions {
  stateMachineArn: string
  /** As the role that sees one tenant at a time: it keeps what state machines wait with. */
  db: Database
  /** The rest of the client's settings; region and credentials are the function's own. */
  client?: SFNClientConfig
}

const LIMITS: SFNClientConfig = {
  maxAttempts: 3,
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 2_000 },
}

/** At most 80 characters without `:` or `~`: the part of a change's id that is unique by itself. */
const executionName = (changeId: ChangeId): string => changeId.slice(changeId.indexOf(":") + 1)

/** Whether the failure says that somebody was there before, so that there is nothing left to do. */
const isKnown = (error: unknown, names: readonly string[]): boolean =>
  error instanceof Error && names.includes(error.name)

/**
 * Step Functions: an execution per change, which waits with a task token that the database keeps.
 * The client is not loaded before it is needed, nor bundled: the runtime brings it along.
 */
export const awsPacer = ({ stateMachineArn, db, client: settings = {} }: AwsPacerOptions): Pacer => {
  let opened: Promise<{ sdk: typeof import("@aws-sdk/client-sfn"); client: SFNClient }> | undefined
  const open = () => {
    opened ??= import("@aws-sdk/client-sfn").then((sdk) => ({
      sdk,
      client: new sdk.SFNClient({ ...LIMITS, ...settings }),
    }))
    return opened
  }

  const begin = async (changeId: ChangeId): Promise<void> => {
    const { sdk, client } = await open()
    const input = JSON.stringify({ changeId })
    try {
      await client.send(
        new sdk.StartExecutionCommand({ stateMachineArn, name: executionName(changeId), input }),
      )
    } catch (error) {
      if (!isKnown(error, ["ExecutionAlreadyExists"])) throw error
    }
  }

  const tell = async (taskToken: string, changeId: ChangeId): Promise<void> => {
    const { sdk, client } = await open()
    try {
      await client.send(new sdk.SendTaskSuccessCommand({ taskToken, output: JSON.stringify({ changeId }) }))
    } catch (error) {
      if (!isKnown(error, ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"])) throw error
    }
  }

  const moved = async (changeId: ChangeId): Promise<void> => {
    const id = parseChangeId(changeId)
    const taskToken = id && (await takeTaskToken(db, id.scope, changeId))
    if (!id || !taskToken) return
    try {
      await tell(taskToken, changeId)
    } catch (error) {
      // For the sweeper to try again.
      await keepTaskToken(db, id.scope, changeId, taskToken)
      throw error
    }
  }

  return { begin, moved }
}

/** None where no state machine is named. */
export const pacerFor = (settings: { stateMachineArn: string | null }, db: Database): Pacer | undefined =>
  settings.stateMachineArn === null ? undefined : awsPacer({ stateMachineArn: settings.stateMachineArn, db })
