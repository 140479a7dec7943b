import { mkdtemp, readFile, rm, symlink } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ask, ROOT, show } from "./command.ts"

/** Hands over a folder with the files of that commit as they were, and removes it afterwards. This one stays as it is. */
export const withCheckout = async <T>(commit: string, use: (directory: string) => Promise<T>): Promise<T> => {
  const directory = await mkdtemp(join(tmpdir(), "hotswap-checkout-"))
  try {
    const archive = join(directory, "checkout.tar")
    await ask("git", ["archive", "--format=tar", `--output=${archive}`, commit])
    await ask("tar", ["-xf", archive, "-C", directory])
    await rm(archive)
    return await use(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Whether both lockfiles install the same, so that what is installed here serves there. */
const installsAlike = async (directory: string): Promise<boolean> => {
  const [here, there] = await Promise.all(
    [ROOT, directory].map(async (folder) => await readFile(join(folder, "package-lock.json"), "utf8")),
  )
  return here === there
}

/** Installs what a checkout beside this one needs. */
export const installIn = async (directory: string): Promise<void> => {
  if (await installsAlike(directory))
    await symlink(join(ROOT, "node_modules"), join(directory, "node_modules"))
  else await show("npm", ["ci"], { directory })
}
