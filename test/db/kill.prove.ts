import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { killInTransactions } from "./kill.ts"

test("killed with -9 inside transactions 50 times, the server takes neither the process nor a write with it", async () => {
  const directory = await mkdtemp(join(tmpdir(), "hotswap-kill-"))
  try {
    expect(await killInTransactions(directory, 50)).toEqual({
      kills: 50,
      unanswered: 0,
      lost: 0,
      uncaught: 0,
    })
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})
