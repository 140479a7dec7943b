import { readdirSync } from "node:fs"
import { setTimeout as wait } from "node:timers/promises"
import { composeFunctions } from "../../local/compose.ts"
import { startFunctionHost } from "../../local/functions.ts"
import { watchLoop } from "./loop-watch.ts"
import { type Memory, STALL_MS } from "./processes.ts"

// The functions that answer requests, in a process of their own, so that its event loop and memory are theirs alone.

const tell = (message: Record<string, unknown>) => process.send!(message)
const watch = watchLoop(STALL_MS, (stall) => tell({ kind: "stall", stall }))
const heard = (line: string) => {
  if (line.includes('"level":"error"')) tell({ kind: "error", line })
}
const functions = composeFunctions(process.env as Record<string, string>, heard)
const host = await startFunctionHost({
  port: 0,
  log: { error: (message, fields) => heard(JSON.stringify({ level: "error", message, ...fields })) },
  route: (method, path) => {
    const hosted = functions.route(method, path)
    return {
      ...hosted,
      handler: (event, context) =>
        watch.during(`${method} ${path.slice(0, 120)} ${event.body?.length ?? 0}`, () =>
          hosted.handler(event, context),
        ),
    }
  },
})

const IDLE_MS = 300

const memory = async (): Promise<Memory> => {
  while (watch.active > 0) await wait(10)
  // What answers left running, and what clients closed, is over.
  do await wait(IDLE_MS)
  while (process.getActiveResourcesInfo().includes("ConnectWrap"))
  return { ...(await leastHeld()), descriptors: descriptors() }
}

/** Of a few looks: what is kept is there at each of them, what is on its way only at one. */
const leastHeld = async (): Promise<Omit<Memory, "descriptors">> => {
  let least: NodeJS.MemoryUsage | null = null
  let resources: Record<string, number> = {}
  for (let look = 0; look < 3; look++) {
    await wait(IDLE_MS)
    for (let round = 0; round < 4; round++) {
      globalThis.gc!()
      await wait(50)
    }
    const held = process.memoryUsage()
    if (least !== null && held.external + held.heapUsed >= least.external + least.heapUsed) continue
    least = held
  }
  // As long as something is under way its timers are, too.
  for (let look = 0; look < 20 && (look === 0 || (resources.Timeout ?? 0) > 0); look++) {
    await wait(IDLE_MS)
    resources = {}
    for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1
  }
  const { heapUsed, external, arrayBuffers, rss } = least!
  return { heapUsed, external, arrayBuffers, rss, resources }
}

/** Files and sockets that are open, where the system tells. */
const descriptors = (): number | null => {
  try {
    return readdirSync("/proc/self/fd").length
  } catch {
    return null
  }
}

process.on("message", async ({ id, ask }: { id: number; ask: "memory" | "loop" | "longest" }) => {
  const answers = { memory, loop: async () => watch.report(), longest: async () => watch.longestSince() }
  tell({ kind: "answer", id, answer: await answers[ask]() })
})
process.on("disconnect", () => process.exit())
tell({ kind: "ready", url: host.url })
