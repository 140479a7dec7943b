import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import type { Environment } from "../../core/environment.ts"
import type { ConfigKey, TenantId } from "../../core/ids.ts"
import type { Json } from "../../core/json.ts"
import { flagsOfArms, type PointerDocument } from "../../core/release/pointer-document.ts"
import { type CompiledView, compileView, viewText } from "../../core/release/view.ts"

/** What the edge tells the origins that it is. */
export const EDGE_SECRET = "the-secret-between-edge-and-origin"

export type Configs = Record<string, Json>

/** What the scripted origin is to say of one tenant × environment. */
export interface Script {
  tenantId?: string
  environment?: string
  revision?: string
  configs?: Configs
  candidate?: { configs: Configs; weightBp: number; changeId?: string; step?: number }
  ageMs?: number
  moving?: boolean
  status?: PointerDocument["status"]
  tier?: PointerDocument["tier"]
  revoked?: readonly string[]
  /** Only to who names a revision: its memory is a moment old, and looked past for him alone. */
  toWhoKnows?: boolean
}

export interface OriginCall {
  method: string
  path: string
  headers: IncomingMessage["headers"]
  body: string
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void

export interface ScriptedOrigin {
  url: string
  calls: OriginCall[]
  /** How it answers the edge: as scripted, by hanging up, with 500, with a page of something else. */
  mode: "up" | "down" | "failing" | "wrong"
  /** Sets what it says; returns the ids of the views. */
  says(script?: Script): { stable: string; candidate: string | null }
  /** Answers one path as it likes. */
  answers(path: string, answer: Answer): void
  /** Lets no answer to a path that begins so go out before it is released. */
  holds(prefix: string): { arrived: Promise<void>; release(): void }
  /** Paths called that begin so. */
  paths(prefix?: string): string[]
  close(): Promise<void>
}

type Rollout = NonNullable<PointerDocument["candidate"]>

const CHANGE = "acme:chg_00000000000070008000000000000001"

const viewOf = (tenantId: string, environment: string, configs: Configs): CompiledView => {
  const merged = new Map(Object.entries(configs).map(([key, value]) => [key as ConfigKey, { value }]))
  return compileView(tenantId as TenantId, environment as Environment, merged)
}

const readBody = async (request: IncomingMessage): Promise<string> => {
  let body = ""
  for await (const piece of request) body += piece
  return body
}

const json = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
}

interface Hold {
  prefix: string
  arrived: () => void
  released: Promise<void>
}

/** A node:http server that plays the read and the manage function. */
export const startOrigin = async (): Promise<ScriptedOrigin> => {
  const pointers = new Map<string, unknown>()
  const views = new Map<string, string>()
  const own = new Map<string, Answer>()
  const held: Hold[] = []

  const internal = (path: string, response: ServerResponse): void => {
    const [address = "", query] = path.split("?")
    const [, , kind, ...rest] = address.split("/")
    const told = `${rest.join("/")}?told`
    const name = query !== undefined && pointers.has(told) ? told : rest.join("/")
    const view = kind === "view" ? views.get(name) : undefined
    if (kind === "pointer" && pointers.has(name)) json(response, 200, pointers.get(name))
    else if (view !== undefined) response.writeHead(200, { "content-type": "application/json" }).end(view)
    else json(response, 404, { code: kind === "pointer" ? "TENANT_NOT_FOUND" : "VIEW_NOT_FOUND" })
  }

  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = request.url ?? ""
    const answer = own.get(path.split("?")[0]!)
    const { method = "", headers } = request
    const body = answer ? "" : await readBody(request)
    origin.calls.push({ method, path, headers, body })
    for (const hold of held.filter(({ prefix }) => path.startsWith(prefix))) {
      hold.arrived()
      await hold.released
    }
    if (origin.mode === "down") request.socket.destroy()
    else if (origin.mode === "failing") json(response, 500, { code: "INTERNAL" })
    else if (origin.mode === "wrong") response.writeHead(200).end("<html>Welcome to nginx</html>")
    else if (answer) answer(request, response)
    else if (!path.startsWith("/internal/")) json(response, 200, { forwarded: path, method, body })
    else if (headers["hotswap-edge"] === EDGE_SECRET) internal(path, response)
    else json(response, 404, { code: "ROUTE_UNKNOWN" })
  }

  const server = createServer((request, response) => {
    respond(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))

  const keepView = (tenantId: string, environment: string, configs: Configs): CompiledView => {
    const view = viewOf(tenantId, environment, configs)
    const name = `${tenantId}/${environment}/${view.id}`
    views.set(name, viewText(view))
    for (const [index, chunk] of view.chunks.entries()) views.set(`${name}/${index}`, chunk)
    return view
  }

  const origin: ScriptedOrigin = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls: [],
    mode: "up",
    says: (script = {}) => {
      const { tenantId = "acme", environment = "Production", configs = { greeting: "hello" } } = script
      const stable = keepView(tenantId, environment, configs)
      const { candidate } = script
      const other = candidate ? keepView(tenantId, environment, candidate.configs) : null
      const name = `${tenantId}/${environment}`
      const rollout = candidate && {
        view: other!.id,
        changeId: candidate.changeId ?? CHANGE,
        step: candidate.step ?? 0,
        weightBp: candidate.weightBp,
      }
      pointers.delete(`${name}?told`)
      pointers.set(script.toWhoKnows ? `${name}?told` : name, {
        tenantId,
        environment,
        tier: script.tier ?? "Free",
        status: script.status ?? "active",
        revision: script.revision ?? "1.0.0.1",
        stable: stable.id,
        candidate: rollout ?? null,
        flags: flagsOfArms(stable.flags, rollout ? { ...(rollout as Rollout), flags: other!.flags } : null),
        moving: script.moving ?? false,
        revoked: script.revoked ?? [],
        ageMs: script.ageMs ?? 0,
        pollMs: 10_000,
      })
      return { stable: stable.id, candidate: other?.id ?? null }
    },
    answers: (path, answer) => void own.set(path, answer),
    holds: (prefix) => {
      const arrival = Promise.withResolvers<void>()
      const release = Promise.withResolvers<void>()
      held.push({ prefix, arrived: arrival.resolve, released: release.promise })
      return { arrived: arrival.promise, release: release.resolve }
    },
    paths: (prefix = "") => origin.calls.map(({ path }) => path).filter((path) => path.startsWith(prefix)),
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return origin
}
