import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { chown, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { PostgresPrograms } from "./binaries.ts"
import type { RunAs } from "./run-as.ts"

/**
 * Makes the data directory unless it is there. `initdb` works in a directory of another name that is renamed when
 * it is complete, so that a kill in between leaves nothing that looks like a database.
 */
export const ensureCluster = async (
  directory: string,
  programs: PostgresPrograms,
  as: RunAs,
  password: string,
  durable: boolean,
): Promise<string> => {
  const data = join(directory, "data")
  await removeHalfMade(directory)
  if (existsSync(join(data, "PG_VERSION"))) return data
  const fresh = join(directory, `data.new-${process.pid}`)
  const passwordFile = join(directory, `password.new-${process.pid}`)
  await mkdir(fresh, { mode: 0o700 })
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (as.uid !== null) await Promise.all([fresh, passwordFile].map((path) => chown(path, as.uid!, as.uid!)))
  try {
    initialise([...as.prefix, programs.initdb], fresh, passwordFile, as, durable)
    await rename(fresh, data)
  } finally {
    await rm(passwordFile, { force: true })
  }
  return data
}

const initialise = (
  command: readonly string[],
  data: string,
  passwordFile: string,
  as: RunAs,
  durable: boolean,
) => {
  const options = [
    "--pgdata",
    data,
    "--username=postgres",
    `--pwfile=${passwordFile}`,
    "--auth=scram-sha-256",
  ]
  options.push("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
  options.push("--data-checksums", "--no-instructions", ...(durable ? [] : ["--no-sync"]))
  const [program, ...rest] = [...command, ...options] as [string, ...string[]]
  const result = spawnSync(program, rest, {
    encoding: "utf8",
    cwd: data,
    env: { PATH: process.env.PATH, LC_ALL: "C" },
    ...(as.uid === null ? {} : { uid: as.uid, gid: as.uid }),
  })
  if (result.status === 0) return
  throw new Error(
    `initdb could not make a database in ${data}: ${(result.stderr || String(result.error)).trim()}`,
  )
}

const removeHalfMade = async (directory: string) => {
  const names = await readdir(directory)
  const halfMade = names.filter((name) => /^(data|password)\.new-\d+$/.test(name))
  await Promise.all(halfMade.map((name) => rm(join(directory, name), { recursive: true, force: true })))
}
