import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"

/** Where a conversation with PostgreSQL breaks off. */
export interface Cut {
  /** Which direction's bytes are counted. */
  direction: "asked" | "answered"
  /** So many still get through. */
  afterBytes: number
  /**
   * Who notices: both ends · nobody, as the client hears no more and is left to wait · only the client, while the server's
   * end stays open with whatever it had begun, as behind a proxy that has not noticed either.
   */
  noticedBy: "both" | "nobody" | "client"
}

export interface CuttingWire {
  port: number
  /** For what passes from now on. */
  arm(cut: Cut): void
  /** Lets everything pass again, and ends what was kept open; did it come to the cut? */
  disarm(): boolean
  /** Bytes since the last time this was asked. */
  counted(): Record<Cut["direction"], number>
  /** Ends all connections. */
  drop(): Promise<void>
  close(): Promise<void>
}

/** Stands between a client and PostgreSQL, and breaks one conversation off at any byte. */
export const startCuttingWire = async (targetPort: number): Promise<CuttingWire> => {
  const sockets = new Set<Socket>()
  const bytes = { asked: 0, answered: 0 }
  let cut: Cut | null = null
  let left = 0
  let isCut = false

  const breakOff = (client: Socket, upstream: Socket, last: Buffer, { direction, noticedBy }: Cut): void => {
    const receiver = direction === "asked" ? upstream : client
    for (const socket of [client, upstream]) socket.removeAllListeners("data").resume()
    if (noticedBy === "both") {
      receiver.end(last)
      const other = receiver === client ? upstream : client
      other.destroy()
    } else {
      receiver.write(last)
      client.removeAllListeners("close")
      upstream.removeAllListeners("close")
      if (noticedBy === "client") client.destroySoon()
    }
  }

  const server = createServer((client) => {
    const upstream = connect(targetPort, "127.0.0.1")
    const pass = (direction: Cut["direction"], from: Socket, to: Socket): void => {
      sockets.add(from)
      from.on("data", (data) => {
        bytes[direction] += data.length
        if (cut === null || isCut || cut.direction !== direction) return void to.write(data)
        if (data.length < left) {
          left -= data.length
          return void to.write(data)
        }
        isCut = true
        breakOff(client, upstream, data.subarray(0, left), cut)
      })
      from.on("error", () => from.destroy())
      from.on("close", () => to.destroy())
      from.once("close", () => sockets.delete(from))
    }
    pass("asked", client, upstream)
    pass("answered", upstream, client)
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")

  const drop = async (): Promise<void> => {
    const closed = [...sockets].filter((socket) => !socket.destroyed).map((socket) => once(socket, "close"))
    for (const socket of sockets) socket.destroy()
    await Promise.all(closed)
    sockets.clear()
  }
  return {
    port: (server.address() as AddressInfo).port,
    arm: (next) => {
      cut = next
      left = next.afterBytes
      isCut = false
    },
    disarm: () => {
      cut = null
      return isCut
    },
    counted: () => {
      const counted = { ...bytes }
      bytes.asked = 0
      bytes.answered = 0
      return counted
    },
    drop,
    close: async () => {
      await drop()
      server.close()
      await once(server, "close")
    },
  }
}
