import { once } from "node:events"
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

/** The service as clients see it, scripted: a snapshot of each tenant that it knows, streams, and limits. */
export interface ScriptedService {
  url: string
  /** Requests so far, such as `GET acme`, `stream acme`, `consume acme command 1`. */
  asked: string[]
  openStreams(): string[]
  close(): Promise<void>
}

export interface Script {
  knows?: (tenantId: string) => boolean
  /** 200 unless it says otherwise. */
  status?: (tenantId: string) => number
  limit?: (tenantId: string, action: string, response: ServerResponse) => void
}

export const startService = async (script: Script = {}): Promise<ScriptedService> => {
  const { knows = () => true, status = () => 200, limit } = script
  const asked: string[] = []
  const streams = new Map<ServerResponse, string>()
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://service")
    const named = String(request.headers["x-tenant-id"] ?? "")
    const [, tenantId = named, , action = "", what = ""] =
      /^\/api\/v1\/(?:configs\/tenant|tenants)\/([^/]+)(\/limits\/([^/]+)\/([^/]+))?$/.exec(pathname) ?? []
    if (what !== "") {
      asked.push(`${what} ${tenantId} ${action}`)
      limit?.(tenantId, decodeURIComponent(action), response)
      return
    }
    const isStream = pathname === "/api/v1/stream"
    asked.push(`${isStream ? "stream" : request.method} ${tenantId}`)
    const code = knows(tenantId) ? status(tenantId) : 404
    if (code !== 200) {
      response.writeHead(code).end("{}")
    } else if (isStream) {
      response.writeHead(200, { "content-type": "text/event-stream" }).write(": here\n\n")
      streams.set(response, tenantId)
      response.once("close", () => streams.delete(response))
    } else {
      const configs = { owner: tenantId }
      const head = { tenantId, environment: "Production", revision: "1.1.1.1", view: `v-${tenantId}` }
      response.writeHead(200, { "content-type": "application/json", "hotswap-revision": "1.1.1.1" })
      response.end(JSON.stringify({ ...head, configs, candidate: null }))
    }
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    openStreams: () => [...streams.values()].sort(),
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, "close")
    },
  }
}
