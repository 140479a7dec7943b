import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, join, resolve } from "node:path"
import { type RunningRedis, startRedis } from "../../local/redis/start.ts"

/** Where a real `redis-server` is on this machine, or `null`. */
export const redisServerBinary = (): string | null =>
  (process.env.PATH ?? "")
    .split(delimiter)
    .map((directory) => join(directory, "redis-server"))
    .find((path) => existsSync(path)) ?? null

/** A real Redis of this test's own: on a socket in a directory of its own, with nothing kept on disk. */
export const startRedisServer = async (): Promise<{ url: string; stop(): Promise<void> }> => {
  const binary = redisServerBinary()
  if (binary === null) throw new Error("there is no redis-server on this machine")
  const directory = await mkdtemp(join(tmpdir(), "hotswap-redis-"))
  const socket = join(directory, "redis.sock")
  const server = spawn(
    resolve("local/with-parent.sh"),
    [binary, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", directory],
    { stdio: ["ignore", "pipe", "inherit"] },
  )
  const gone = new Promise<void>((done) => server.once("exit", () => done()))
  await Promise.race([
    listening(socket),
    gone.then(() => Promise.reject(new Error("redis-server ended before it listened"))),
  ])
  server.stdout.resume()
  return {
    url: socket,
    stop: async () => {
      server.kill("SIGTERM")
      await gone
      await rm(directory, { recursive: true, force: true })
    },
  }
}

const listening = async (socket: string): Promise<void> => {
  while (!(await reachable(socket))) await new Promise((next) => setTimeout(next, 10))
}

const reachable = (socket: string): Promise<boolean> =>
  new Promise((answer) => {
    const connection = connect(socket)
    connection.once("connect", () => {
      connection.destroy()
      answer(true)
    })
    connection.once("error", () => answer(false))
  })

/** The REST front over the embedded Redis, or over a real server of the test's own. */
export const startTestRedis = async (kind: RunningRedis["kind"]): Promise<RunningRedis> => {
  if (kind === "embedded") return startRedis()
  const server = await startRedisServer()
  const front = await startRedis({ redisUrl: server.url })
  return {
    ...front,
    stop: async () => {
      await front.stop()
      await server.stop()
    },
  }
}
