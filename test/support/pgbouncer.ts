import { execFileSync, spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { chmod, chown, mkdtemp, rm, writeFile } from "node:fs/promises"
import { type AddressInfo, connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"

export interface RunningBouncer {
  /** In place of the server's own address. */
  port: number
  stop(): Promise<void>
}

const NOBODY = 65_534

/** Where PgBouncer is on this machine, or `null`. */
export const bouncerBinary = (): string | null =>
  [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin"]
    .map((directory) => join(directory, "pgbouncer"))
    .find((path) => existsSync(path)) ?? null

/** From 1.21 on it keeps prepared statements; before, a statement must be planned each time it is sent. */
export const bouncerKeepsStatements = (binary: string): boolean => {
  const [, major, minor] = /(\d+)\.(\d+)/.exec(execFileSync(binary, ["--version"], { encoding: "utf8" }))!
  return Number(major) > 1 || Number(minor) >= 21
}

const settings = (
  directory: string,
  serverPort: number,
  poolSize: number,
  keeps: boolean,
): string => `[databases]
* = host=127.0.0.1 port=${serverPort}
[pgbouncer]
unix_socket_dir = ${directory}
listen_port = 6432
auth_type = trust
auth_file = ${directory}/users
pool_mode = transaction
default_pool_size = ${poolSize}
max_client_conn = 400
ignore_startup_parameters = statement_timeout,idle_in_transaction_session_timeout,extra_float_digits
logfile = ${directory}/log
${keeps ? "max_prepared_statements = 200" : ""}
`

/** PgBouncer in transaction mode before the server at that port: fewer connections to it than come in, handed on after each transaction. */
export const startBouncer = async (options: {
  serverPort: number
  users: Readonly<Record<string, string>>
  poolSize: number
}): Promise<RunningBouncer> => {
  const binary = bouncerBinary()
  if (binary === null) throw new Error("there is no pgbouncer on this machine")
  const directory = await mkdtemp(join(tmpdir(), "bouncer-"))
  const isRoot = process.getuid?.() === 0
  await chmod(directory, 0o755)
  await writeFile(
    join(directory, "ini"),
    settings(directory, options.serverPort, options.poolSize, bouncerKeepsStatements(binary)),
  )
  const users = Object.entries(options.users).map(([name, password]) => `"${name}" "${password}"`)
  await writeFile(join(directory, "users"), users.join("\n"))
  // It refuses to run as root, for which nobody else should do either.
  if (isRoot) await chown(directory, NOBODY, NOBODY)
  const server = spawn(binary, ["-q", join(directory, "ini")], {
    stdio: "ignore",
    ...(isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
  })
  const gone = new Promise<void>((done) => server.once("exit", () => done()))
  const socket = join(directory, ".s.PGSQL.6432")
  const front = createServer((client) => {
    const onward = connect(socket)
    for (const [one, other] of [
      [client, onward],
      [onward, client],
    ] as const) {
      one.on("error", () => other.destroy())
      one.on("close", () => other.destroy())
      one.pipe(other)
    }
  })
  await new Promise<void>((done) => front.listen(0, "127.0.0.1", done))
  let isGone = false
  void gone.then(() => {
    isGone = true
  })
  while (!(existsSync(socket) && (await answers(socket)))) {
    if (isGone) throw new Error("pgbouncer ended before it listened")
    await new Promise((next) => setTimeout(next, 10))
  }
  return {
    port: (front.address() as AddressInfo).port,
    stop: async () => {
      front.close()
      server.kill("SIGKILL")
      await gone
      await rm(directory, { recursive: true, force: true })
    },
  }
}

const answers = (socket: string): Promise<boolean> =>
  new Promise((answer) => {
    const connection = connect(socket)
    connection.once("connect", () => {
      connection.destroy()
      answer(true)
    })
    connection.once("error", () => answer(false))
  })
