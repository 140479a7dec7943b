import { ask } from "./command.ts"

const commitOf = async (name: string): Promise<string | null> => {
  try {
    return (await ask("git", ["rev-parse", "--verify", "--quiet", `${name}^{commit}`])).trim()
  } catch {
    return null
  }
}

/**
 * The commit that this one is compared with: `HOTSWAP_BASE`, else where it left the main branch, else, on the main
 * branch, the one before. Throws if that one is not there, as in a clone without history.
 */
export const baseCommit = async (): Promise<string> => {
  // GitHub says nothing but zeros of a branch that was not there before.
  const asked = process.env.HOTSWAP_BASE?.replace(/^0+$/, "")
  const head = await commitOf("HEAD")
  const main = asked || ((await commitOf("origin/main")) ? "origin/main" : "main")
  const there = await commitOf(main)
  if (there === null) throw new Error(`${main} is not there to compare with`)
  const base = (await ask("git", ["merge-base", "HEAD", there])).trim()
  const before = base === head ? await commitOf("HEAD^") : base
  if (before === null) throw new Error("there is no commit before this one to compare with")
  return before
}
