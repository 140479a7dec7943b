import { execFile } from "node:child_process"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { ScopeId } from "../../core/ids.ts"
import { checkpointUpTo } from "../../db/queries/audit-checkpoints.ts"
import { must } from "../functions/manage/world.ts"
import { type AuditWorld, auditWorld, linesOf } from "./world.ts"

// As an auditor has it: files, and no service that answers.

let world: AuditWorld
let folder: string
let key: string
const run = promisify(execFile)

beforeAll(async () => {
  world = await auditWorld()
  folder = await mkdtemp(join(tmpdir(), "hotswap-auditor-"))
  await world.tenant("acme")
  await world.edit("acme", 6)
  await world.sign()
  key = await file("key.json", (await must(world.call("GET", "/api/v1/audit/key"), 200)).text)
})
afterAll(async () => {
  await world.close()
  await rm(folder, { recursive: true, force: true })
})

const file = async (name: string, text: string): Promise<string> => {
  await writeFile(join(folder, name), text)
  return join(folder, name)
}

const verify = async (...given: string[]): Promise<{ code: number; told: string }> => {
  const args = ["local/verify-audit.ts", ...given]
  try {
    const { stdout } = await run(process.execPath, args, { env: {} })
    return { code: 0, told: stdout }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, told: stdout + stderr }
  }
}

test("an export is checked with the public key and nothing else", async () => {
  const text = await world.exported("acme")
  const whole = await file("whole.jsonl", text)
  expect(await verify(whole, key)).toMatchObject({
    code: 0,
    told: expect.stringMatching(/^ok: \d+ entries of acme/),
  })
  const [line] = linesOf(text).filter((one) => one.includes('"seq":7}'))
  const forged = await file("forged.jsonl", text.replace(line!, line!.replace("change.", "change_")))
  expect(await verify(forged, key)).toMatchObject({
    code: 1,
    told: expect.stringContaining("BROKEN at entry 7 of acme"),
  })
  // Whoever has no key can make hashes anew, and leave out what was signed.
  const stripped = linesOf(text).filter((one) => !one.startsWith('{"checkpoint"'))
  expect((await verify(await file("stripped.jsonl", stripped.join("")), key)).told).toMatch(
    /\n +NOT SIGNED: entries 1 to \d+,/,
  )
  const others = Buffer.alloc(32, 7).toString("base64")
  expect((await verify(whole, others)).code).toBe(1)
})

test("a chain that was cut short is told by a note, or a folder of copies, that was kept", async () => {
  const csv = await file("rows.csv", await world.exported("acme", "&format=csv"))
  const note = await file("note", (await checkpointUpTo(world.app, "acme" as ScopeId))!.note)
  const copies = join(world.folder, "audit/acme")
  const tenant = ["--tenant", "acme"]
  for (const kept of [
    ["--note", note],
    ["--checkpoints", copies],
  ]) {
    expect((await verify(csv, key, ...tenant, ...kept)).code).toBe(0)
    const short = await file(
      "short.csv",
      linesOf(await world.exported("acme", "&format=csv"))
        .slice(0, 5)
        .join(""),
    )
    expect((await verify(short, key, ...tenant)).code).toBe(0)
    expect(await verify(short, key, ...tenant, ...kept)).toMatchObject({
      code: 1,
      told: expect.stringContaining("BROKEN at entry 5"),
    })
  }
})

test("what cannot be checked is not said to be well", async () => {
  expect((await verify()).code).toBe(2)
  expect((await verify(join(folder, "missing.jsonl"), key)).code).toBe(2)
  expect(await verify(await file("a.csv", ""), key)).toMatchObject({
    code: 2,
    told: expect.stringContaining("--tenant"),
  })
  expect((await verify(await file("b.csv", ""), key, "--tenant", "acme")).code).toBe(1)
  expect((await verify(await file("c.jsonl", ""), key, "--tenant", "acme")).code).toBe(1)
})
