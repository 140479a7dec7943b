import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { expect, test } from "vitest"
import { commandOf } from "../../local/postgres/processes.ts"

const START_EDGE = `
import { startEdge } from ${JSON.stringify(resolve("local/edge.ts"))}
const edge = await startEdge({ directory: process.argv[1], port: 0, bindings: {
  READ_ORIGIN: "http://127.0.0.1:9", MANAGE_ORIGIN: "http://127.0.0.1:9", EDGE_SECRET: "secret-of-a-test-0123456789",
  READER_PUBLIC_KEYS: '{"keys":[]}', HOTSWAP_ENVIRONMENTS: "Development,Production" } })
console.log(edge.url)
`

const inDirectory = async (run: (directory: string) => Promise<void>): Promise<void> => {
  const directory = await mkdtemp(join(tmpdir(), "hotswap-parent-"))
  try {
    await run(directory)
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 5 })
  }
}

const startEdgeProcess = async (directory: string) => {
  const node = spawn(process.execPath, ["--input-type=module", "--eval", START_EDGE, directory], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  const [line] = (await once(node.stdout, "data")) as [Buffer]
  const workerd = Number(await readFile(join(directory, "workerd.pid"), "utf8"))
  return { node, url: line.toString().trim(), workerd }
}
const runs = (pid: number): boolean => commandOf(pid)?.includes("workerd") === true

test("kill -9 of the process that started it takes workerd along, and its port is free", async () => {
  await inDirectory(async (directory) => {
    const { node, url, workerd } = await startEdgeProcess(directory)
    expect((await fetch(`${url}/health`)).status).toBe(200)
    expect(runs(workerd)).toBe(true)
    node.kill("SIGKILL")
    await once(node, "exit")
    await expect.poll(() => runs(workerd), { timeout: 10_000 }).toBe(false)
    await expect(fetch(`${url}/health`)).rejects.toThrow()
  })
})

test("an orphan whose watcher was killed as well is ended by the next start", async () => {
  await inDirectory(async (directory) => {
    // Stands in for a workerd that nobody watches; only the name in its command line counts.
    const orphan = spawn(process.execPath, ["--eval", "setInterval(() => 0, 1000)", "workerd"], {
      stdio: "ignore",
    })
    await writeFile(join(directory, "workerd.pid"), String(orphan.pid))
    const gone = once(orphan, "exit")
    const { node, workerd } = await startEdgeProcess(directory)
    await gone
    node.kill("SIGKILL")
    await once(node, "exit")
    await expect.poll(() => runs(workerd), { timeout: 10_000 }).toBe(false)
  })
})
