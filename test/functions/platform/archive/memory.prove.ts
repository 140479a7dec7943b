import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { expect, test } from "vitest"

const CHILD = fileURLToPath(new URL("./memory-child.ts", import.meta.url))

interface Told {
  plainMib: number
  storedMib: number
  parts: number
  writeMs: number
  readMs: number
  peakMib: number
  grownMib: number
}

const told = async (mib: number): Promise<Told> => {
  const { stdout } = await promisify(execFile)(process.execPath, [CHILD, String(mib)])
  return JSON.parse(stdout) as Told
}

test("a table of 200 MB, and one of 600, is written and read in the memory that a small one takes", async () => {
  const [small, large, larger] = [await told(20), await told(200), await told(600)]
  console.info("memory:", { small, large, larger })
  for (const { plainMib, grownMib } of [small, large, larger]) {
    expect(plainMib).toBeGreaterThan(19)
    expect(grownMib).toBeLessThan(128)
  }
})
