import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { setTimeout as wait } from "node:timers/promises"
import { composeFunctions } from "../../local/compose.ts"
import { redisServerBinary, startTestRedis } from "../support/redis.ts"

// What runs beside the functions: Redis, the clock, the relay, the messages and a receiver of webhooks.

const tell = (message: Record<string, unknown>) => process.send!(message)
const redis = await startTestRedis(redisServerBinary() === null ? "embedded" : "bridge")
/** Takes two messages of three. */
let taken = 0
const receiver = createServer((request, response) => {
  request.resume()
  response.statusCode = ++taken % 3 === 0 ? 400 : 204
  response.end()
}).listen(0, "127.0.0.1", () => {
  const { port } = receiver.address() as AddressInfo
  tell({
    kind: "ready",
    redis: { url: redis.url, token: redis.token, kind: redis.kind },
    receiver: `http://127.0.0.1:${port}/`,
  })
})

let held = false
/** Waits for what runs on by itself once it was begun, as a drill does. */
let settled = async (): Promise<void> => {}
const running = new Set<Promise<unknown>>()

const keepRunning = async (everyMs: number, run: () => Promise<unknown>): Promise<never> => {
  for (;;) {
    await wait(everyMs)
    if (held) continue
    const one = run().catch((error: unknown) => tell({ kind: "error", line: String(error) }))
    running.add(one)
    await one
    running.delete(one)
  }
}

process.on(
  "message",
  async (
    message:
      | { id: number; ask: "run"; variables: Record<string, string> }
      | { id: number; ask: "hold" | "go" },
  ) => {
    if (message.ask === "run") {
      const functions = composeFunctions(message.variables, () => undefined)
      settled = functions.settled
      for (const { everyMs, run } of functions.schedules) void keepRunning(everyMs, run)
    } else {
      held = message.ask === "hold"
      if (held) await Promise.all(running).then(settled)
    }
    tell({ kind: "answer", id: message.id, answer: null })
  },
)
process.on("disconnect", async () => {
  await redis.stop()
  process.exit()
})
