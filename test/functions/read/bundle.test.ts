import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { bundle } from "../../../infra/constructs/bundling.ts"

test("a start of the read function loads no package but three", async () => {
  const directory = await mkdtemp(join(tmpdir(), "hotswap-read-"))
  try {
    const { first } = bundle("read", directory)
    const packages = [...first.inputs].filter((path) => path.includes("node_modules/"))
    const names = packages.map((path) => path.split("node_modules/").at(-1)!.split("/")[0])
    expect([...new Set(names)].sort()).toEqual(["ipaddr.js", "jose", "postgres"])
  } finally {
    await rm(directory, { recursive: true })
  }
})
