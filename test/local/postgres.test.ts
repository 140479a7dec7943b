import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { chown, constants, cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises"
import { connect } from "node:net"
import { networkInterfaces, tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import postgres from "postgres"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { commandOf, isAlive, waitUntil } from "../../local/postgres/processes.ts"
import { runAs } from "../../local/postgres/run-as.ts"
import { startPostgres } from "../../local/postgres.ts"

const HOLDER = fileURLToPath(new URL("./hold-postgres.ts", import.meta.url))
const isRoot = process.getuid?.() === 0

/** A cluster that was made, started and stopped once: copying it is cheaper than making one. */
let made: string
let directory: string
const stops: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  made = join(await mkdtemp(join(tmpdir(), "hotswap-made-")), "postgres")
  await (await startPostgres({ directory: made, durability: "test" })).stop()
})
afterAll(() => rm(join(made, ".."), { recursive: true, force: true }))

beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), "hotswap-local-")), "postgres")
})
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop()
  await rm(join(directory, ".."), { recursive: true, force: true })
})

const copyMade = () => cp(made, directory, { recursive: true, mode: constants.COPYFILE_FICLONE })

const start = async (options: { port?: number } = {}) => {
  const server = await startPostgres({ directory, durability: "full", ...options })
  stops.push(server.stop)
  return server
}

const query = async (url: string, statement: string) => {
  const sql = postgres(url, { max: 1, onnotice: () => {}, connect_timeout: 5 })
  try {
    return [...(await sql.unsafe(statement))]
  } finally {
    await sql.end({ timeout: 1 })
  }
}

/** A server held by a node process of its own. */
const startHeld = async (options: { uid?: number } = {}) => {
  const ids = options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }
  const holder = spawn(process.execPath, [HOLDER, directory], {
    stdio: ["ignore", "pipe", "inherit"],
    ...ids,
  })
  const line = await firstLine(holder)
  const held = JSON.parse(line) as { pid: number; port: number }
  stops.push(async () => {
    holder.kill("SIGKILL")
    await waitUntil(() => !isAlive(held.pid), 10_000)
  })
  return { holder, ...held }
}

/** The shell that started the server and its child that reads the pipe. Without /proc they stay: then the server ends by itself. */
const killWatchers = async (server: number) => {
  const read = (path: string) => readFile(path, "utf8").catch(() => "")
  const parent = (await read(`/proc/${server}/stat`)).split(") ")[1]?.split(" ")[1]
  const children = await read(`/proc/${parent}/task/${parent}/children`)
  for (const pid of [Number(parent), ...children.trim().split(" ").map(Number)])
    if (pid !== server && commandOf(pid)?.includes("hotswap-watcher")) process.kill(pid, "SIGKILL")
}

const firstLine = async (child: ChildProcess) => {
  for await (const line of createInterface({ input: child.stdout! })) return line
  throw new Error("it ended without a word")
}

const isListening = (port: number, host: string) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, host)
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false))
    socket.once("connect", () => socket.destroy())
  })

