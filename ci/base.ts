import { ask, ROOT } from "./command.ts"

/**
 * The commit that this one is compared with: `HOTSWAP_BASE`, else where it left the main branch, else, on the main
 * branch, the one before. The first of all is compared with itself. Throws if that one is not there, as in a clone without
 * history.
 */
export const baseCommit = async (root = ROOT): Promise<string> => {
  const git = async (...args: string[]): Promise<string> =>
    (await ask("git", args, { directory: root })).trim()
  const commitOf = async (name: string): Promise<string | null> =>
    await git("rev-parse", "--verify", "--quiet", `${name}^{commit}`).catch(() => null)
  // GitHub says nothing but zeros of a branch that was not there before.
  const asked = process.env.HOTSWAP_BASE?.replace(/^0+$/, "")
  const head = await commitOf("HEAD")
  const main = asked || ((await commitOf("origin/main")) ? "origin/main" : "main")
  const there = await commitOf(main)
  if (there === null) throw new Error(`${main} is not there to compare with`)
  const base = await git("merge-base", "HEAD", there)
  if (base !== head) return base
  const before = await commitOf("HEAD^")
  if (before !== null) return before
  if ((await git("rev-parse", "--is-shallow-repository")) === "true")
    throw new Error("there is no commit before this one to compare with: the clone has no history")
  return base
}
