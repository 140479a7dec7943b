import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { json } from "node:stream/consumers"
import { StateMachine } from "aws-local-stepfunctions"
import type { ChangeId } from "../../core/ids.ts"
import type { Database } from "../../db/client.ts"
import { type Look, parseTask, type Task } from "../../functions/advance/tasks.ts"
import { awsPacer } from "../../functions/platform/pacer-aws.ts"

/** What executions touch: the function, its database, and a clock that is moved by hand. */
interface Paced {
  app: Database
  advance: { task(task: Task): Promise<Look> }
  platform: { clock: { nowMs(): number } }
  moveClock(ms: number): void
}

type Over = "woken" | "timed out"
type Waiting = "WaitUntilDue" | "WaitForSomebody"

export interface Execution {
  name: string
  changeId: ChangeId
  /** The states it was in, in their order: for certain once it has ended. */
  path: string[]
  /** How often it has asked the function, in vain too. */
  asked: number
  /** In which state it waits, and until when; `null` while it does something or has ended. */
  waiting: { state: Waiting; untilMs: number; end: (how: Over) => void } | null
  /** How it failed, if it did, as soon as it has ended. */
  ended: { failure: string | null } | null
}

const MACHINE_ARN = "arn:aws:states:eu-central-1:123456789012:stateMachine:Hotswap-test-Rollout"
const CLIENT = {
  region: "eu-central-1",
  credentials: { accessKeyId: "test", secretAccessKey: "test" },
  maxAttempts: 1,
}

const timeout = (): Error => Object.assign(new Error("nobody came"), { name: "States.Timeout" })

export type StepFunctions = Awaited<ReturnType<typeof startStepFunctions>>

/**
 * Step Functions as far as it is used: two calls over HTTP, and executions of a definition, whose tasks are the real
 * function's. Its time is the world's: an execution rests until {@link passTime}, or until its token is handed back.
 */
