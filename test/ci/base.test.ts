import { execFileSync } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest"
import { baseCommit } from "../../ci/base.ts"

let folder: string
const git = (directory: string, ...args: string[]): string =>
  execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...args], {
    cwd: join(folder, directory),
    encoding: "utf8",
  }).trim()
const commit = (message: string): string => {
  git("whole", "commit", "-q", "--allow-empty", "-m", message)
  return git("whole", "rev-parse", "HEAD")
}

let first: string
let second: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hotswap-base-"))
  git(".", "init", "-q", "-b", "main", "whole")
  first = commit("first")
})
afterEach(() => vi.unstubAllEnvs())
afterAll(async () => await rm(folder, { recursive: true, force: true }))

test("the first commit of all has nothing before it, and is compared with itself", async () => {
  vi.stubEnv("HOTSWAP_BASE", "0".repeat(40))
  expect(await baseCommit(join(folder, "whole"))).toBe(first)
})

test("on the main branch it is the commit before; beside it, where the branch left; or what is asked for", async () => {
  vi.stubEnv("HOTSWAP_BASE", "")
  second = commit("second")
  expect(await baseCommit(join(folder, "whole"))).toBe(first)
  git("whole", "checkout", "-q", "-b", "branch")
  const third = commit("third")
  commit("fourth")
  expect(await baseCommit(join(folder, "whole"))).toBe(second)
  vi.stubEnv("HOTSWAP_BASE", third)
  expect(await baseCommit(join(folder, "whole"))).toBe(third)
})

test("a clone without history is compared with nothing", async () => {
  vi.stubEnv("HOTSWAP_BASE", "")
  git(".", "clone", "-q", "--depth", "1", "-b", "main", `file://${join(folder, "whole")}`, "shallow")
  await expect(baseCommit(join(folder, "shallow"))).rejects.toThrow("the clone has no history")
  vi.stubEnv("HOTSWAP_BASE", first)
  await expect(baseCommit(join(folder, "shallow"))).rejects.toThrow(`${first} is not there`)
})
