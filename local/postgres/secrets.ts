import { randomBytes } from "node:crypto"
import { readFile, rename, writeFile } from "node:fs/promises"
import { join } from "node:path"

/** Who connects: the cluster's superuser, and the four roles of Hotswap. */
export const DATABASE_ROLES = [
  "postgres",
  "hotswap_owner",
  "hotswap_app",
  "hotswap_read",
  "hotswap_system",
] as const
export type DatabaseRole = (typeof DATABASE_ROLES)[number]
export type Passwords = Readonly<Record<DatabaseRole, string>>

/** The passwords of a directory, made once and kept beside the data, readable by its owner only. */
export const keepPasswords = async (directory: string): Promise<Passwords> => {
  const path = join(directory, "passwords.json")
  try {
    return JSON.parse(await readFile(path, "utf8")) as Passwords
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error
  }
  const passwords = Object.fromEntries(
    DATABASE_ROLES.map((role) => [role, randomBytes(24).toString("base64url")]),
  ) as unknown as Passwords
  // Written aside and renamed: a crash in between must not leave half a file that locks us out of the data.
  await writeFile(`${path}.new`, JSON.stringify(passwords, null, 2), { mode: 0o600 })
  await rename(`${path}.new`, path)
  return passwords
}