describe("a server", () => {
  test("is PostgreSQL 18 with production's durability, UTC and scram passwords", async () => {
    const server = await start()
    const settings =
      "server_version_num fsync synchronous_commit full_page_writes password_encryption TimeZone server_encoding data_checksums"
    const [row] = await query(
      server.url("hotswap_owner"),
      `select ${settings
        .split(" ")
        .map((name) => `current_setting('${name}') as "${name}"`)
        .join(", ")}`,
    )
    expect(Number(row?.server_version_num)).toBeGreaterThanOrEqual(180_000)
    expect(row).toMatchObject({
      fsync: "on",
      synchronous_commit: "on",
      full_page_writes: "on",
      TimeZone: "UTC",
    })
    expect(row).toMatchObject({
      password_encryption: "scram-sha-256",
      server_encoding: "UTF8",
      data_checksums: "on",
    })
  })

  test("answers nobody without the password, and nobody from outside", async () => {
    await copyMade()
    const server = await start()
    const wrong = server.url("hotswap_owner").replace(server.passwords.hotswap_owner, "wrong")
    await expect(query(wrong, "select 1")).rejects.toMatchObject({ code: "28P01" })
    const outside = Object.values(networkInterfaces())
      .flat()
      .find((address) => address && !address.internal && address.family === "IPv4")
    if (outside) expect(await isListening(server.port, outside.address)).toBe(false)
    expect((await stat(join(directory, "passwords.json"))).mode & 0o777).toBe(0o600)
  })

  test("keeps its data and passwords over a restart, and frees its port", async () => {
    await copyMade()
    const first = await start()
    await query(first.url("hotswap_owner"), "create table kept as select 7 as n")
    await first.stop()
    expect(isAlive(first.pid)).toBe(false)
    expect(await isListening(first.port, "127.0.0.1")).toBe(false)
    const second = await start({ port: first.port })
    expect(second.passwords).toEqual(first.passwords)
    expect(await query(second.url("hotswap_owner"), "select n from kept")).toEqual([{ n: 7 }])
  })

  test("is held by one process: another is told who has it", async () => {
    await copyMade()
    const held = await startHeld()
    await expect(start()).rejects.toThrow(`in use by process ${held.holder.pid}`)
  })

  test("starts over what a kill during the very first start left", async () => {
    await mkdir(join(directory, "data.new-1"), { recursive: true })
    await writeFile(join(directory, "data.new-1", "PG_VERSION"), "18")
    const server = await start()
    expect(await query(server.url("hotswap_owner"), "select 1 as one")).toEqual([{ one: 1 }])
    expect(existsSync(join(directory, "data.new-1"))).toBe(false)
  })

  test("says why it cannot start", async () => {
    await copyMade()
    const server = await start()
    await server.stop()
    await writeFile(
      join(directory, "data", "postgresql.auto.conf"),
      "shared_buffers = nonsense\nwork_mem = 'x'\n",
    )
    await expect(start()).rejects.toThrow(/nonsense|work_mem/)
    await writeFile(join(directory, "data", "postgresql.auto.conf"), "")
  })
})

describe("a killed node", () => {
  test("takes its server along, and the next start finds every committed row", async () => {
    await copyMade()
    const held = await startHeld()
    const passwords = JSON.parse(await readFile(join(directory, "passwords.json"), "utf8"))
    const url = `postgres://hotswap_owner:${passwords.hotswap_owner}@127.0.0.1:${held.port}/hotswap`
    await query(url, "create table kept as select 7 as n")
    held.holder.kill("SIGKILL")
    expect(await waitUntil(() => !isAlive(held.pid), 10_000)).toBe(true)
    const next = await start({ port: held.port })
    expect(await query(next.url("hotswap_owner"), "select n from kept")).toEqual([{ n: 7 }])
  })

  test("whose watcher was killed as well leaves an orphan, which the next start ends", async () => {
    await copyMade()
    const held = await startHeld()
    await killWatchers(held.pid)
    held.holder.kill("SIGKILL")
    await once(held.holder, "exit")
    const next = await start()
    expect(isAlive(held.pid)).toBe(false)
    expect(await query(next.url("hotswap_owner"), "select 1 as one")).toEqual([{ one: 1 }])
  })

  test("leaves a mark that does not stop the next start when its process id now belongs to something else", async () => {
    await copyMade()
    const server = await start()
    await server.stop()
    await writeFile(join(directory, "data", "postmaster.pid"), `${process.pid}\n${join(directory, "data")}\n`)
    expect((await start()).pid).not.toBe(process.pid)
  })
})

describe("a user", () => {
  test.runIf(isRoot)("without rights can run it", async () => {
    await mkdir(directory)
    await Promise.all([directory, join(directory, "..")].map((path) => chown(path, 65534, 65534)))
    const held = await startHeld({ uid: 65534 })
    expect(await isListening(held.port, "127.0.0.1")).toBe(true)
  })

  test.runIf(isRoot)("root, where namespaces are switched off, runs it as one without rights", async () => {
    await chown(join(directory, ".."), 65534, 65534)
    const server = await startPostgres({ directory, durability: "test", as: { prefix: [], uid: 65534 } })
    stops.push(server.stop)
    expect((await stat(`/proc/${server.pid}`)).uid).toBe(65534)
    expect(await query(server.url("hotswap_owner"), "select 1 as one")).toEqual([{ one: 1 }])
  })

  test("is chosen by who we are", () => {
    expect(runAs().prefix.length === 0 && runAs().uid === null).toBe(!isRoot)
  })
})