export const startStepFunctions = async (definition: object, world: Paced) => {
  const machine = new StateMachine(definition as ConstructorParameters<typeof StateMachine>[0])
  const executions: Execution[] = []
  const tokens = new Map<string, (how: Over) => void>()
  const aborts: (() => void)[] = []
  let tokensGiven = 0
  let watchers: (() => void)[] = []
  /** For a test to set: what is done before a task, where it may throw, and which calls the service fails. */
  const faults = {
    before: async (_task: Task, _execution: Execution): Promise<void> => {},
    fails: (_operation: string): boolean => false,
  }

  const changed = (): void => {
    const told = watchers
    watchers = []
    for (const tell of told) tell()
  }
  const isBusy = ({ waiting, ended }: Execution): boolean => waiting === null && ended === null
  /** Resolves once every execution waits or has ended. */
  const rest = async (): Promise<void> => {
    while (executions.some(isBusy)) await new Promise<void>((tell) => watchers.push(tell))
  }

  /** A wait that may be over before it begins. */
  const waitOf = (execution: Execution) => {
    const { promise, resolve } = Promise.withResolvers<Over>()
    let isOver = false
    const end = (how: Over): void => {
      isOver = true
      execution.waiting = null
      resolve(how)
    }
    const begin = (state: Waiting, untilMs: number): Promise<Over> => {
      if (!isOver) execution.waiting = { state, untilMs, end }
      changed()
      return promise
    }
    return { begin, end }
  }

  const ask = async (execution: Execution, input: unknown): Promise<Look> => {
    execution.asked += 1
    const task = parseTask((input as { Payload: unknown }).Payload)
    await faults.before(task, execution)
    return JSON.parse(JSON.stringify(await world.advance.task(task))) as Look
  }

  const handlersOf = (execution: Execution) => {
    let seen: Look
    const look = async (input: unknown) => {
      seen = await ask(execution, input)
      return { Payload: { ...seen } }
    }
    const advance = async (input: unknown) => {
      // The state before it only tells until when; here it is that the time passes.
      const untilMs = seen.awaits === "clock" ? Date.parse(seen.wakeAt) : 0
      if (untilMs > world.platform.clock.nowMs()) await waitOf(execution).begin("WaitUntilDue", untilMs)
      return await look(input)
    }
    const waitForSomebody = async (input: unknown) => {
      const { Payload } = input as { Payload: { taskToken: string; waitSeconds: number } }
      const { taskToken, waitSeconds } = Payload
      const untilMs = world.platform.clock.nowMs() + waitSeconds * 1_000
      const wait = waitOf(execution)
      tokens.set(taskToken, wait.end)
      await ask(execution, input)
      const how = await wait.begin("WaitForSomebody", untilMs)
      tokens.delete(taskToken)
      if (how === "timed out") throw timeout()
      return {}
    }
    return { Look: look, RollBack: look, Advance: advance, WaitForSomebody: waitForSomebody }
  }

  const token = {
    get Token() {
      tokensGiven += 1
      return `token-${tokensGiven}`
    },
  }
  const start = (name: string, changeId: ChangeId): Execution => {
    const execution: Execution = { name, changeId, path: [], asked: 0, waiting: null, ended: null }
    executions.push(execution)
    const run = machine.run(
      { changeId },
      {
        context: { Task: token },
        noThrowOnAbort: true,
        overrides: {
          waitTimeOverrides: { WaitUntilDue: 0 },
          retryIntervalOverrides: { Look: 0, Advance: 0, WaitForSomebody: 0, RollBack: 0 },
          taskResourceLocalHandlers: handlersOf(execution),
        },
      },
    )
    aborts.push(run.abort)
    void follow(execution, run)
    return execution
  }
  const follow = async (execution: Execution, run: ReturnType<StateMachine["run"]>): Promise<void> => {
    const failure = run.result.then(
      () => null,
      (error: Error) => error.message,
    )
    for await (const event of run.eventLogs)
      if (event.type === "StateEntered") execution.path.push(event.state.name)
    execution.ended = { failure: await failure }
    changed()
  }

  /** The name of the error that the call is answered with; `null`: it went well. */
  const answer = (operation: string, body: Record<string, string>): string | null => {
    if (operation === "StartExecution") {
      const known = executions.find(({ name }) => name === body.name)
      if (known?.ended) return "ExecutionAlreadyExists"
      if (!known) start(body.name!, JSON.parse(body.input!).changeId)
      return null
    }
    const end = tokens.get(body.taskToken!)
    tokens.delete(body.taskToken!)
    end?.("woken")
    return end ? null : "TaskTimedOut"
  }

  const server = createServer(async (request, response) => {
    const operation = String(request.headers["x-amz-target"]).split(".")[1] ?? ""
    const body = (await json(request)) as Record<string, string>
    const failure = faults.fails(operation) ? "InternalFailure" : answer(operation, body)
    const status = failure === null ? 200 : failure === "InternalFailure" ? 500 : 400
    response.writeHead(status, { "content-type": "application/x-amz-json-1.0" })
    response.end(JSON.stringify(failure === null ? { startDate: 0 } : { __type: failure }))
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const pacer = awsPacer({ stateMachineArn: MACHINE_ARN, db: world.app, client: { ...CLIENT, endpoint } })

  const passTime = async (ms: number): Promise<void> => {
    world.moveClock(ms)
    for (const { waiting } of executions)
      if (waiting && waiting.untilMs <= world.platform.clock.nowMs()) waiting.end("timed out")
    await rest()
  }

  return {
    faults,
    pacer,
    start,
    rest,
    passTime,
    /** The executions of a change. */
    of: (changeId: string) => executions.filter((one) => one.changeId === changeId),
    /** Lets time pass, from one wait to the next, until the execution has ended. */
    untilEnded: async (execution: Execution): Promise<void> => {
      await rest()
      while (!execution.ended) await passTime(execution.waiting!.untilMs - world.platform.clock.nowMs())
    },
    close: async () => {
      for (const abort of aborts) abort()
      for (const { waiting } of executions) waiting?.end("timed out")
      server.close()
      server.closeAllConnections()
      await once(server, "close")
    },
  }
}
