import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import type { KillPoint } from "./port-calls.ts"

/** What a process of functions is asked to do. */
export type FunctionTask =
  | { kind: "request"; method: string; path: string; token: string; body?: unknown }
  | { kind: "step"; changeId: string; step: number }
  | { kind: "tick" }
  | { kind: "sweep" }

export interface TaskAnswer {
  status: number
  // biome-ignore lint/suspicious/noExplicitAny: whatever the function answers; tests look at what they expect.
  body: any
}

interface Told {
  id: number
  answer: TaskAnswer
}

/** The functions in a process of their own, so that they share nothing with others but what is stored, and may be killed. */
export interface FunctionsProcess {
  ask(task: FunctionTask, at?: number): Promise<TaskAnswer>
  /** The same, killed at that point of it; `null` when it was over before that. */
  die(task: FunctionTask, point: KillPoint): Promise<null | TaskAnswer>
  stop(): Promise<void>
}

const CHILD = fileURLToPath(new URL("./functions-child.ts", import.meta.url))

export const startFunctions = async (
  environment: Readonly<Record<string, string>>,
): Promise<FunctionsProcess> => {
  const child: ChildProcess = fork(CHILD, {
    env: { ...process.env, ...environment },
    execArgv: [],
    silent: true,
  })
  const said: string[] = []
  child.stderr!.on("data", (data) => said.push(String(data)))
  child.stdout!.resume()
  const waiting = new Map<number, (told: Told | null) => void>()
  const gone = once(child, "exit").then(() => {
    for (const tell of waiting.values()) tell(null)
    waiting.clear()
  })
  const ready = Promise.withResolvers<void>()
  child.on("message", (told: Told) => {
    if (told.id === 0) ready.resolve()
    waiting.get(told.id)?.(told)
    waiting.delete(told.id)
  })
  await Promise.race([
    ready.promise,
    gone.then(() => Promise.reject(new Error(`the functions did not start: ${said.join("")}`))),
  ])
  let last = 0
  const send = (message: Record<string, unknown>): Promise<Told | null> =>
    new Promise((tell) => {
      const id = ++last
      waiting.set(id, tell)
      child.send({ id, ...message })
    })
  const told = async (message: Record<string, unknown>): Promise<Told> => {
    const answer = await send(message)
    if (answer === null) throw new Error(`the functions ended: ${said.join("")}`)
    return answer
  }
  return {
    ask: async (task, at) => (await told({ task, at })).answer,
    die: async (task, kill) => (await send({ task, kill }))?.answer ?? null,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL")
      await gone
    },
  }
}
