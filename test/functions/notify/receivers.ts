import { once } from "node:events"
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http"
import { createServer as createSecureServer } from "node:https"
import type { AddressInfo, Server } from "node:net"
import { SMTPServer, type SMTPServerOptions } from "smtp-server"
import { selfSigned } from "../../support/certificate.ts"

export interface Received {
  path: string
  headers: IncomingHttpHeaders
  body: string
  /** The name that TLS was asked for. */
  servername: string | false | null
}

export interface Receiver {
  port: number
  url: string
  received: Received[]
  /** What it answers with from now on. */
  answer: (response: ServerResponse, received: Received) => void
  stop(): Promise<void>
}

const stopServer = async (server: Server & { closeAllConnections?: () => void }): Promise<void> => {
  const closed = once(server, "close")
  server.close()
  server.closeAllConnections?.()
  await closed
}

/** A server on this machine that keeps what it is sent. */
export const startReceiver = async (tls?: { cert: string; key: string }): Promise<Receiver> => {
  const received: Received[] = []
  const server = tls ? createSecureServer(tls) : createServer()
  server.on("request", async (request, response) => {
    let body = ""
    for await (const piece of request) body += piece
    const { servername = null } = request.socket as { servername?: string | false }
    const one = { path: request.url!, headers: request.headers, body, servername }
    received.push(one)
    receiver.answer(response, one)
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  const receiver: Receiver = {
    port,
    url: `${tls ? "https" : "http"}://127.0.0.1:${port}`,
    received,
    answer: (response) => void response.writeHead(204).end(),
    stop: () => stopServer(server),
  }
  return receiver
}

export interface MailReceiver {
  port: number
  mails: { to: string[]; from: string; text: string }[]
  stop(): Promise<void>
}

/** A mail server on this machine that keeps what it takes. */
export const startMailReceiver = async (options: SMTPServerOptions = {}): Promise<MailReceiver> => {
  const mails: MailReceiver["mails"] = []
  const server = new SMTPServer({
    authOptional: true,
    disableReverseLookup: true,
    ...selfSigned(["localhost"]),
    onData: async (stream, session, done) => {
      let text = ""
      for await (const piece of stream) text += piece
      const { mailFrom, rcptTo } = session.envelope
      mails.push({ to: rcptTo.map(({ address }) => address), from: mailFrom ? mailFrom.address : "", text })
      done()
    },
    ...options,
  })
  server.on("error", () => {})
  server.listen(0, "127.0.0.1")
  await once(server.server, "listening")
  const { port } = server.server.address() as AddressInfo
  return {
    port,
    mails,
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  }
}
