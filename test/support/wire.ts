import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"

/** Stands between a client and PostgreSQL and counts how often the client waits for an answer. */
export interface Wire {
  url: string
  /** Requests that ended with a message asking for an answer (Sync, Flush or a simple Query), since the last call. */
  roundTrips: () => number
  /** From now on nothing gets through, in either direction, but connections stay open. */
  freeze: () => void
  /** For connections made from now on; those that were frozen stay so. */
  thaw: () => void
  close: () => Promise<void>
}

const SYNC = 0x53
const FLUSH = 0x48
const QUERY = 0x51

/** The frontend's messages, PostgreSQL documentation 54.7: a type byte, then a length that counts itself. */
const countAsked = () => {
  let pending = Buffer.alloc(0)
  let isStarted = false
  return (data: Buffer): number => {
    pending = Buffer.concat([pending, data])
    let asked = 0
    for (;;) {
      const at = isStarted ? 1 : 0
      if (pending.length < at + 4) return asked
      const end = at + pending.readUInt32BE(at)
      if (pending.length < end) return asked
      if (isStarted && [SYNC, FLUSH, QUERY].includes(pending[0]!)) asked++
      isStarted = true
      pending = pending.subarray(end)
    }
  }
}

export const startWire = async (url: string): Promise<Wire> => {
  const target = new URL(url)
  const here = new URL(url)
  const sockets = new Set<Socket>()
  let trips = 0
  let generation = 0
  let isFrozen = false
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname)
    const asked = countAsked()
    const born = generation
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from)
      from.on("data", (data) => {
        if (isFrozen || born !== generation) return
        if (from === client) trips += asked(data)
        to.write(data)
      })
      from.on("close", () => to.destroy())
      from.on("error", () => to.destroy())
    }
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  here.port = String((server.address() as AddressInfo).port)
  return {
    url: here.href,
    roundTrips: () => {
      const counted = trips
      trips = 0
      return counted
    },
    freeze: () => {
      isFrozen = true
    },
    thaw: () => {
      isFrozen = false
      generation++
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, "close")
    },
  }
}
