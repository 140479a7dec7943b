import { once } from "node:events"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Readable } from "node:stream"
import { text } from "node:stream/consumers"
import { setImmediate as turn } from "node:timers/promises"
import { serve } from "@hono/node-server"
import express from "express"
import { Hono } from "hono"
import { stream } from "hono/streaming"
import { TenantConfigService, TenantContext } from "../../sdk/src/context.ts"
import { withTenant as withExpress } from "../../sdk/src/middleware/express.ts"
import { withTenant as withHono } from "../../sdk/src/middleware/hono.ts"
import { withTenant as withNode } from "../../sdk/src/middleware/node.ts"
import type { TenantOptions } from "../../sdk/src/middleware/serve.ts"

/** An application with the same routes in each framework: `/who`, `/stream`, `/fail`, `/broken`, `/echo`, `/status/:code`, `/wait`. */
export interface App {
  url: string
  close(): Promise<void>
}
export type MakeApp = (options: TenantOptions<unknown>, held?: Held) => Promise<App>

/** What the handler of `/wait` waits for, and what it tells. */
export interface Held {
  begun: () => void
  until: Promise<void>
}
const NOTHING: Held = { begun: () => {}, until: Promise.resolve() }

const configs = new TenantConfigService()
const who = (): string => `${TenantContext.get().tenantId} ${String(configs.get("owner"))}`

/** Made only as it is read: each piece says whose it is when it is made. */
const lines = (breaksOff = false): Readable => {
  let count = 0
  return new Readable({
    highWaterMark: 1,
    read() {
      const line = `${who()}\n`
      count += 1
      if (breaksOff && count === 3) this.destroy(new Error("broken off"))
      else setTimeout(() => this.push(count <= 5 ? line : null), 1)
    },
  })
}

/** The same as the web has it: asked for each piece by whoever reads. */
const pulled = (): ReadableStream<Uint8Array> => {
  let count = 0
  const pull = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
    count += 1
    if (count > 5) controller.close()
    else controller.enqueue(new TextEncoder().encode(`${who()}\n`))
  }
  return new ReadableStream({ pull }, { highWaterMark: 0 })
}

/** Tells whose it is from whatever Node's own request and answer call back. */
const listen = (request: IncomingMessage, response: ServerResponse, held: Held): void => {
  const seen: string[] = []
  request.on("data", () => seen.push(`data ${who()}`))
  request.on("end", () => {
    seen.push(`end ${who()}`)
    response.once("drain", () => response.end(`\n${[...seen, `drain ${who()}`].join("\n")}`))
    response.write("x".repeat(10_000_000))
  })
  held.begun()
}

const listening = async (server: Server): Promise<App> => {
  if (!server.listening) await once(server, "listening")
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, "close")
    },
  }
}

const honoApp: MakeApp = (options, held = NOTHING) => {
  const app = new Hono()
  app.onError((_, c) => c.json({ error: true }, 500))
  app.use("*", withHono(options))
  app.get("/who", async (c) => {
    await turn()
    c.header("X-Own", "1")
    return c.text(TenantContext.get(c) === TenantContext.get() ? who() : "another")
  })
  const body = (source: Readable) => Readable.toWeb(source) as ReadableStream
  app.get("/stream", (c) => c.body(pulled()))
  app.get("/broken", (c) => c.body(body(lines(true))))
  app.get("/written", (c) =>
    stream(c, async (out) => {
      for (let index = 0; index < 3; index++) {
        await turn()
        await out.write(`${who()}\n`)
      }
    }),
  )
  app.get("/fail", () => {
    throw new Error("failed")
  })
  app.post("/echo", async (c) => c.text(`${who()} ${await c.req.text()}`))
  app.get("/status/:code", (c) => c.body(null, Number(c.req.param("code")) as 204))
  app.get("/wait", async (c) => {
    held.begun()
    await held.until
    return c.text(who())
  })
  return listening(serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }) as Server)
}

const expressApp: MakeApp = (options, held = NOTHING) => {
  const app = express()
  app.use(withExpress(options))
  app.get("/who", async (request, response) => {
    await turn()
    response.set("X-Own", "1").send(TenantContext.get(request) === TenantContext.get() ? who() : "another")
  })
  app.get("/stream", (_, response) => void lines().pipe(response))
  app.get("/broken", (_, response) => {
    const source = lines(true)
    source.on("error", (error) => response.destroy(error))
    source.pipe(response)
  })
  app.get("/written", async (_, response) => {
    for (let index = 0; index < 3; index++) {
      await turn()
      response.write(`${who()}\n`)
    }
    response.end()
  })
  app.get("/fail", () => {
    throw new Error("failed")
  })
  app.post("/echo", express.text(), (request, response) => void response.send(`${who()} ${request.body}`))
  app.get("/half", (_, response) => {
    response.write(who())
    throw new Error("failed halfway")
  })
  app.post("/listen", (request, response) => listen(request, response, held))
  app.get("/status/:code", (request, response) => void response.status(Number(request.params.code)).end())
  app.get("/wait", async (_, response) => {
    held.begun()
    await held.until
    response.send(who())
  })
  const last: express.ErrorRequestHandler = (_error, _request, response, next) => {
    if (response.headersSent) next(_error)
    else response.status(500).json({ error: true })
  }
  app.use(last)
  return listening(app.listen(0, "127.0.0.1"))
}

const nodeApp: MakeApp = (options, held = NOTHING) => {
  const routes: Record<string, Parameters<typeof withNode>[1]> = {
    "/who": async (request, response) => {
      await turn()
      response.setHeader("X-Own", "1")
      response.end(TenantContext.get(request) === TenantContext.get() ? who() : "another")
    },
    "/stream": (_, response) => void lines().pipe(response),
    "/broken": (_, response) => {
      const source = lines(true)
      source.on("error", (error) => response.destroy(error))
      source.pipe(response)
    },
    "/written": async (_, response) => {
      for (let index = 0; index < 3; index++) {
        await turn()
        response.write(`${who()}\n`)
      }
      response.end()
    },
    "/fail": () => {
      throw new Error("failed")
    },
    "/echo": async (request, response) => {
      response.end(`${who()} ${await text(request)} ${who()}`)
    },
    "/half": (_, response) => {
      response.write(who())
      throw new Error("failed halfway")
    },
    "/listen": (request, response) => listen(request, response, held),
    "/wait": async (_, response) => {
      held.begun()
      await held.until
      response.end(who())
    },
  }
  const route = (url = "/"): string => url.split(/[?]|(?<=status)\//)[0]!
  const listener = withNode({ ...options, route: ({ path }) => route(path) }, (request, response) => {
    if (!request.url?.startsWith("/status/")) return routes[route(request.url)]!(request, response)
    response.writeHead(Number(request.url.slice("/status/".length))).end()
    return undefined
  })
  const server = createServer(listener).listen(0, "127.0.0.1")
  return listening(server)
}

export const APPS: Record<string, MakeApp> = { Hono: honoApp, Express: expressApp, "node:http": nodeApp }
