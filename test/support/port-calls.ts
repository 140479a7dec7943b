import { Socket } from "node:net"

/** Where in a port call a process dies: before it is sent, once it is sent, once its answer has begun to come. */
export type Moment = "before" | "sent" | "answered"

/** A call through a port, counted from 1 since the counting began. */
export interface KillPoint {
  call: number
  moment: Moment
}

type Write = (this: Socket, ...args: unknown[]) => boolean
type Push = (this: Socket, chunk: unknown, encoding?: BufferEncoding) => boolean

/**
 * Counts what this process sends to PostgreSQL and Redis, whoever sends it, and kills the process (SIGKILL) at one point of
 * it. At the sockets, so that no call through a port can be forgotten, nor one that is written tomorrow.
 */
export const watchPortCalls = (ports: readonly number[]) => {
  let calls = 0
  let isCounting = false
  let point: KillPoint | null = null
  const prototype = Socket.prototype as unknown as { write: Write; push: Push }
  const { write, push } = prototype
  const isPort = (socket: Socket): boolean => ports.includes(socket.remotePort ?? 0)
  const isNow = (moment: Moment): boolean => point !== null && point.call === calls && point.moment === moment
  const die = () => process.kill(process.pid, "SIGKILL")

  prototype.write = function (...args) {
    if (!isCounting || !isPort(this)) return write.apply(this, args)
    calls++
    if (isNow("before")) die()
    const result = write.apply(this, args)
    // Handed to the kernel: the other side gets it although this one is no more.
    if (isNow("sent")) write.call(this, "", () => die())
    return result
  }
  prototype.push = function (chunk, encoding) {
    if (isCounting && chunk !== null && isPort(this) && isNow("answered")) die()
    return push.call(this, chunk, encoding)
  }
  return {
    begin: (kill: KillPoint | null) => {
      calls = 0
      isCounting = true
      point = kill
    },
    end: () => {
      isCounting = false
      point = null
    },
  }
}
