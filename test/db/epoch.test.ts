import { readFileSync } from "node:fs"
import { join } from "node:path"
import postgres from "postgres"
import { afterAll, beforeAll, expect, test } from "vitest"
import { epochOf } from "../../db/migrate.ts"
import { freshDatabase, type TestDatabase } from "../support/postgres.ts"
import { ROOT } from "../support/source-tree.ts"

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

const runbook = readFileSync(join(ROOT, "docs/runbooks/database-lost.md"), "utf8")
const [, statements] = /<!-- epoch: [^>]* -->\n```sql\n([\s\S]*?)```/.exec(runbook)!

test("the epoch of a database that came back from the past is raised as its runbook says, each time, and by nobody else", async () => {
  const owner = postgres(database.url("hotswap_owner"), { max: 1, onnotice: () => {} })
  const app = postgres(database.url("hotswap_app"), { max: 1, onnotice: () => {} })
  const epoch = async () => (await app`select epoch from hotswap.epoch`)[0]!.epoch as number
  try {
    const before = await epoch()
    const now = epochOf(new Date())
    await owner.unsafe(statements!)
    const raised = await epoch()
    expect(raised).toBeGreaterThan(before)
    expect(Math.abs(raised - now)).toBeLessThan(60)
    await owner.unsafe(statements!)
    expect(await epoch()).toBeGreaterThan(raised)
    await expect(app`update hotswap.epoch set epoch = 1`).rejects.toThrow(/permission denied/)
    expect((await owner`update hotswap.epoch set epoch = 1 returning epoch`).length).toBe(0)
  } finally {
    await Promise.all([owner.end(), app.end()])
  }
})
