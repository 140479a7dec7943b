import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, readdirSync } from "node:fs"
import { readFile, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { commandOf, isAlive } from "../../local/postgres/processes.ts"
import { emptyHome, freePort, type RunningHotswap, removeHome, startHotswap } from "../support/hotswap.ts"

/** Starts it in a way that should fail, and gives what it said. */
const startInVain = async (
  env: Record<string, string>,
  args: string[] = [],
): Promise<{ code: number; lines: string[] }> => {
  const child = spawn(process.execPath, ["local/main.ts", ...args], {
    env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE, ...env },
    stdio: ["ignore", "ignore", "pipe"],
  })
  const said = child.stderr.toArray()
  const [code] = (await once(child, "exit")) as [number]
  const lines = Buffer.concat(await said)
    .toString()
    .trim()
    .split("\n")
  return { code, lines }
}

let home: string
let hotswap: RunningHotswap
const ports = { edge: 0, origin: 0 }
beforeAll(async () => {
  home = await emptyHome()
  ports.edge = await freePort()
  ports.origin = await freePort()
  hotswap = await startHotswap({ home, ports, env: { HOTSWAP_ADMIN_TOKEN: "" } })
}, 90_000)
afterAll(async () => {
  await hotswap.stop()
  await removeHome(home)
})
const keptToken = async (): Promise<string> =>
  (JSON.parse(await readFile(join(home, "secrets.json"), "utf8")) as { adminToken: string }).adminToken

test("the screen shows the address, the token and a first call to copy", async () => {
  await expect.poll(() => hotswap.output(), { timeout: 10_000 }).toContain("Ctrl-C")
  const screen = hotswap.output()
  expect(screen).toContain(`http://localhost:${ports.edge}`)
  expect(screen).toContain(`http://localhost:${ports.edge}/docs`)
  expect(screen).toContain(`ADMIN="${await keptToken()}"`)
  expect(screen).toContain(`curl -sS -X POST http://localhost:${ports.edge}/api/v1/tenants`)
})

test("the read function's inner routes are closed to whoever is not the edge", async () => {
  const path = "/internal/pointer/acme-corp/Production"
  for (const url of [hotswap.url, hotswap.originUrl])
    for (const headers of [{}, { "hotswap-edge": "guessed" }])
      expect((await fetch(url + path, { headers })).status).toBe(404)
})

test("a second start on the same home says who has it and leaves that one alone", async () => {
  const { code, lines } = await startInVain({ HOTSWAP_HOME: home, PORT: "0" })
  expect(code).toBe(1)
  expect(lines).toEqual([
    expect.stringMatching(/^hotswap: .* is in use by process \d+: stop it, or choose another HOTSWAP_HOME$/),
  ])
  expect((await fetch(`${hotswap.url}/ready`)).status).toBe(200)
})

test.each(["/proc/none/home", join(import.meta.dirname, "start.test.ts")])(
  "a home that cannot be is told at once, with what to do: %s",
  async (impossible) => {
    const { code, lines } = await startInVain({ HOTSWAP_HOME: impossible, PORT: "0" })
    expect(code).toBe(1)
    expect(lines).toEqual([
      `hotswap: ${impossible} cannot be written to: choose another HOTSWAP_HOME, or change its owner`,
    ])
  },
)

test("Ctrl-C while it makes its first database, which reaches that as well, is told in one line", async () => {
  const empty = await emptyHome()
  const child = spawn(process.execPath, ["local/main.ts"], {
    env: {
      PATH: process.env.PATH,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
      HOTSWAP_HOME: empty,
      PORT: "0",
    },
    stdio: ["ignore", "ignore", "pipe"],
    detached: true,
  })
  const said = child.stderr.toArray()
  const ended = once(child, "exit")
  const postgres = join(empty, "postgres")
  const isMaking = () =>
    existsSync(postgres) &&
    readdirSync(postgres).some((name) => existsSync(join(postgres, name, "PG_VERSION")))
  await expect.poll(isMaking, { timeout: 30_000, interval: 5 }).toBe(true)
  process.kill(-child.pid!, "SIGINT")
  const [code] = await ended
  // Where the database was quicker than the signal, it stops as it always does.
  const line = code === 0 ? "" : "hotswap: stopped before it was ready\n"
  expect(Buffer.concat(await said).toString()).toBe(line)
  await removeHome(empty)
}, 60_000)

