import { AsyncLocalStorage } from "node:async_hooks"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { getRequestListener } from "@hono/node-server"
import { Response as CachedResponse, type Miniflare } from "miniflare"
import { createEdge, type Edge } from "../../functions/edge/edge.ts"
import type {
  Bindings,
  HubNamespace,
  KeyValueStore,
  RequestLife,
  SharedCache,
} from "../../functions/edge/runtime.ts"
import { StreamHub } from "../../functions/edge/stream-hub.ts"

/** What workerd has as globals, and each Worker here its own of. */
interface Isolate {
  cache: SharedCache
  log: (text: string) => void
}

const isolates = new AsyncLocalStorage<Isolate>()

const giveGlobals = (): void => {
  if ("caches" in globalThis) return
  Object.assign(globalThis, { caches: { open: async () => isolates.getStore()!.cache } })
  const { warn } = console
  console.warn = (...said: unknown[]) => (isolates.getStore()?.log ?? warn)(...(said as [string]))
}

/** Miniflare types these by a package that is not needed for anything else. */
interface Caches {
  open(name: string): Promise<{
    match(url: string): Promise<unknown>
    put(url: string, response: CachedResponse): Promise<void>
    delete(url: string): Promise<boolean>
  }>
}

const cacheOf = async (workerd: Miniflare): Promise<SharedCache> => {
  const cache = await ((await workerd.getCaches()) as unknown as Caches).open("hotswap")
  return {
    match: async (url) => (await cache.match(url)) as Response | undefined,
    put: async (url, response) => {
      const headers = Object.fromEntries(response.headers)
      await cache.put(url, new CachedResponse(await response.arrayBuffer(), { headers }))
    },
    delete: async (url) => await cache.delete(url),
  }
}

interface Kept extends Omit<KeyValueStore, "getWithMetadata"> {
  getWithMetadata(key: string, type: "text"): Promise<{ value: string | null; metadata: unknown }>
}

/** A stream of miniflare's that is cancelled fails somewhere else: here the text is read first. */
const keptOf = async (workerd: Miniflare): Promise<KeyValueStore> => {
  const store = (await workerd.getKVNamespace("LAST_KNOWN_GOOD", "edge")) as unknown as Kept
  return {
    get: async (key, type) => await store.get(key, type),
    getWithMetadata: async <Metadata>(key: string) => {
      const { value, metadata } = await store.getWithMetadata(key, "text")
      return { value: new Response(value).body, metadata: metadata as Metadata | null }
    },
    put: async (key, value, options) => await store.put(key, value, options),
    delete: async (key) => await store.delete(key),
  }
}

/** Its hubs, each made when it is first asked. */
const hubsOf = (bindings: Bindings, life: RequestLife, edge: () => Edge): HubNamespace => {
  const hubs = new Map<unknown, StreamHub>()
  return {
    idFromName: (name) => name,
    get: (id) => ({
      fetch: async (url, init) => {
        const hub = hubs.get(id) ?? new StreamHub(life, bindings, edge().openRoom)
        hubs.set(id, hub)
        return await hub.fetch(new Request(url, init))
      },
    }),
  }
}

/** The Worker's code in this process, where what runs of it is counted; KV and the Cache API are those of `workerd`. */
export const serveEdgeHere = async (
  workerd: Miniflare,
  given: Readonly<Record<string, string>>,
  onLog: (text: string) => void,
): Promise<{ url: string; close(): Promise<void> }> => {
  giveGlobals()
  const isolate: Isolate = { cache: await cacheOf(workerd), log: onLog }
  const life: RequestLife = { waitUntil: (promise) => void promise.catch(() => undefined) }
  const bindings = { ...given, LAST_KNOWN_GOOD: await keptOf(workerd) } as unknown as Bindings
  const edge: Edge = createEdge({ ...bindings, STREAM_HUB: hubsOf(bindings, life, () => edge) })
  const listener = getRequestListener((request) => edge.answer(request, life), {
    overrideGlobalObjects: false,
  })
  const server = createServer((incoming, outgoing) => {
    isolates.run(isolate, () => void listener(incoming, outgoing))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      isolate.log = () => {}
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}
