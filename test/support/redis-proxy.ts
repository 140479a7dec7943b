import { once } from "node:events"
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { pipeline } from "node:stream/promises"
import { isTenant, type ScopeId } from "../../core/ids.ts"
import { eventsChannel } from "../../functions/platform/cache-keys.ts"

/** Stands before a Redis that speaks Upstash's protocol, and counts who listens to it. */
export interface RedisProxy {
  url: string
  token: string
  /** Subscriptions that are open, and that ever were. */
  subscriptions(): { open: number; total: number }
  /** Down: whatever is open breaks off, and whoever comes is hung up on. */
  set(state: "up" | "down"): void
  publish(
    scope: string,
    move: { type?: string; environment?: string; revision: string; reload?: true },
  ): Promise<void>
  close(): Promise<void>
}

/** Events of a subscription one by one, or what is made of them. */
async function* altered(given: IncomingMessage, alter: (event: string) => readonly string[]) {
  let rest = ""
  for await (const piece of given.setEncoding("utf8")) {
    const events = (rest + String(piece)).split("\n\n")
    rest = events.pop()!
    for (const event of events) for (const one of alter(event)) yield `${one}\n\n`
  }
}

export const startRedisProxy = async (
  redis: { url: string; token: string },
  /** What a subscriber gets for each event that Redis sends: nothing, the same twice, one from before. */
  alter?: (event: string) => readonly string[],
): Promise<RedisProxy> => {
  const target = new URL(redis.url)
  const open = new Set<ServerResponse>()
  let total = 0
  let state: "up" | "down" = "up"

  const pass = (asked: IncomingMessage, answer: ServerResponse): void => {
    if (state === "down") {
      asked.socket.destroy()
      return
    }
    if (/^\/p?subscribe\//.test(asked.url!)) {
      total++
      open.add(answer)
      answer.once("close", () => open.delete(answer))
    }
    const onward = request(
      {
        host: target.hostname,
        port: target.port,
        method: asked.method,
        path: asked.url,
        headers: asked.headers,
      },
      (given) => {
        answer.writeHead(given.statusCode!, given.headers)
        const isSubscription = open.has(answer)
        if (alter && isSubscription) pipeline(altered(given, alter), answer).catch(() => answer.destroy())
        else given.pipe(answer)
      },
    )
    onward.once("error", () => answer.destroy())
    answer.once("close", () => onward.destroy())
    asked.pipe(onward)
  }

  const server = createServer(pass)
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token: redis.token,
    subscriptions: () => ({ open: open.size, total }),
    set: (next) => {
      state = next
      if (next === "down") server.closeAllConnections()
    },
    publish: async (scope, { type = "tenant_config", environment = "Production", revision, ...more }) => {
      const message = JSON.stringify({
        type,
        environment,
        revision,
        ...more,
        ...(isTenant(scope as ScopeId) ? {} : { scope }),
      })
      const answer = await fetch(redis.url, {
        method: "POST",
        headers: { authorization: `Bearer ${redis.token}` },
        body: JSON.stringify(["PUBLISH", eventsChannel(scope as ScopeId), message]),
      })
      if (answer.status !== 200) throw new Error(await answer.text())
    },
    close: async () => {
      const closed = once(server, "close")
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
