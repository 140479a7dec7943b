import { randomBytes } from "node:crypto"
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { bridgeToRedis } from "./bridge.ts"
import { embeddedRedis } from "./embedded/server.ts"
import { upstashFront } from "./front.ts"

export interface RunningRedis {
  /** Base URL and bearer token for `@upstash/redis`. */
  url: string
  token: string
  /** What is behind the REST front. */
  kind: "embedded" | "bridge"
  stop(): Promise<void>
}

/**
 * Starts a Redis that speaks Upstash's REST protocol on this machine: in front of the server at `redisUrl`, or
 * of one embedded in this process, which keeps nothing on disk.
 */
export const startRedis = async (
  options: { redisUrl?: string; token?: string; port?: number } = {},
): Promise<RunningRedis> => {
  const token = options.token ?? randomBytes(24).toString("base64url")
  const backend = options.redisUrl === undefined ? embeddedRedis() : await bridgeToRedis(options.redisUrl)
  const server = upstashFront(backend, token)
  server.listen(options.port ?? 0, "127.0.0.1")
  await once(server, "listening")
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    kind: options.redisUrl === undefined ? "embedded" : "bridge",
    stop: async () => {
      const closed = once(server, "close")
      server.close()
      // Subscriptions would hold it open for ever.
      server.closeAllConnections()
      await closed
      await backend.close()
    },
  }
}
