import { afterAll, beforeAll, expect, test } from "vitest"
import { withoutCase } from "./matrix.ts"
import { createProbes, type Probes } from "./probes.ts"
import { createScene, type Scene } from "./scene.ts"

let scene: Scene
let probes: Probes
beforeAll(async () => {
  scene = await createScene()
  probes = await createProbes(scene)
}, 120_000)
afterAll(async () => {
  await scene?.close()
})

test("every route, and every place in it where a name can stand, has its case", async () => {
  expect(withoutCase(probes.operations, await scene.worker.routes())).toEqual([])
})

/** Tables that only restores, rollouts elsewhere, state machines, time and the platform fill: rows.test.ts has rows in them. */
const WITHOUT_ROWS = [
  ...["audit_drops", "gate_tenants", "outbox", "tenant_origins", "usage_sources", "workflow_waits"],
]

test("other tenants have something to be learnt in every table", async () => {
  const rows = (await Promise.all(["birch", "elder"].map(scene.rowsOf))).join("\n")
  const filled = scene.tables.filter((table) => !WITHOUT_ROWS.includes(table))
  expect(filled.filter((table) => !rows.includes(`${table} {`))).toEqual([])
})

test("nobody learns of another tenant, nor whether it is there, at any route or place of a name", {
  timeout: 240_000,
}, async () => {
  const { leaks, counts } = await probes.run(0)
  expect([...new Set(leaks)].slice(0, 20)).toEqual([])
  expect(Object.keys(counts.operation)).toHaveLength(probes.operations.length)
  // It would also be silent if it got nothing anywhere.
  for (const status of ["200", "202", "400", "403", "404"]) expect(counts.status).toHaveProperty(status)
})

test("nor does what is kept of one tenant hold anything of another's", async () => {
  expect(await probes.kept()).toEqual([])
})
