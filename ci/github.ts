import { setting } from "./command.ts"

export interface Comment {
  id: number
  body: string
  user: { login: string } | null
}

interface Deployment {
  id: number
  sha: string
}

/** What is looked at of a list; GitHub gives no more at once. */
const PAGE = 100

/** What these steps ask of GitHub's REST API, for the repository whose workflow runs. */
export interface GitHub {
  comments(pullRequest: number): Promise<Comment[]>
  comment(pullRequest: number, body: string): Promise<void>
  altersComment(id: number, body: string): Promise<void>
  /** The commit of the latest deployment that went well, but for that one; `null`: there was none. */
  deployedBefore(environment: string, commit: string): Promise<string | null>
}

/** As the workflow is set: `GITHUB_API_URL`, `GITHUB_REPOSITORY`, `GITHUB_TOKEN`. */
export const openGitHub = (): GitHub => {
  const base = `${setting("GITHUB_API_URL")}/repos/${setting("GITHUB_REPOSITORY")}`
  const headers = {
    accept: "application/vnd.github+json",
    authorization: `Bearer ${setting("GITHUB_TOKEN")}`,
    "x-github-api-version": "2022-11-28",
    "user-agent": "hotswap-ci",
  }
  const call = async <T>(method: string, path: string, body?: object): Promise<T> => {
    const response = await fetch(`${base}${path}`, {
      method,
      headers: body === undefined ? headers : { ...headers, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    if (!response.ok) throw new Error(`GitHub answered ${method} ${path} with ${response.status}`)
    return (await response.json()) as T
  }
  const everyPage = async <T>(path: string): Promise<T[]> => {
    const all: T[] = []
    for (let page = 1; ; page++) {
      const found = await call<T[]>("GET", `${path}?per_page=${PAGE}&page=${page}`)
      all.push(...found)
      if (found.length < PAGE) return all
    }
  }
  const wentWell = async ({ id }: Deployment): Promise<boolean> =>
    (await call<{ state: string }[]>("GET", `/deployments/${id}/statuses?per_page=${PAGE}`)).some(
      ({ state }) => state === "success",
    )
  return {
    comments: async (pullRequest) => await everyPage(`/issues/${pullRequest}/comments`),
    comment: async (pullRequest, body) => {
      await call("POST", `/issues/${pullRequest}/comments`, { body })
    },
    altersComment: async (id, body) => {
      await call("PATCH", `/issues/comments/${id}`, { body })
    },
    deployedBefore: async (environment, commit) => {
      const query = `environment=${encodeURIComponent(environment)}&per_page=${PAGE}`
      for (const deployment of await call<Deployment[]>("GET", `/deployments?${query}`))
        if (deployment.sha !== commit && (await wentWell(deployment))) return deployment.sha
      return null
    },
  }
}
