import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"

/**
 * What happens to what passes: nothing · connections are refused · connections are taken, and nothing is ever
 * answered · each answer comes five seconds late · the first answer of each connection is cut in its middle.
 */
export type Fault = "none" | "refused" | "silent" | "slow" | "cut"

/** Stands between a client and a server that both speak over TCP. */
export interface FaultyWire {
  port: number
  /** For all connections, also those that are open. */
  set(fault: Fault): Promise<void>
  /** Pieces that came from clients since the fault was set. */
  arrived(): number
  close(): Promise<void>
}

type Target = { port: number } | { path: string }

const SLOW_MS = 5_000

interface Pair {
  client: Socket
  upstream: Socket
}

export const startFaultyWire = async (target: Target): Promise<FaultyWire> => {
  const pairs = new Set<Pair>()
  let fault: Fault = "none"
  let arrived = 0
  const cutAll = (): void => {
    for (const { client, upstream } of pairs) {
      client.destroy()
      upstream.destroy()
    }
  }
  const onAnswer = ({ client, upstream }: Pair, piece: Buffer): void => {
    if (fault === "none") client.write(piece)
    else if (fault === "slow") setTimeout(() => client.destroyed || client.write(piece), SLOW_MS).unref()
    else if (fault === "cut") {
      client.end(piece.subarray(0, Math.ceil(piece.length / 2)))
      upstream.destroy()
    }
  }
  const server = createServer((client) => {
    const pair: Pair = { client, upstream: connect({ host: "127.0.0.1", ...target }) }
    pairs.add(pair)
    client.on("data", (piece) => {
      arrived += 1
      if (fault !== "silent") pair.upstream.write(piece)
    })
    pair.upstream.on("data", (piece) => onAnswer(pair, piece))
    for (const [one, other] of [
      [client, pair.upstream],
      [pair.upstream, client],
    ] as const) {
      // What a fault swallowed cannot be made up for: then the other side hears of it only when the fault ends.
      one.on("end", () => fault === "none" && other.end())
      one.on("error", () => one.destroy())
      one.on("close", () => {
        pairs.delete(pair)
        if (fault !== "silent") other.destroy()
      })
    }
  })
  const port = await listen(server, 0)
  return {
    port,
    set: async (next) => {
      const before = fault
      fault = next
      arrived = 0
      // Data that was swallowed or half told leaves no connection that could be gone on with.
      if (next === "refused" || before !== "none") cutAll()
      if (next === "refused" && server.listening) await close(server)
      if (next !== "refused" && !server.listening) await listen(server, port)
    },
    arrived: () => arrived,
    close: async () => {
      cutAll()
      if (server.listening) await close(server)
    },
  }
}

const listen = async (server: Server, port: number): Promise<number> => {
  server.listen(port, "127.0.0.1")
  await once(server, "listening")
  return (server.address() as AddressInfo).port
}

const close = async (server: Server): Promise<void> => {
  const closed = once(server, "close")
  server.close()
  await closed
}
