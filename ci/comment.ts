import { readFile } from "node:fs/promises"
import { setting } from "./command.ts"
import { openGitHub } from "./github.ts"
import { REPORT } from "./template-diff.ts"

/** Invisible, and how the comment is found again. */
const MARK = "<!-- hotswap: template-diff -->"
const AUTHOR = "github-actions[bot]"
/** GitHub takes 65,536 characters. */
const LENGTH_MAX = 60_000

/** What fits into a comment. What was within a fence when it was cut stays there. */
const cut = (text: string): string =>
  text.length <= LENGTH_MAX
    ? text
    : `${text.slice(0, LENGTH_MAX)}\n\`\`\`\`\`\`\n\nThe rest is on the page of the run.\n`

/** Writes the differences beside the pull request `HOTSWAP_PULL_REQUEST`: one comment, which later runs renew. */
export const commentOnPullRequest = async (): Promise<void> => {
  const pullRequest = Number(setting("HOTSWAP_PULL_REQUEST"))
  if (!Number.isSafeInteger(pullRequest) || pullRequest < 1)
    throw new Error("HOTSWAP_PULL_REQUEST is not the number of a pull request")
  const body = `${MARK}\n${cut(await readFile(process.env.HOTSWAP_REPORT || REPORT, "utf8"))}`
  const github = openGitHub()
  const own = (await github.comments(pullRequest)).find(
    (comment) => comment.user?.login === AUTHOR && comment.body.startsWith(MARK),
  )
  if (own === undefined) await github.comment(pullRequest, body)
  else if (own.body !== body) await github.altersComment(own.id, body)
}
