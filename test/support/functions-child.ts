import type { ChangeId } from "../../core/ids.ts"
import { createAdvance } from "../../functions/advance/advance.ts"
import { createManage } from "../../functions/manage/manage.ts"
import { createOutcomes } from "../../functions/outcomes/outcomes.ts"
import { composeAdvance } from "../../functions/platform/compose-advance.ts"
import { composeManage } from "../../functions/platform/compose-manage.ts"
import { composeOutcomes } from "../../functions/platform/compose-outcomes.ts"
import { composeRelay } from "../../functions/platform/compose-relay.ts"
import { createRelay } from "../../functions/relay/relay.ts"
import { CONTEXT, eventOf } from "./function-events.ts"
import type { FunctionTask, TaskAnswer } from "./functions-process.ts"
import { type KillPoint, watchPortCalls } from "./port-calls.ts"

// The functions in a process of their own, asked by the one that started it.

const portOf = (variable: string): number => Number(new URL(process.env[variable]!).port)
const calls = watchPortCalls([portOf("DATABASE_URL"), portOf("UPSTASH_REDIS_REST_URL")])
const platforms = {
  manage: composeManage(process.env),
  outcomes: composeOutcomes(process.env),
  advance: composeAdvance(process.env),
  relay: composeRelay(process.env),
}
const manage = createManage(platforms.manage)
const outcomes = createOutcomes(platforms.outcomes)
const advance = createAdvance(platforms.advance)
const relay = createRelay(platforms.relay)

const settled = () => Promise.all(Object.values(platforms).map(({ background }) => background.settled()))

const carryOut = async (task: FunctionTask): Promise<TaskAnswer> => {
  switch (task.kind) {
    case "request": {
      const { method, path, token, body } = task
      const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" }
      const event = eventOf(method, path, {
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const handler = path === "/api/v1/outcomes" ? outcomes : manage.handler
      const reply = await handler(event, CONTEXT)
      return { status: reply.statusCode, body: reply.body === "" ? null : JSON.parse(reply.body) }
    }
    case "step":
      return {
        status: 200,
        body: await advance.task({
          task: "advance",
          changeId: task.changeId as ChangeId,
          round: 0,
          step: task.step,
        }),
      }
    case "tick":
      return { status: 200, body: await advance.tick() }
    case "sweep":
      return { status: 200, body: await relay.sweep() }
  }
}

process.on(
  "message",
  async ({
    id,
    task,
    at,
    kill,
  }: {
    id: number
    task: FunctionTask
    /** Not before this time, so that several processes begin together. */
    at?: number
    kill?: KillPoint
  }) => {
    while (at !== undefined && performance.timeOrigin + performance.now() < at);
    calls.begin(kill ?? null)
    const answer = await carryOut(task).catch((error: unknown) => ({ status: 0, body: String(error) }))
    await settled()
    calls.end()
    process.send!({ id, answer })
  },
)
process.on("disconnect", () => process.exit())
process.send!({ id: 0 })
