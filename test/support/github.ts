import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"

interface Comment {
  id: number
  body: string
  user: { login: string }
}

/** GitHub's REST API as far as workflows' steps use it, and strict: what it documents as wrong is refused. */
export interface GitHubPeer {
  url: string
  token: string
  comments: Comment[]
  /** Newest first, as GitHub lists them; each with the states it went through. */
  deployments: { sha: string; environment: string; states: string[] }[]
  /** Method and path of each request that altered something. */
  alterations: string[]
  stop(): Promise<void>
}

const BODY_MAX = 65_536

export const startGitHub = async (repository: string): Promise<GitHubPeer> => {
  const token = "github-token-of-a-test"
  const peer: Omit<GitHubPeer, "url" | "stop"> = { token, comments: [], deployments: [], alterations: [] }
  const answer = (method: string, url: URL, body: string): [number, unknown] => {
    const path = url.pathname.replace(`/repos/${repository}`, "")
    if (path === url.pathname) return [404, { message: "Not Found" }]
    const size = Number(url.searchParams.get("per_page") ?? 30)
    const page = Number(url.searchParams.get("page") ?? 1)
    if (size > 100) return [422, { message: "per_page" }]
    const pageOf = (all: unknown[]): [number, unknown] => [200, all.slice((page - 1) * size, page * size)]
    if (method === "GET" && path === "/issues/7/comments") return pageOf(peer.comments)
    if (method === "GET" && path === "/deployments") {
      const ids = peer.deployments.map(({ sha, environment }, id) => ({ id, sha, environment }))
      return pageOf(ids.filter(({ environment }) => environment === url.searchParams.get("environment")))
    }
    const [, nth] = /^\/deployments\/(\d+)\/statuses$/.exec(path) ?? []
    if (method === "GET" && nth !== undefined)
      return pageOf(peer.deployments[Number(nth)]?.states.map((state) => ({ state })) ?? [])
    const written = (JSON.parse(body || "{}") as { body?: string }).body
    if (written === undefined || written.length > BODY_MAX) return [422, { message: "Validation Failed" }]
    peer.alterations.push(`${method} ${path}`)
    if (method === "POST" && path === "/issues/7/comments") {
      peer.comments.push({
        id: peer.comments.length + 1,
        body: written,
        user: { login: "github-actions[bot]" },
      })
      return [201, {}]
    }
    const [, id] = /^\/issues\/comments\/(\d+)$/.exec(path) ?? []
    const comment = peer.comments.find((each) => each.id === Number(id))
    if (method !== "PATCH" || comment === undefined) return [404, { message: "Not Found" }]
    comment.body = written
    return [200, {}]
  }
  const server = createServer(async (request, response) => {
    const { authorization, accept, "user-agent": agent } = request.headers
    const body = await text(request)
    const [status, said] =
      authorization !== `Bearer ${token}`
        ? [401, { message: "Bad credentials" }]
        : accept !== "application/vnd.github+json" || !agent
          ? [400, { message: "headers" }]
          : answer(request.method ?? "", new URL(request.url ?? "", "http://peer"), body)
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(said))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return Object.assign(peer, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stop })
}
