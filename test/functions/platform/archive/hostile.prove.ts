import { afterAll, beforeAll, expect, test } from "vitest"
import { cutEverywhere, flipBits, type Victim, victim } from "./hostile-runs.ts"
import { type ArchiveWorld, archiveWorld } from "./world.ts"

let world: ArchiveWorld
let large: Victim
beforeAll(async () => {
  world = await archiveWorld()
  large = await victim(world, 11, 2_000)
})
afterAll(() => world.stop())

const total = (counts: Readonly<Record<string, number>>) =>
  Object.values(counts).reduce((sum, one) => sum + one, 0)

test("an archive cut off at every KB of every file, and at every byte of its manifest, is refused", async () => {
  const cuts = await cutEverywhere(world, large, 1024)
  const bytewise = await cutEverywhere(world, { ...large, files: [large.manifest] }, 1)
  console.info("cut off:", large.files.length, "files,", cuts, "byte by byte:", bytewise)
  expect(total(cuts)).toBeGreaterThan(1_000)
  expect(total(bytewise)).toBe(large.manifest.bytes.length)
})

test("10,000 archives with one bit turned round are refused", async () => {
  const flips = await flipBits(world, large, 12, 10_000)
  console.info("turned round:", flips)
  expect(total(flips)).toBe(10_000)
})
