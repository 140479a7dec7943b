import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { APPLICATION_MUTANTS } from "./application-mutants.ts"
import { CONDITIONS, DEEPER_MUTANTS, WITHOUT_POLICIES } from "./deeper-mutants.ts"
import { armed, type Mutant } from "./mutant.ts"

// Those of the database, each by itself, are in rows.test.ts.
const MUTANTS = { ...APPLICATION_MUTANTS, ...DEEPER_MUTANTS }
const SHARE = 0.0005

beforeEach(() => {
  vi.resetModules()
  armed.now = false
})
afterEach(() => {
  for (const { holes } of Object.values(MUTANTS)) for (const { module } of holes) vi.doUnmock(module)
})

/** What the probes say of some operations, in the tree as it is loaded now. */
const byProbes = async ({ operations, sql = [] }: Partial<Mutant>): Promise<string[]> => {
  const { createScene } = await import("./scene.ts")
  const { createProbes } = await import("./probes.ts")
  const scene = await createScene()
  try {
    for (const statement of sql) await scene.admin.unsafe(statement)
    const probes = await createProbes(scene)
    armed.now = true
    const { leaks } = await probes.run(SHARE, operations)
    armed.now = false
    return [...leaks, ...(await probes.kept())]
  } finally {
    await scene.close()
  }
}

const byStreams = async (): Promise<string[]> => (await import("./streams.ts")).streamFaults()

const byConnections = async (): Promise<string[]> => {
  const { sharedDirectly } = await import("./pooled.ts")
  return (await sharedDirectly({ operations: 300, seed: 7 })).foreign
}

const hunt = async (mutant: Partial<Mutant>): Promise<string[]> => {
  if (mutant.by === "streams") return await byStreams()
  return mutant.by === "pooled" ? await byConnections() : await byProbes(mutant)
}

const allOperations = [...new Set(Object.values(MUTANTS).flatMap(({ operations }) => operations ?? []))]

test("without a hole, none is found", async () => {
  expect(await byProbes({ operations: allOperations })).toEqual([])
  expect(await byStreams()).toEqual([])
  expect(await byConnections()).toEqual([])
})

test("without any policy, what queries and doors ask for alone keeps tenants apart", async () => {
  expect(await byProbes({ sql: [WITHOUT_POLICIES] })).toEqual([])
})

test("without those conditions, the policies alone keep tenants apart", async () => {
  const sql = Object.values(CONDITIONS).map(({ drop }) => drop)
  const operations = Object.values(CONDITIONS).flatMap((condition) => condition.operations)
  expect(await byProbes({ sql, operations })).toEqual([])
})

test.each(Object.entries(MUTANTS))("with %s, it is found", async (name, mutant) => {
  for (const { module, alter } of mutant.holes)
    vi.doMock(module, async (importOriginal) => {
      const original = await importOriginal<Record<string, unknown>>()
      return { ...original, ...alter(original) }
    })
  const found = await hunt(mutant)
  console.log(`${name}: ${found.length} times, as ${found[0]?.slice(0, 200)}`)
  expect(found).not.toEqual([])
})
