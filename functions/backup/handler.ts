import type { JsonObject } from "../../core/json.ts"
import type { InvocationContext } from "../http/events.ts"
import { composeBackup } from "../platform/compose-backup.ts"
import { createBackup } from "./backup.ts"

const platform = composeBackup(process.env)
const { runner, tasks } = createBackup(platform)

/** Until what is under way has heard that the time is up, and what came of it is written down. */
const SPARE_MS = 30_000

/** A message of the queue that something is due, or a schedule's call for one task. */
type Event = { Records: readonly unknown[] } | { task: string }

/** Looked for rather than read from the message: which jobs there are, the database knows. */
const work = async (context: InvocationContext): Promise<JsonObject> =>
  await runner.run(platform.clock.nowMs() + context.getRemainingTimeInMillis() - SPARE_MS)

const answerTo = async (event: Event, context: InvocationContext): Promise<JsonObject> => {
  if (!("task" in event)) return { ...(await work(context)), batchItemFailures: [] }
  if (event.task === "work") return await work(context)
  const task = tasks.get(event.task)
  if (!task) throw new Error(`there is no task "${event.task}"`)
  return await task.run()
}

export const handler = async (event: Event, context: InvocationContext): Promise<JsonObject> => {
  const answer = await answerTo(event, context)
  await platform.background.settled()
  return answer
}
