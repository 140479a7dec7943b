import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { baseCommit } from "./base.ts"
import { ask, ROOT } from "./command.ts"

const FOLDER = "db/migrations/"

/**
 * Which of the migrations that were there at `base` are not there as they were. A deployed database has run them: a
 * file altered afterwards runs nowhere but in new ones.
 */
export const alteredMigrations = async (base: string, root = ROOT): Promise<string[]> => {
  const listed = await ask("git", ["ls-tree", "-r", "--name-only", base, FOLDER], { directory: root })
  const files = listed.split("\n").filter((path) => path.endsWith(".sql"))
  const verdicts = await Promise.all(
    files.map(async (path) => {
      const before = await ask("git", ["show", `${base}:${path}`], { directory: root })
      const now = await readFile(join(root, path), "utf8").catch(() => null)
      if (now === null) return [`${path} is gone`]
      return now === before ? [] : [`${path} is altered`]
    }),
  )
  return verdicts.flat()
}

/** Throws, naming them, if migrations are not as they were. */
export const checkMigrations = async (): Promise<void> => {
  const base = await baseCommit()
  const altered = await alteredMigrations(base)
  if (altered.length > 0)
    throw new Error(`Migrations only go forward. Since ${base.slice(0, 12)}:\n${altered.join("\n")}`)
  console.log(`all migrations of ${base.slice(0, 12)} are as they were`)
}
