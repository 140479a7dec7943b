import { expect, test } from "vitest"
import { createProbes } from "./probes.ts"
import { createScene } from "./scene.ts"
import { inWords } from "./tally.ts"

test("a hundred thousand different requests learn nothing of another tenant", async () => {
  const scene = await createScene()
  try {
    const probes = await createProbes(scene)
    const started = performance.now()
    const tally = await probes.run(Number(process.env.HOTSWAP_PROBE_SHARE ?? 0.009))
    console.log(inWords(tally, probes.size, performance.now() - started))
    expect([...new Set(tally.leaks)].slice(0, 20)).toEqual([])
    expect(await probes.kept()).toEqual([])
    expect(Object.keys(tally.counts.operation)).toHaveLength(probes.operations.length)
    expect(tally.probes).toBeGreaterThanOrEqual(100_000)
  } finally {
    await scene.close()
  }
})
