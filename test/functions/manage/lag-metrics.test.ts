import { afterAll, beforeAll, expect, test } from "vitest"
import { createWorld, type World } from "./world.ts"

let world: World
beforeAll(async () => {
  world = await createWorld({})
})
afterAll(() => world.close())

const told = async (name: string): Promise<number> => {
  const { text } = await world.call("GET", "/metrics")
  return Number(
    text
      .split("\n")
      .find((line) => line.startsWith(`${name} `))
      ?.slice(name.length),
  )
}

test("metrics tell what rolls out, what waits for people, and how much is to be published", async () => {
  const post = async (path: string, body: unknown) =>
    expect((await world.call("POST", path, { body })).status).toBeLessThan(300)
  await post("/api/v1/tenants", { tenantId: "acme", name: "Acme" })
  const edit = { tenantId: "acme", environment: "QA", edits: [{ key: "k", value: 1 }] }
  const strategy = { type: "canary", steps: [{ weightBp: 1_000, holdMs: 600_000 }] }
  await post("/api/v1/changes", { ...edit, strategy })
  await post("/api/v1/changes", { ...edit, environment: "Production" })
  expect(await told('hotswap_changes_timed{state="rolling_out"}')).toBe(1)
  expect(await told('hotswap_changes_timed{state="awaiting_approval"}')).toBe(1)
  expect(await told("hotswap_outbox_marks")).toBeGreaterThan(0)
})
