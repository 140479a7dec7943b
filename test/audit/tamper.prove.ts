import { afterAll, beforeAll, expect, test } from "vitest"
import type { SignedPiece } from "../../core/audit/verify.ts"
import { prepare, tamperExports, tamperTable } from "./tamper-runs.ts"
import { type AuditWorld, auditWorld } from "./world.ts"

let world: AuditWorld
let made: { text: string; pieces: SignedPiece[] }
const seed = Number(process.env.HOTSWAP_SEED ?? Date.now())

beforeAll(async () => {
  world = await auditWorld()
  made = await prepare(world)
})
afterAll(() => world.close())

test("7,000 random edits, deletions, truncations, insertions, swaps and rewrites of an export are all found", async () => {
  expect(await tamperExports(world, made, 7_000, seed), `seed ${seed}`).toBe(7_000)
})

test("3,000 of the table are all found", async () => {
  expect(await tamperTable(world, made.text, 3_000, seed), `seed ${seed}`).toBe(3_000)
})
