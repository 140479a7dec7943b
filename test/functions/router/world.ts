import { once } from "node:events"
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http"
import { createServer as createSecureServer, type ServerOptions } from "node:https"
import type { AddressInfo, Socket } from "node:net"
import type { TLSSocket } from "node:tls"
import type { TenantId } from "../../../core/ids.ts"
import { findDeployments } from "../../../db/queries/deployments.ts"
import { hashToken } from "../../../functions/http/tokens.ts"
import { blocksOf } from "../../../functions/platform/addresses.ts"
import type { RouterPlatform } from "../../../functions/platform/compose-router.ts"
import { createClients } from "../../../functions/platform/deployments/clients.ts"
import type { Resolve } from "../../../functions/platform/resolve.ts"
import { createProvisioner } from "../../../functions/router/provisioner.ts"
import { createRouter } from "../../../functions/router/router.ts"
import { createWatch } from "../../../functions/router/watch.ts"
import { type Answer, CONTEXT, createWorld, eventOf, must } from "../manage/world.ts"

export interface Heard {
  method: string
  url: string
  headers: IncomingHttpHeaders
  body: string
  /** What the caller showed for a certificate. */
  shown: string | null
  connection: number
}

/** A backend of this test's own, that does what it is told. */
export interface Upstream {
  url: string
  heard: Heard[]
  /** Connections that were opened to it so far. */
  connections(): number
  answer: (response: ServerResponse, heard: Heard, request: IncomingMessage) => void
  stop(): Promise<void>
}

export const startUpstream = async (name: string, tls?: ServerOptions, port = 0): Promise<Upstream> => {
  const numbers = new WeakMap<Socket, number>()
  const sockets = new Set<Socket>()
  let opened = 0
  const server = tls ? createSecureServer(tls) : createServer()
  server.on(tls ? "secureConnection" : "connection", (socket: Socket) => {
    numbers.set(socket, ++opened)
    sockets.add(socket)
    socket.once("close", () => sockets.delete(socket))
  })
  server.on("request", async (request: IncomingMessage, response: ServerResponse) => {
    let body = ""
    for await (const piece of request) body += piece
    const certificate = tls ? (request.socket as TLSSocket).getPeerCertificate() : undefined
    const heard = {
      method: request.method!,
      url: request.url!,
      headers: request.headers,
      body,
      shown: certificate?.fingerprint256 ?? null,
      connection: numbers.get(request.socket) ?? 0,
    }
    upstream.heard.push(heard)
    upstream.answer(response, heard, request)
  })
  server.listen(port, "127.0.0.1")
  await once(server, "listening")
  const upstream: Upstream = {
    url: `${tls ? "https://localhost" : "http://127.0.0.1"}:${(server.address() as AddressInfo).port}`,
    heard: [],
    connections: () => opened,
    answer: (response) =>
      void response.writeHead(200, { "content-type": "application/json" }).end(`"${name}"`),
    stop: async () => {
      const closed = once(server, "close")
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
  return upstream
}

export interface RouteAsk {
  tenant?: string
  method?: string
  headers?: Record<string, string>
  body?: string
}

export type RouterWorld = Awaited<ReturnType<typeof createRouterWorld>>

/** What manages and what routes, over one database; backends of this machine are allowed where the platform set them. */
export const createRouterWorld = async ({ resolve }: { resolve?: Resolve } = {}) => {
  const world = await createWorld({ settings: { outboundAllow: ["127.0.0.0/8", "::1/128"] } })
  const { settings, db, clock, vault } = world.platform
  const allowed = blocksOf(settings.outboundAllow)
  const clients = createClients({ db, clock, vault, allowed, ...(resolve ? { resolve } : {}) })
  const platform = {
    ...world.platform,
    settings: {
      ...settings,
      readerPublicKeys: world.readerKeys,
      adminTokenHash: hashToken(world.adminToken),
    },
    clients,
    region: "eu-central-1",
    chance: () => 0.5,
  } as unknown as RouterPlatform
  const router = createRouter(platform)
  const watch = createWatch(platform)
  const provisioner = createProvisioner(platform)

  const routeEvent = (token: string | null, path: string, ask: RouteAsk = {}) => {
    const { tenant, method = "GET", headers = {}, body } = ask
    return eventOf(method, `/api/v1/route${path}`, {
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(tenant === undefined ? {} : { "x-tenant-id": tenant }),
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
    })
  }

  /** Asks, and reads the whole answer. */
  const route = async (token: string | null, path: string, ask: RouteAsk = {}): Promise<Answer> => {
    const result = await router(routeEvent(token, path, ask), CONTEXT)
    if (result.statusCode === 500) throw new Error(world.logged.at(-1))
    const pieces: Uint8Array[] = []
    for await (const piece of result.pieces ?? []) pieces.push(piece)
    const text = result.body + Buffer.concat(pieces).toString()
    const isProblem = result.headers["content-type"]?.startsWith("application/problem+json")
    return {
      status: result.statusCode,
      headers: new Headers(result.headers),
      text,
      body: isProblem ? JSON.parse(text) : {},
    }
  }

  const put = (tenantId: string, deployments: unknown, token = world.adminToken) =>
    world.call("PUT", `/api/v1/tenants/${tenantId}/deployments`, { body: deployments, token })

  return {
    ...world,
    router,
    watch,
    provisioner,
    routerPlatform: platform,
    clients,
    context: CONTEXT,
    routeEvent,
    route,
    put,
    /** How a tenant's targets are, as it is kept. */
    statusOf: async (tenantId: string) => (await findDeployments(world.app, tenantId as TenantId))!.statuses,
    /** A tenant with these targets for metrics, set by the platform. */
    tenantWith: async (tenantId: string, targets: readonly object[], more: object = {}) => {
      const tenant = await world.tenant(tenantId, "Enterprise")
      await must(put(tenantId, { metrics: { targets, ...more } }), 200)
      return tenant
    },
    close: async () => {
      clients.close()
      await world.close()
    },
  }
}
