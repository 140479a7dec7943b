import { once } from "node:events"
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { must } from "../manage/world.ts"
import { createRouterWorld } from "./world.ts"

/** What stands before VictoriaMetrics: it leads each path to the one that is its tenant's, as a cluster does. */
export interface Front {
  url: string
  /** By what a path begins with: where it leads. */
  routes: Map<string, string>
  /** Called with each request first; what resolves to `true` is passed on, to `false` it has answered itself. */
  judge: (path: string, response: ServerResponse) => Promise<boolean> | boolean
  stop(): Promise<void>
}

const startFront = async (): Promise<Front> => {
  const server = createServer()
  const pass = async (asked: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = asked.url!
    const leading = [...front.routes].filter(([begins]) => url.startsWith(begins))
    const [prefix, to] = leading.toSorted(([left], [right]) => right.length - left.length)[0] ?? []
    if (prefix === undefined) return void response.writeHead(404).end()
    if (!(await front.judge(url, response))) return void asked.resume()
    const { method, headers } = asked
    const onward = request(to + url.slice(prefix.length), { method, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
    })
    onward.on("error", () => response.destroy())
    asked.pipe(onward)
  }
  server.on("request", (asked, response) => void pass(asked, response))
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const front: Front = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    routes: new Map(),
    judge: () => true,
    stop: async () => {
      const closed = once(server, "close")
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
  return front
}

export interface Shown {
  state: string
  number: number
  words: string | null
  failure: { state: string; reason: string } | null
  pass: { nth: number; samples: number; missing: number } | null
  digest: string
  outdated: boolean
  plan: { documents: object[]; releases: object[]; deployments: { metrics?: { targets: { url: string }[] } } }
  remains: string[]
}

export type ProvisioningWorld = Awaited<ReturnType<typeof createProvisioningWorld>>

/** What routes and manages, with a template that leads to the front. */
export const createProvisioningWorld = async () => {
  const world = await createRouterWorld()
  const front = await startFront()
  const template = (await must(world.call<object>("GET", "/api/v1/provisioning-template"), 200)).body
  const set = {
    ...template,
    shared: { metrics: [{ url: `${front.url}/shared` }], logs: [{ url: `${front.url}/logs` }] },
    address: `${front.url}/{name}`,
  }
  await must(world.call("PUT", "/api/v1/provisioning-template", { body: set }), 200)
  const pathOf = (tenantId: string, name = "") => `/api/v1/tenants/${tenantId}/provisioning${name}`
  const post = (tenantId: string, name: string, body: object = {}, token = world.adminToken) =>
    world.call<Shown>("POST", pathOf(tenantId, `/${name}`), { body, token })
  const shown = async (tenantId: string): Promise<Shown> =>
    (await must(world.call<Shown>("GET", pathOf(tenantId)), 200)).body
  return {
    ...world,
    front,
    template: set,
    pathOf,
    post,
    shown,
    /** Goes on, a while later each time, until it is so. Throws where it does not come to that. */
    until: async (tenantId: string, state: string, before: () => Promise<unknown> = async () => {}) => {
      for (let turn = 0; turn < 60; turn++) {
        await before()
        await world.provisioner.sweep()
        const now = await shown(tenantId)
        if (now.state === state) return now
        world.moveClock(61_000)
      }
      throw new Error(`it is ${JSON.stringify(await shown(tenantId))} ${world.logged.at(-1)}`)
    },
    close: async () => {
      await front.stop()
      await world.close()
    },
  }
}
