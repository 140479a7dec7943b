import { createHash, randomUUID } from "node:crypto"
import { mkdir, open, readFile, rename, rm } from "node:fs/promises"
import { dirname } from "node:path"
import type { Snapshot, SnapshotStore } from "./types.ts"

const FORMAT = "hotswap-1"

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex")

/** A file that is absent, or cannot be read, holds nothing. */
const textOf = (path: string): Promise<string> => readFile(path, "utf8").catch(() => "")

/** The file is at any moment wholly the old one or wholly the new one, whatever ends the process or the machine. */
const replace = async (path: string, text: string): Promise<void> => {
  const beside = `${path}.${process.pid}.${randomUUID()}.tmp`
  await mkdir(dirname(path), { recursive: true })
  try {
    const file = await open(beside, "wx", 0o600)
    try {
      await file.writeFile(text)
      // Else the name could be on disk before the content is.
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(beside, path)
  } catch (error) {
    await rm(beside, { force: true })
    throw error
  }
}

const parse = (text: string): Snapshot | null => {
  const end = text.indexOf("\n")
  const content = text.slice(end + 1)
  if (text.slice(0, end) !== `${FORMAT} ${hashOf(content)}`) return null
  return JSON.parse(content) as Snapshot
}

/**
 * Keeps the last known good in this file, and the instance's name in `<file>.instance`. One file belongs to one tenant ×
 * environment; processes may share it. What is torn, altered or of another kind counts as nothing. The file holds
 * the configuration in plain text, readable by its owner only.
 */
export const diskStore = (path: string): SnapshotStore & { instanceId(): Promise<string> } => {
  let next: Snapshot | null = null
  let writing: Promise<void> | null = null

  const write = async (): Promise<void> => {
    while (next !== null) {
      const content = JSON.stringify(next)
      next = null
      await replace(path, `${FORMAT} ${hashOf(content)}\n${content}`)
    }
  }

  return {
    load: async () => parse(await textOf(path)),
    // Of those that come while one is written, only the last is.
    save: (snapshot) => {
      next = snapshot
      writing ??= write().finally(() => {
        writing = null
      })
      return writing
    },
    instanceId: async () => {
      const file = `${path}.instance`
      const kept = await textOf(file)
      if (/^[\w-]{8,200}$/.test(kept)) return kept
      const made = randomUUID()
      await replace(file, made)
      return made
    },
  }
}
