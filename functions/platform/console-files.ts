import { readdir, readFile } from "node:fs/promises"

/** The files that the console is made of, by the names they are served by; none where it was not built. */
export type ConsoleFiles = ReadonlyMap<string, Uint8Array>

/** A bundle takes the console along in a folder beside its code; beside the sources there is none. */
const BESIDE = new URL("./console/", import.meta.url)

export const consoleFilesBeside = async (): Promise<ConsoleFiles> => {
  const names = await readdir(BESIDE).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return []
    throw error
  })
  const files = names.map(async (name) => [name, await readFile(new URL(name, BESIDE))] as const)
  return new Map(await Promise.all(files))
}
