import { afterAll, beforeAll, expect, test } from "vitest"
import { verifyJsonl } from "../../core/audit/read-export.ts"
import type { SignedPiece } from "../../core/audit/verify.ts"
import type { ScopeId } from "../../core/ids.ts"
import { prepare, tamperExports, tamperTable } from "./tamper-runs.ts"
import { type AuditWorld, auditWorld, linesOf } from "./world.ts"

let world: AuditWorld
let made: { text: string; pieces: SignedPiece[] }

beforeAll(async () => {
  world = await auditWorld()
  made = await prepare(world)
})
afterAll(() => world.close())

test("whatever is done to an export without the key is found, at the entry where it was done", async () => {
  expect(await tamperExports(world, made, 140, 20261121)).toBe(140)
})

test("whatever is done to the table without the key is found, at the entry where it was done", async () => {
  expect(await tamperTable(world, made.text, 60, 20261121)).toBe(60)
})

test("no line of an export may differ in one place, be it of an entry, a checkpoint, a person, its beginning or its end", async () => {
  const { text, pieces } = made
  const lines = linesOf(text)
  const kinds = new Set(lines.map((line) => /^\{"(\w+)"/.exec(line)?.[1]))
  expect([...kinds].sort()).toEqual(["after", "at", "checkpoint", "end", "person"])
  for (const [nth, line] of lines.entries())
    for (let at = 3; at < line.length; at += Math.ceil(line.length / 12)) {
      const other = line[at] === "A" ? "B" : "A"
      const altered = lines.with(nth, line.slice(0, at) + other + line.slice(at + 1))
      const verdict = await verifyJsonl(altered, { scope: "acme" as ScopeId, keys: world.keys, pieces })
      expect(verdict.ok, `${at} of ${line}`).toBe(false)
    }
  const dropped = lines.with(0, lines[0]!.replace('"drop":null', '"drop":"a word"'))
  expect(await verifyJsonl(dropped, { scope: "acme" as ScopeId, keys: world.keys, pieces })).toMatchObject({
    ok: false,
    firstBroken: 1,
  })
})
