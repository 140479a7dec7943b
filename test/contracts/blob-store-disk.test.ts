import { execFile, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { afterEach, beforeEach, expect, test } from "vitest"
import { diskBlobStore } from "../../functions/platform/blob-store-disk.ts"
import { allNames, textOf, utf8 } from "./blob-store.contract.ts"

const CHILD = fileURLToPath(new URL("./blob-child.ts", import.meta.url))
const run = promisify(execFile)

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "hotswap-blobs-"))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const linesOf = ({ stdout }: { stdout: string }): unknown[] =>
  stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))

/** May this machine's user have a disk of its own? */
const hasNamespaces = (() => {
  try {
    execFileSync("unshare", ["-Urm", "true"], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
})()

test("holds nothing that is half written, and nobody's leftovers", async () => {
  const store = diskBlobStore(folder)
  await store.putOnce("audit/globex/1", utf8("x"))
  await store.putOnce("audit/globex/1", utf8("y"))
  expect(await readdir(join(folder, "audit/globex"))).toEqual(["1"])
  expect(await readFile(join(folder, "audit/globex/1"), "utf8")).toBe("x")
  await store.remove("audit/globex/1")
  expect(await readdir(folder)).toEqual([])
})

test("what was acknowledged outlives kill -9, and what was not is there whole or not at all", async () => {
  for (const lines of [1, 2, 5, 13]) {
    const child = spawn(process.execPath, [CHILD, "write", folder], { stdio: ["ignore", "pipe", "inherit"] })
    const acknowledged: string[] = []
    const gone = once(child, "exit")
    for await (const line of createInterface(child.stdout)) {
      acknowledged.push(JSON.parse(line) as string)
      if (acknowledged.length === lines) child.kill("SIGKILL")
    }
    await gone
    const store = diskBlobStore(folder)
    const names = await allNames(store, `a/${child.pid}`)
    expect(names).toEqual(expect.arrayContaining(acknowledged))
    for (const name of names) {
      const bytes = await store.get(name)
      expect(bytes).toHaveLength(200_000)
      expect(bytes!.every((byte) => byte === Number(name.split("/").at(-1)))).toBe(true)
    }
  }
})

test("what a killed process left unfinished is never seen, and is gone a day later", async () => {
  const nowMs = Date.now()
  const store = diskBlobStore(folder, { nowMs: () => nowMs })
  await store.putOnce("a/1", utf8("x"))
  const [old, young] = ["old", "young"].map(() => join(folder, "a", `.${crypto.randomUUID()}`)) as [
    string,
    string,
  ]
  for (const file of [old, young]) await writeFile(file, "half")
  await utimes(old, new Date(nowMs), new Date(nowMs - 86_400_001))
  await utimes(young, new Date(nowMs), new Date(nowMs - 86_399_000))
  expect(await store.list("a")).toEqual({ names: ["a/1"], after: null })
  expect((await readdir(join(folder, "a"))).sort()).toEqual([young.slice(young.lastIndexOf("/") + 1), "1"])
})

test.skipIf(!hasNamespaces)(
  "a full disk is told once and clearly, leaves nothing, and takes more when there is room",
  async () => {
    const script = `mount -t tmpfs -o size=512k tmpfs "$1" && exec "$2" "$3" fill "$1"`
    const [full, later] = linesOf(
      await run("unshare", ["-Urm", "sh", "-c", script, "sh", folder, process.execPath, CHILD]),
    ) as { written: number; names: string[] }[]
    const kept = Array.from({ length: full!.written }, (_, nth) => `a/${nth}`)
    expect(full!.written).toBeGreaterThan(3)
    expect(full).toEqual({
      outcome: { code: "BLOB_STORE_FULL", cause: "ENOSPC" },
      written: full!.written,
      names: kept,
      files: expect.arrayContaining(kept.map((name) => name.slice(2))),
    })
    expect((full as unknown as { files: string[] }).files).toHaveLength(kept.length)
    expect(later).toEqual({ again: "written", names: [...kept.slice(1), `a/${full!.written}`] })
  },
)

test.skipIf(!hasNamespaces && process.getuid?.() === 0)(
  "who is not allowed to is told so, and nothing is altered",
  async () => {
    const store = diskBlobStore(folder)
    await store.putOnce("open/1", utf8("x"))
    await store.putOnce("closed/1", utf8("y"))
    await chmod(join(folder, "open/1"), 0o444)
    await chmod(join(folder, "open"), 0o555)
    await chmod(join(folder, "closed"), 0)
    await chmod(folder, 0o555)
    // As root everything is allowed; in a namespace without names it is nobody.
    const command = process.getuid?.() === 0 ? ["unshare", "-U", process.execPath] : [process.execPath]
    try {
      const told = linesOf(await run(command[0]!, [...command.slice(1), CHILD, "trespass", folder]))
      const forbidden = { code: "BLOB_STORE_FORBIDDEN", cause: "EACCES" }
      expect(told).toEqual([
        forbidden,
        forbidden,
        forbidden,
        { type: "Buffer", data: [120] },
        forbidden,
        forbidden,
      ])
    } finally {
      await chmod(folder, 0o755)
      for (const name of ["open", "closed"]) await chmod(join(folder, name), 0o755)
    }
    expect(await allNames(store, "")).toEqual(["closed/1", "open/1"])
  },
)

test("links in it lead nowhere: neither read, written, listed nor removed through", async () => {
  const elsewhere = join(folder, "elsewhere")
  const root = join(folder, "root")
  await mkdir(join(root, "a"), { recursive: true })
  await mkdir(elsewhere)
  await writeFile(join(elsewhere, "1"), "secret")
  await symlink(elsewhere, join(root, "a/link"))
  await symlink(join(elsewhere, "1"), join(root, "a/file"))
  const store = diskBlobStore(root)
  expect(await allNames(store, "")).toEqual([])
  for (const name of ["a/link/1", "a/file"]) {
    await expect(store.get(name), name).rejects.toThrow(/leads to|is not a file/)
    await expect(store.size(name), name).rejects.toThrow(/leads to|is not a file/)
    await expect(store.remove(name), name).rejects.toThrow(/leads to|is not a file/)
  }
  await expect(store.putOnce("a/link/2", utf8("x"))).rejects.toThrow("leads to")
  await expect(store.putOnce("a/link/b/c", utf8("x"))).rejects.toThrow("is not a folder")
  await expect(store.putOnce("a/file", utf8("x"))).rejects.toThrow("is not a file")
  expect(await readdir(elsewhere)).toEqual(["1"])
  expect(await readFile(join(elsewhere, "1"), "utf8")).toBe("secret")
})

test("a folder that is emptied at this moment is there again for what is put into it", async () => {
  const store = diskBlobStore(folder)
  const putAndRemove = async (name: string): Promise<void> => {
    for (let round = 0; round < 40; round++) {
      expect(await store.putOnce(name, utf8("x"))).toBe("written")
      expect(await store.remove(name)).toBe("removed")
    }
  }
  await Promise.all([1, 2, 3].map((nth) => putAndRemove(`a/b/${nth}`)))
  expect(await readdir(folder)).toEqual([])
})

test("may itself be reached by a link", async () => {
  await mkdir(join(folder, "real"))
  await symlink(join(folder, "real"), join(folder, "link"))
  expect(await diskBlobStore(join(folder, "link")).putOnce("a/1", utf8("x"))).toBe("written")
  expect(textOf(await diskBlobStore(join(folder, "real")).get("a/1"))).toBe("x")
  expect(await allNames(diskBlobStore(join(folder, "link")), "a")).toEqual(["a/1"])
})

test("a folder's name holds nothing, and is not taken for one that was written before", async () => {
  const store = diskBlobStore(folder)
  await store.putOnce("a/b/1", utf8("x"))
  await expect(store.putOnce("a/b", utf8("x"))).rejects.toThrow("is the name of a folder")
  await expect(store.putOnce("a/b/1/c", utf8("x"))).rejects.toThrow("is not a folder")
  expect([await store.get("a/b"), await store.size("a/b"), await store.get("a/b/1/c")]).toEqual([
    null,
    null,
    null,
  ])
  expect(await store.remove("a/b")).toBe("absent")
  expect(await allNames(store, "")).toEqual(["a/b/1"])
})