test("a port that is taken is told before anything is started", async () => {
  const taken = createServer().listen(0, "127.0.0.1")
  await once(taken, "listening")
  const { port } = taken.address() as { port: number }
  const other = await emptyHome()
  try {
    for (const variable of ["PORT", "ORIGIN_PORT"]) {
      const { code, lines } = await startInVain({ HOTSWAP_HOME: other, PORT: "0", [variable]: String(port) })
      expect(code).toBe(1)
      expect(lines).toEqual([
        expect.stringMatching(new RegExp(`^hotswap: ${variable}: port ${port} is taken`)),
      ])
    }
  } finally {
    taken.close()
    await removeHome(other)
  }
})

test("settings that make no sense end it with a line each", async () => {
  const { code, lines } = await startInVain({ PORT: "http", REDIS_URL: "nowhere" })
  expect(code).toBe(1)
  expect(lines).toEqual([
    expect.stringMatching(/^hotswap: PORT is "http"/),
    expect.stringMatching(/^hotswap: REDIS_URL /),
  ])
})

test.each([["--port", "80"], ["80"], ["--help=no"]])(
  "an argument that there is not is told, with where to find help: %s %s",
  async (...args) => {
    const { code, lines } = await startInVain({}, args)
    expect(code).toBe(1)
    expect(lines).toEqual([
      expect.stringMatching(/^hotswap: ".*" is not understood: .* npm start -- --help$/),
    ])
  },
)

test.each([
  [
    { DATABASE_URL: "postgres://owner:hidden@127.0.0.1:9/none" },
    /^hotswap: DATABASE_URL: the database at 127\.0\.0\.1:9\/none could not/,
  ],
  [{ REDIS_URL: "redis://:hidden@127.0.0.1:9" }, /^hotswap: REDIS_URL: no Redis answers at 127\.0\.0\.1:9/],
  [{ HOTSWAP_ENVIRONMENTS: "One,one" }, /^hotswap: HOTSWAP_ENVIRONMENTS /],
])(
  "a neighbour that is not there, or a setting of a function's, ends it cleanly: %o",
  async (env, line) => {
    const other = await emptyHome()
    try {
      const { code, lines } = await startInVain({
        HOTSWAP_HOME: other,
        PORT: "0",
        ...(env as Record<string, string>),
      })
      expect(code).toBe(1)
      expect(lines).toEqual([expect.stringMatching(line)])
      expect(lines.join()).not.toContain("hidden")
    } finally {
      await removeHome(other)
    }
  },
  60_000,
)

test("stopping takes everything down, and the next start has it all again", async () => {
  const token = await keptToken()
  const created = await hotswap.call("POST", "/api/v1/tenants", {
    token,
    body: { tenantId: "kept", name: "Kept" },
  })
  expect(created.status).toBe(201)
  const workerd = Number(await readFile(join(home, "edge/workerd.pid"), "utf8"))
  const postgres = Number((await readFile(join(home, "postgres/data/postmaster.pid"), "utf8")).split("\n")[0])
  expect(await hotswap.stop()).toBe(0)
  for (const pid of [workerd, postgres]) expect(commandOf(pid) ?? "", "it has ended").toBe("")
  expect(isAlive(postgres)).toBe(false)
  for (const url of [hotswap.url, hotswap.originUrl]) await expect(fetch(`${url}/health`)).rejects.toThrow()

  hotswap = await startHotswap({ home, ports, env: { HOTSWAP_ADMIN_TOKEN: "" } })
  expect((await hotswap.call("GET", "/api/v1/tenants/kept", { token })).status).toBe(200)
}, 90_000)

test("the mark of a process that was killed, whose id another has now, does not keep it from starting", async () => {
  await hotswap.stop()
  await writeFile(join(home, "holder.json"), JSON.stringify({ pid: process.pid, start: "long ago" }))
  hotswap = await startHotswap({ home, ports, env: { HOTSWAP_ADMIN_TOKEN: "" } })
  expect((await fetch(`${hotswap.url}/ready`)).status).toBe(200)
}, 90_000)

test("a start-up token of one character is taken, with one line of warning, and is good for everything", async () => {
  await hotswap.stop()
  hotswap = await startHotswap({ home, ports, env: { HOTSWAP_ADMIN_TOKEN: "x" } })
  await expect.poll(() => hotswap.output(), { timeout: 10_000 }).toContain("Ctrl-C")
  expect(hotswap.output().match(/WARNING.*/g)).toEqual([expect.stringContaining("fewer than 20 characters")])
  const made = await hotswap.call("POST", "/api/v1/tenants", {
    token: "x",
    body: { tenantId: "by-x", name: "X" },
  })
  expect(made.status).toBe(201)
  expect((await hotswap.call("GET", "/api/v1/tenants/by-x", { token: "y" })).status).toBe(401)
}, 90_000)
