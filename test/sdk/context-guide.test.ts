import { type ChildProcess, execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { createInterface } from "node:readline"
import { promisify } from "node:util"
import { jetstream, jetstreamManager } from "@nats-io/jetstream"
import { connect } from "@nats-io/transport-node"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { buildSdk } from "../../sdk/build.ts"
import { type RunningHotswap, removeHome, startHotswap } from "../support/hotswap.ts"
import { hasNats, startNats } from "../support/nats.ts"
import { ROOT } from "../support/source-tree.ts"

const run = promisify(execFile)
const BIN = join(ROOT, "node_modules/.bin")
const FILE = /<!-- file: (\S+) -->\n```(?:ts|json)\n([\s\S]*?)```/g
const GUIDE = "docs/guides/moving-a-handler.md"
const ON = { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "on" }

/** The guide's files, in an application that has installed what they import. */
const application = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "hotswap-guide-"))
  const modules = join(folder, "node_modules")
  await mkdir(join(modules, "@hotswap/sdk"), { recursive: true })
  for (const name of ["hono", "@hono", "express", "@nats-io", "@types", "@openfeature"])
    await symlink(join(ROOT, "node_modules", name), join(modules, name))
  await cp(join(ROOT, "sdk/package.json"), join(modules, "@hotswap/sdk/package.json"))
  await buildSdk(join(modules, "@hotswap/sdk/dist"))
  await writeFile(join(folder, "package.json"), '{"type":"module"}')
  for (const [, path = "", code = ""] of (await readFile(join(ROOT, GUIDE), "utf8")).matchAll(FILE)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), code)
  }
  return folder
}

