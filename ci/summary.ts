import { appendFile } from "node:fs/promises"

/** Shows it, and where a workflow runs puts it on the run's page. */
export const summarise = async (markdown: string): Promise<void> => {
  console.log(markdown)
  const page = process.env.GITHUB_STEP_SUMMARY
  if (page) await appendFile(page, `${markdown}\n`)
}
