import type { InvocationContext } from "../http/events.ts"
import { composeBasics } from "../platform/compose.ts"
import { type DeploymentEvent, type Outcome, tellDeployment } from "./deployment-events.ts"
import { bringUpToDate } from "./migrate.ts"

const basics = composeBasics("migrate", {})

/** What is left for undoing what was begun, and for telling the deployment. */
const SPARE_MS = 30_000

/** A deployment's call, or somebody's own: after a role's password was changed, say. */
type Event = DeploymentEvent | { task: "migrate" }

/** Drizzle tells the whole statement; what was wrong with it stands in what caused that. */
const reasonOf = (error: unknown): string => {
  let cause = error
  while (cause instanceof Error && cause.cause instanceof Error) cause = cause.cause
  return cause instanceof Error ? cause.message : String(cause)
}

const run = (context: InvocationContext): Promise<number> =>
  bringUpToDate(basics, {
    variables: process.env,
    untilMs: basics.clock.nowMs() + context.getRemainingTimeInMillis() - SPARE_MS,
  })

const outcomeOf = async (event: DeploymentEvent, context: InvocationContext): Promise<Outcome> => {
  // The data stays when the functions go.
  if (event.RequestType === "Delete") return { ok: true, applied: 0 }
  try {
    return { ok: true, applied: await run(context) }
  } catch (error) {
    basics.log.error("the database was not migrated", { error })
    return { ok: false, reason: reasonOf(error) }
  }
}

/** Nothing is read before it is called: a deployment that waits has to be told of wrong settings, too. */
export const handler = async (event: Event, context: InvocationContext): Promise<{ applied: number }> => {
  if ("task" in event && event.task === "migrate") return { applied: await run(context) }
  if (!("ResponseURL" in event)) throw new Error("only deployments, and the task migrate, are known here")
  const outcome = await outcomeOf(event, context)
  await tellDeployment(event, outcome)
  return { applied: outcome.ok ? outcome.applied : 0 }
}
