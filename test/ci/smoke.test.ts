import { spawn } from "node:child_process"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { SmokeFailure, smoke } from "../../ci/smoke.ts"
import { type RunningHotswap, removeHome, startHotswap } from "../support/hotswap.ts"

const atOnce = async (): Promise<void> => {}

let hotswap: RunningHotswap
let token: string

beforeAll(async () => {
  hotswap = await startHotswap()
  await hotswap.call("POST", "/api/v1/tenants", {
    body: { tenantId: "smoke", name: "Smoke", tier: "Enterprise" },
  })
  const issued = await hotswap.call<{ token: string }>("POST", "/api/v1/tenants/smoke/tokens", {
    body: { subject: "smoke", roles: ["reader"], environment: "Production" },
  })
  token = issued.body.token
})
afterAll(async () => {
  await hotswap.stop()
  await removeHome(hotswap.home)
})

const failuresOf = async (options: { url?: string; token?: string; tenant?: string; version?: string }) => {
  const reason = await smoke({ url: hotswap.url, token, tenant: "smoke", pause: atOnce, ...options }).catch(
    (error: Error) => error,
  )
  if (!(reason instanceof SmokeFailure)) throw new Error(`nothing failed: ${reason}`)
  return reason.message
}

const run = async (env: Record<string, string>): Promise<{ code: number | null; output: string }> => {
  const child = spawn(process.execPath, ["ci/smoke.ts", hotswap.url], {
    env: { PATH: process.env.PATH, ...env },
  })
  let output = ""
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (text) => {
      output += text
    })
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve))
  return { code, output }
}

describe("the smoke test", () => {
  test("finds a service that runs well well, and alters nothing of it", async () => {
    const before = await hotswap.call("GET", "/api/v1/audit?tenantId=smoke")
    expect(await smoke({ url: hotswap.url, token, tenant: "smoke", pause: atOnce })).toHaveLength(8)
    const after = await hotswap.call("GET", "/api/v1/audit?tenantId=smoke")
    expect(after).toMatchObject({ status: 200, body: before.body })
  })

  test("tells each thing that does not hold, not only the first", async () => {
    const told = await failuresOf({ tenant: "nobody" })
    expect(told).toContain("a read, and one of what is known: answered 404 instead of 200")
    expect(told).toContain("flags: answered 404 instead of 200")
    expect(told).toContain("the stream: answered 404 instead of 200")
    expect(told).not.toContain("readiness")
    expect(await failuresOf({ token: `${token}x` })).toContain("answered 401 instead of 200")
  })

  test("takes no word of a version that it did not ask for", async () => {
    expect(await failuresOf({ version: "another" })).toContain(
      "health: was answered by version null instead of another",
    )
  })

  test("says of a service that is not there that it cannot be reached", async () => {
    expect(await failuresOf({ url: "http://127.0.0.1:1" })).toMatch(/readiness: fetch failed \(.+\)/)
  })

  test("ends as a command with 0 or 1, and says what it needs", async () => {
    const well = await run({ HOTSWAP_SMOKE_TOKEN: token, HOTSWAP_SMOKE_TENANT: "smoke" })
    expect(well).toMatchObject({ code: 0, output: expect.stringContaining("8 of 8 well") })
    const ill = await run({ HOTSWAP_SMOKE_TOKEN: token, HOTSWAP_SMOKE_TENANT: "nobody" })
    expect(ill).toMatchObject({ code: 1, output: expect.stringContaining("TENANT_NOT_FOUND") })
    expect(ill.output).not.toContain(token)
    expect((await run({})).output).toContain("HOTSWAP_SMOKE_TOKEN")
  })
})
