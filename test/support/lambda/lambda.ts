import { type ChildProcess, spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { once } from "node:events"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

/** What came of an invocation; times are milliseconds since it was asked for, the start of a process included. */
export type Invoked =
  | { kind: "answered"; payload: unknown; firstByteMs: number; endedMs: number }
  | {
      kind: "streamed"
      status: number
      headers: Record<string, string>
      body: Buffer
      firstByteMs: number
      endedMs: number
    }
  | { kind: "failed"; errorType: string; errorMessage: string }
  | { kind: "timed out" }

export interface Lambda {
  invoke(event: unknown): Promise<Invoked>
  /** How often a process was started for it. */
  starts(): number
  /** From the last start until it asked for its first event, milliseconds; `null`: it has not yet. */
  initMs(): number | null
  stop(): Promise<void>
}

interface Options {
  /** The folder that the asset holds, with `index.mjs` in it. */
  root: string
  environment: Readonly<Record<string, string>>
  timeoutMs: number
  /** In place of the runtime that is there. */
  node?: string
  /** Gets each line that the function writes to its log. */
  onLine?: (line: string) => void
}

interface Waiting {
  id: string
  event: unknown
  startedMs: number
  settle(invoked: Invoked): void
}

const RUNTIME = fileURLToPath(new URL("./runtime.mjs", import.meta.url))
const PRELUDE_END = Buffer.alloc(8)

const bodyOf = async (request: IncomingMessage, onFirst: () => void): Promise<Buffer> => {
  const pieces: Buffer[] = []
  for await (const piece of request) {
    if (pieces.length === 0) onFirst()
    pieces.push(piece as Buffer)
  }
  return Buffer.concat(pieces)
}

/**
 * Plays Lambda for one function: the runtime API for the process it starts, one invocation at a time. At the timeout the
 * process is killed, and the next invocation starts another.
 */
export const startLambda = async ({
  root,
  environment,
  timeoutMs,
  node,
  onLine,
}: Options): Promise<Lambda> => {
  const queue: Waiting[] = []
  let idle: ServerResponse | null = null
  let current: Waiting | null = null
  let child: ChildProcess | null = null
  let starts = 0
  let startedAtMs = 0
  let initMs: number | null = null

  /** What comes of the invocation under way, or of the one that waits for a process that does not start. */
  const settle = (invoked: Invoked): void => {
    const settled = current ?? queue.shift()
    current = null
    settled?.settle(invoked)
  }

  const hand = (): void => {
    if (idle === null || current !== null || queue.length === 0) return
    current = queue.shift()!
    const response = idle
    idle = null
    response.writeHead(200, {
      "content-type": "application/json",
      "lambda-runtime-aws-request-id": current.id,
      "lambda-runtime-deadline-ms": String(Date.now() + timeoutMs),
    })
    response.end(JSON.stringify(current.event))
  }

  const answered = async (request: IncomingMessage, startedMs: number): Promise<Invoked> => {
    let firstByteMs = 0
    const body = await bodyOf(request, () => {
      firstByteMs = performance.now() - startedMs
    })
    const endedMs = performance.now() - startedMs
    if (request.headers["lambda-runtime-function-response-mode"] !== "streaming")
      return { kind: "answered", payload: JSON.parse(body.toString()), firstByteMs, endedMs }
    const end = body.indexOf(PRELUDE_END)
    const head = JSON.parse(body.subarray(0, end).toString()) as {
      statusCode: number
      headers: Record<string, string>
    }
    const { statusCode: status, headers } = head
    const rest = body.subarray(end + PRELUDE_END.length)
    return { kind: "streamed", status, headers, body: rest, firstByteMs, endedMs }
  }

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = request.url!.replace("/2018-06-01/runtime/", "")
    if (path === "invocation/next") {
      initMs ??= performance.now() - startedAtMs
      idle = response
      hand()
      return
    }
    if (path.endsWith("/response")) settle(await answered(request, current!.startedMs))
    else {
      const error = JSON.parse((await bodyOf(request, () => undefined)).toString()) as Record<string, string>
      settle({ kind: "failed", errorType: error.errorType!, errorMessage: error.errorMessage! })
    }
    response.writeHead(202).end("{}")
  }

  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy())
  }).listen(0, "127.0.0.1")
  await once(server, "listening")

  const begin = (): void => {
    starts++
    initMs = null
    startedAtMs = performance.now()
    child = spawn(node ?? process.execPath, [RUNTIME], {
      cwd: root,
      env: {
        ...environment,
        AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${(server.address() as AddressInfo).port}`,
        AWS_LAMBDA_FUNCTION_NAME: "function",
        AWS_REGION: "eu-central-1",
        LAMBDA_TASK_ROOT: root,
        _HANDLER: "index.handler",
      },
      stdio: ["ignore", onLine ? "pipe" : "ignore", "inherit"],
    })
    if (onLine) createInterface({ input: child.stdout! }).on("line", onLine)
  }

  const kill = async (): Promise<void> => {
    if (child === null) return
    const gone = once(child, "exit")
    child.kill("SIGKILL")
    if (child.exitCode === null && child.signalCode === null) await gone
    child = null
    idle = null
  }

  const invoke = async (event: unknown): Promise<Invoked> => {
    const startedMs = performance.now()
    const { promise, resolve } = Promise.withResolvers<Invoked>()
    queue.push({ id: randomUUID(), event, startedMs, settle: resolve })
    if (child === null || child.exitCode !== null) begin()
    hand()
    const timer = setTimeout(() => {
      void kill().then(() => settle({ kind: "timed out" }))
    }, timeoutMs)
    try {
      return await promise
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    invoke,
    starts: () => starts,
    initMs: () => initMs,
    stop: async () => {
      await kill()
      server.closeAllConnections()
      const closed = once(server, "close")
      server.close()
      await closed
    },
  }
}
