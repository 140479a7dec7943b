import { readFileSync } from "node:fs"
import { join } from "node:path"
import postgres from "postgres"
import { afterAll, beforeAll, expect, test } from "vitest"
import { freshDatabase, type TestDatabase } from "../support/postgres.ts"
import { ROOT } from "../support/source-tree.ts"

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

const runbook = readFileSync(join(ROOT, "docs/runbooks/key-compromised.md"), "utf8")
const [, statements] = /<!-- sessions: [^>]* -->\n```sql\n([\s\S]*?)```/.exec(runbook)!

test("connections that were opened with a password of before are ended as the runbook says", async () => {
  const administrator = postgres(database.url("postgres"), { max: 1, onnotice: () => {} })
  const app = postgres(database.url("hotswap_app"), { max: 1, onnotice: () => {} })
  const backend = async () => (await app`select pg_backend_pid() as pid`)[0]!.pid as number
  try {
    const before = await backend()
    await administrator.unsafe(statements!)
    await expect.poll(() => backend().catch(() => before), { timeout: 10_000 }).not.toBe(before)
  } finally {
    await Promise.all([administrator.end(), app.end()])
  }
})
