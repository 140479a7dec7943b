import { execFile } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type RunningHotswap, removeHome, startHotswap } from "../support/hotswap.ts"
import { ROOT } from "../support/source-tree.ts"
import {
  hasVictoriaMetrics,
  type RunningVictoriaMetrics,
  startVictoriaMetrics,
} from "../support/victoria-metrics.ts"

const run = promisify(execFile)
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8")
/** What the README's first calls define in the shell. */
const DEFINED = read("README.md")
  .match(/^\w+\(\) \{[\s\S]*?; \}$/gm)!
  .join("\n")
const GUIDE = /<!-- deployments:[^>]*-->\n```sh\n([\s\S]*?)```/.exec(read("docs/deployments.md"))![1]!

const PROVISIONING = /<!-- provisioning:[^>]*-->\n```sh\n([\s\S]*?)```/.exec(
  read("docs/provisioning.md"),
)![1]!

interface Health {
  metrics: { state: string; targets: { state: string; words: string }[] }
}

describe.skipIf(!hasVictoriaMetrics())("a tenant's own VictoriaMetrics, behind all of Hotswap", () => {
  let hotswap: RunningHotswap
  let targets: RunningVictoriaMetrics[]
  const tokens: Record<string, string> = {}
  beforeAll(async () => {
    ;[hotswap, ...targets] = await Promise.all([
      startHotswap({ env: { HOTSWAP_OUTBOUND_ALLOW: "127.0.0.0/8" } }),
      startVictoriaMetrics(),
      startVictoriaMetrics(),
    ])
    const made = await hotswap.call("POST", "/api/v1/tenants", {
      body: { tenantId: "acme-corp", name: "ACME", tier: "Enterprise" },
    })
    expect(made.status).toBe(201)
    for (const [name, roles, environment] of [
      ["ENGINEER", ["engineer"], undefined],
      ["READER", ["reader"], "Production"],
    ] as const) {
      const body = { subject: name.toLowerCase(), roles, environment }
      const path = "/api/v1/tenants/acme-corp/tokens"
      tokens[name] = (await hotswap.call<{ token: string }>("POST", path, { body })).body.token
    }
  }, 60_000)
  afterAll(async () => {
    await hotswap.stop()
    await Promise.all(targets.map((target) => target.kill()))
    await removeHome(hotswap.home)
  })

  const shell = async (script: string): Promise<string[]> => {
    const env = { ...process.env, HOTSWAP: hotswap.url, ADMIN: hotswap.adminToken, ...tokens }
    const { stdout, stderr } = await run("bash", ["--norc", "-euo", "pipefail", "-c", script], { env })
    expect(stderr).toBe("")
    return stdout.split("\n").filter((line) => line !== "")
  }
  const check = async (): Promise<Health> => {
    const path = "/api/v1/tenants/acme-corp/deployments/check"
    return (await hotswap.call<Health>("POST", path, { token: tokens.ENGINEER!, body: {} })).body
  }
  const ask = (path: string, token = tokens.ENGINEER!) =>
    hotswap.call<{ code?: string }>("GET", `/api/v1/route/metrics${path}`, { token })
  const written = async (name: string) => {
    for (const { url } of targets) await fetch(`${url}/internal/force_flush`).catch(() => {})
    // VictoriaMetrics answers up to the last whole second: what was written within this one is not in it yet.
    const path = `/api/v1/route/metrics/api/v1/export?match[]=${name}`
    const headers = { authorization: `Bearer ${tokens.ENGINEER}` }
    const exported = await (await fetch(hotswap.url + path, { headers })).text()
    return (JSON.parse(exported || "null") as { values: number[] } | null)?.values
  }

  test("the guide works as it is written", async () => {
    const script = GUIDE.replace("127.0.0.1:8428", new URL(targets[0]!.url).host).replace(
      "127.0.0.1:8429",
      new URL(targets[1]!.url).host,
    )
    const lines = await shell(`${DEFINED}\n${script}`)
    expect(lines[0]).toBe("acme-corp")
    expect(JSON.parse(lines[1]!)).toMatchObject({ status: "success" })
    expect(JSON.parse(lines[2]!)).toMatchObject({ metrics: { state: "healthy" } })
    await expect.poll(() => written("orders_total"), { timeout: 10_000 }).toEqual([42])
  })

  test("a workload that was planned is tried, and the tenant led there, as the guide on provisioning has it", async () => {
    const workload = await startVictoriaMetrics(undefined, "/t-small-shop-metrics")
    try {
      const lines = await shell(
        `${DEFINED}\n${PROVISIONING.replace("127.0.0.1:8430", new URL(workload.url).host)}`,
      )
      expect(lines).toEqual([
        "Pro",
        `http://${new URL(workload.url).host}/{name}`,
        "Namespace hotswap-pro",
        "ServiceAccount hotswap-pro/t-small-shop",
        "NetworkPolicy hotswap-pro/t-small-shop-isolation",
        "release hotswap-pro/t-small-shop-metrics",
        "victoria-metrics-single",
        "validating",
      ])
      const state = async () => {
        await fetch(`${workload.url}/internal/force_flush`)
        const path = "/api/v1/tenants/small-shop/provisioning"
        return (await hotswap.call<{ state: string }>("GET", path)).body.state
      }
      await expect.poll(state, { timeout: 30_000 }).toBe("active")
      const body = { subject: "sue", roles: ["engineer"] }
      const tokensPath = "/api/v1/tenants/small-shop/tokens"
      const { token } = (await hotswap.call<{ token: string }>("POST", tokensPath, { body })).body
      expect((await ask("/api/v1/labels", token)).status).toBe(200)
    } finally {
      await workload.kill()
    }
  })

  test("with one of two targets killed queries and writes go on, it is seen to be unhealthy, and healthy when it is back", async () => {
    const [first, second] = targets as [RunningVictoriaMetrics, RunningVictoriaMetrics]
    await first.kill()
    for (let nth = 0; nth < 5; nth++) expect((await ask("/api/v1/labels")).status).toBe(200)
    const sent = await fetch(`${hotswap.url}/api/v1/route/metrics/api/v1/import/prometheus`, {
      method: "POST",
      headers: { authorization: `Bearer ${tokens.READER}`, "content-type": "text/plain" },
      body: "after_the_kill 7\n",
    })
    expect(sent.status).toBe(204)
    await expect.poll(() => written("after_the_kill"), { timeout: 10_000 }).toEqual([7])
    // Whoever asks again within two seconds is told what was seen.
    const states = async () => (await check()).metrics.targets.map(({ state, words }) => `${state}: ${words}`)
    const healthy = "healthy: It answered 200."
    await expect
      .poll(states, { timeout: 20_000 })
      .toEqual(["unhealthy: The host does not accept connections.", healthy])
    targets[0] = await startVictoriaMetrics(Number(new URL(first.url).port))
    await expect.poll(states, { timeout: 20_000 }).toEqual([healthy, healthy])
    await second.kill()
    expect((await ask("/api/v1/labels")).status).toBe(200)
  })

  test("what administers a VictoriaMetrics reaches it from nobody", async () => {
    for (const path of [
      "/api/v1/admin/tsdb/delete_series?match[]=up",
      "/snapshot/create",
      "/internal/force_merge",
    ])
      expect((await ask(path, hotswap.adminToken)).body.code).toMatch(
        /^(TENANT_UNNAMED|BACKEND_PATH_FORBIDDEN)$/,
      )
    expect((await ask("/internal/force_merge")).body.code).toBe("BACKEND_PATH_FORBIDDEN")
  })
})
