import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, expect, test } from "vitest"
import { isAlive } from "../../local/postgres/processes.ts"
import { createTenant, write } from "../faults/tenant.ts"
import { freePort, type RunningHotswap, removeHome, startHotswap, temporaryHome } from "../support/hotswap.ts"
import { addressOf, holdTenants } from "./own-postgres.ts"

/** It has to be done in ten seconds; a busy machine may take some more. */
const IN_TIME = { timeout: 15_000, interval: 50 }

let home: string
let hotswap: RunningHotswap
/** In the place of Upstash: takes every request, and answers none. */
let silentRedis: Server
beforeAll(async () => {
  home = await temporaryHome()
  silentRedis = createServer(() => {}).listen(0, "127.0.0.1")
  await once(silentRedis, "listening")
})
afterEach(async () => {
  if (!hasEnded()) await hotswap.kill("group")
})
afterAll(async () => {
  silentRedis.closeAllConnections()
  silentRedis.close()
  await removeHome(home)
})

const start = async (env: Record<string, string> = {}): Promise<void> => {
  hotswap = await startHotswap({ home, env })
  // It asks itself whether it is ready before it says so: nothing is to be held up until then.
  await expect.poll(() => hotswap.output(), IN_TIME).toContain("Ctrl-C")
}
const hasEnded = (): boolean => !isAlive(hotswap.pid)
const signal = (name: "SIGINT" | "SIGTERM"): void => void process.kill(hotswap.pid, name)
const createSlowly = (tenantId: string) =>
  hotswap.call("POST", "/api/v1/tenants", { body: { tenantId, name: "Slow" } }).catch(() => null)

const expectEnd = async (code: number): Promise<void> => {
  await expect.poll(hasEnded, IN_TIME).toBe(true)
  expect(await hotswap.stop(), hotswap.output()).toBe(code)
}

test("SIGTERM under load, while Redis is silent: what was taken is answered in full, and it ends with 0", async () => {
  const { port } = silentRedis.address() as AddressInfo
  await start({
    UPSTASH_REDIS_REST_URL: `http://127.0.0.1:${port}`,
    UPSTASH_REDIS_REST_TOKEN: "of-no-meaning",
  })
  const { pid: postgres } = await addressOf(home)
  const tenants = await Promise.all(Array.from({ length: 8 }, (_, i) => createTenant(hotswap, `load-${i}`)))
  const statuses = new Set<number>()
  let cut = 0
  const load = tenants.map(async (tenant) => {
    while (!hasEnded())
      await write(hotswap, tenant).then(
        ({ status }) => statuses.add(status),
        (error: TypeError & { cause?: { code?: string } }) => {
          // Once it takes no more there is nobody to connect to; an answer that breaks off is something else.
          if (error.message !== "fetch failed") cut += 1
        },
      )
  })
  await expect.poll(() => statuses.size, IN_TIME).toBeGreaterThan(0)
  signal("SIGTERM")
  await expectEnd(0)
  await Promise.all(load)
  expect([...statuses]).toEqual([200])
  expect(cut).toBe(0)
  expect(isAlive(postgres)).toBe(false)
  expect(hotswap.output()).not.toMatch(/did not stop|not done in time/)
}, 60_000)

test("a request that is under way when SIGTERM comes is answered, whichever door it came through", async () => {
  await start()
  const hold = await holdTenants(home)
  const atEdge = createSlowly("slow-at-the-edge")
  const atOrigin = hotswap.call("POST", "/api/v1/tenants", {
    body: { tenantId: "slow-behind-it", name: "Slow" },
    origin: true,
  })
  await expect.poll(hold.waiting, IN_TIME).toBeGreaterThanOrEqual(2)
  signal("SIGTERM")
  await expect.poll(() => hotswap.output(), IN_TIME).toContain("SIGTERM: stopping")
  await hold.letGo()
  expect((await atEdge)?.status).toBe(201)
  expect((await atOrigin).status).toBe(201)
  await expectEnd(0)
}, 60_000)

test("a request that hangs does not keep it from ending with 0", async () => {
  await start()
  const hold = await holdTenants(home)
  const hanging = createSlowly("hanging")
  await expect.poll(hold.waiting, IN_TIME).toBeGreaterThan(0)
  signal("SIGTERM")
  await expectEnd(0)
  await hanging
}, 60_000)

test("a second SIGINT ends it at once, and nothing of it is left", async () => {
  await start()
  const { pid: postgres } = await addressOf(home)
  const hold = await holdTenants(home)
  const hanging = createSlowly("hanging-still")
  await expect.poll(hold.waiting, IN_TIME).toBeGreaterThan(0)
  signal("SIGINT")
  await expect.poll(() => hotswap.output(), IN_TIME).toContain("SIGINT: stopping")
  await expect
    .poll(() => {
      if (!hasEnded()) signal("SIGINT")
      return hasEnded()
    }, IN_TIME)
    .toBe(true)
  expect(await hotswap.stop(), "as somebody who did not wait").toBe(1)
  await hanging
  await expect.poll(() => isAlive(postgres), IN_TIME).toBe(false)
}, 60_000)

test("npm passes SIGTERM on, ends with 0 itself, and leaves nothing running", async () => {
  const [edge, origin] = [await freePort(), await freePort()]
  const npm = spawn("npm", ["start"], {
    stdio: "ignore",
    env: {
      PATH: process.env.PATH,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
      HOME: home,
      HOTSWAP_HOME: home,
      PORT: `${edge}`,
      ORIGIN_PORT: `${origin}`,
    },
  })
  const ended = once(npm, "exit")
  const isReady = () =>
    fetch(`http://127.0.0.1:${edge}/ready`).then(
      ({ ok }) => ok,
      () => false,
    )
  await expect.poll(isReady, { timeout: 30_000 }).toBe(true)
  const { pid: postgres } = await addressOf(home)
  npm.kill("SIGTERM")
  expect(await ended).toEqual([0, null])
  expect(isAlive(postgres)).toBe(false)
  expect(existsSync(join(home, "holder.json"))).toBe(false)
}, 60_000)