describe("the guide to moving a handler", () => {
  let folder: string
  let hotswap: RunningHotswap
  let token: string
  const children: ChildProcess[] = []

  beforeAll(async () => {
    ;[folder, hotswap] = await Promise.all([application(), startHotswap()])
    const tenants = [
      { tenantId: "acme", name: "Acme", tier: "Free" },
      { tenantId: "bolt", name: "Bolt", tier: "Enterprise" },
    ]
    for (const body of tenants)
      expect((await hotswap.call("POST", "/api/v1/tenants", { body })).status).toBe(201)
    await change("acme", { currency: "EUR", "new-checkout": ON })
    const issued = await hotswap.call<{ token: string }>("POST", "/api/v1/tokens", {
      body: { subject: "shop", roles: ["reader"], tenants: ["acme", "bolt"], environment: "Staging" },
    })
    token = issued.body.token
  }, 120_000)
  afterEach(() => Promise.all(children.splice(0).map(stop)))
  afterAll(async () => {
    await hotswap?.kill("group")
    await Promise.all([rm(folder, { recursive: true, force: true }), removeHome(hotswap.home)])
  })

  const change = async (tenantId: string, values: object) => {
    const edits = Object.entries(values).map(([key, value]) => ({ key, value }))
    const body = { tenantId, environment: "Staging", edits, strategy: { type: "direct" } }
    expect((await hotswap.call("POST", "/api/v1/changes", { body })).status).toBeLessThan(300)
  }
  /** Runs a file of the guide; what it prints comes line by line. */
  const start = (file: string, env: Record<string, string> = {}) => {
    const child = spawn(join(BIN, "node"), [file], {
      cwd: folder,
      env: { PATH: process.env.PATH, PORT: "0", HOTSWAP_URL: hotswap.url, HOTSWAP_TOKEN: token, ...env },
      stdio: ["ignore", "pipe", "inherit"],
    })
    children.push(child)
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    return { child, next: async () => (await lines.next()).value as string }
  }
  const stop = async (child: ChildProcess): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, "exit")
      child.kill("SIGTERM")
      await gone
    }
    return child.exitCode
  }
  const startApp = async (file: string) => {
    const url = `http://127.0.0.1:${await start(file).next()}/orders`
    return async (person: string, tenantId: string | null) => {
      const answer = await fetch(url, {
        method: "POST",
        headers: {
          authorization: `Bearer ${person}`,
          "content-type": "application/json",
          ...(tenantId === null ? {} : { "x-tenant-id": tenantId }),
        },
        body: '{"items":2}',
      })
      return { status: answer.status, headers: answer.headers, body: (await answer.json()) as object }
    }
  }

  test("has blocks that are right by their types", async () => {
    const options = ["--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck"]
    const files = [
      "app-hono.ts",
      "app-express.ts",
      "worker.ts",
      "orders.test.ts",
      "before/app.ts",
      "before/worker.ts",
    ]
    await run(join(BIN, "tsc"), [...options, "--allowImportingTsExtensions", "--types", "node", ...files], {
      cwd: folder,
    })
  })

  test.each(["before/app.ts", "app-hono.ts", "app-express.ts"])(
    "has the same answers before and after: %s",
    async (file) => {
      const order = await startApp(file)
      expect(await order("erin", "acme")).toMatchObject({
        status: 200,
        body: { items: 2, currency: "EUR", checkout: "new" },
      })
      expect(await order("max", "bolt")).toMatchObject({
        status: 200,
        body: { items: 2, currency: "USD", checkout: "old" },
      })
      expect((await order("erin", "bolt")).status).toBe(403)
      expect((await order("max", null)).status).toBe(400)
    },
  )

  test("has tests that pass", async () => {
    const { stdout } = await run(join(BIN, "node"), ["--test", "orders.test.ts"], { cwd: folder })
    expect(stdout).toMatch(/pass 2\b/)
  })

  test.skipIf(!hasNats()).each(["before/worker.ts", "worker.ts"])(
    "has a consumer that does the same before and after: %s",
    async (file) => {
      const nats = await startNats()
      const connection = await connect({ servers: nats.url })
      const manager = await jetstreamManager(connection)
      await manager.streams.add({ name: "orders", subjects: ["orders.>"] })
      await manager.streams.add({ name: "dead", subjects: ["dead.>"] })
      await manager.consumers.add("orders", { durable_name: "worker", ack_policy: "explicit" })
      const worker = start(file, { NATS_URL: nats.url })
      const js = jetstream(connection)
      await js.publish("orders.acme.placed", '{"items":3}')
      expect(JSON.parse(await worker.next())).toEqual({ items: 3, currency: "EUR", checkout: "new" })
      await js.publish("orders.bolt.placed", '{"items":4}')
      expect(JSON.parse(await worker.next())).toEqual({ items: 4, currency: "USD", checkout: "old" })
      if (file === "worker.ts") {
        await js.publish("orders.nobody.placed", "{}")
        await expect.poll(async () => (await manager.streams.info("dead")).state.messages).toBe(1)
        expect(await stop(worker.child)).toBe(0)
      }
      await stop(worker.child)
      await connection.close()
      await nats.stop()
    },
  )

  test("has what a change alters while the application runs, and a limit that all processes share", async () => {
    const [hono, express] = await Promise.all([startApp("app-hono.ts"), startApp("app-express.ts")])
    const checkouts = async () =>
      (await Promise.all([hono("max", "bolt"), express("max", "bolt")])).map(({ body }) => body)
    expect(await checkouts()).toMatchObject([{ checkout: "old" }, { checkout: "old" }])
    await change("bolt", { "new-checkout": ON })
    await expect
      .poll(checkouts, { timeout: 20_000 })
      .toMatchObject([{ checkout: "new" }, { checkout: "new" }])
    // Ten commands a minute, whoever asks for them.
    const statuses = async () =>
      (await Promise.all([hono("erin", "acme"), express("erin", "acme")])).map(({ status }) => status)
    await expect.poll(statuses, { timeout: 20_000 }).toEqual([429, 429])
    const refused = await express("erin", "acme")
    expect(refused.body).toMatchObject({ code: "RATE_LIMITED" })
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0)
    expect(refused.headers.get("ratelimit-policy")).toBe('"command";q=10;w=60')
    expect((await hono("max", "bolt")).status).toBe(200)
  })
})
