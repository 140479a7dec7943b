import { once } from "node:events"
import { type IncomingHttpHeaders, type IncomingMessage, request } from "node:http"
import { connect } from "node:net"
import { createMessenger } from "../../functions/platform/messages/messenger.ts"
import { createOutbound } from "../../functions/platform/outbound.ts"
import type { Sns } from "../../functions/platform/sns.ts"
import { startFunctionHost } from "../../local/functions.ts"
import { makeCertificate } from "../functions/manage/certificate.ts"
import { CERTIFICATE_URL, TOPIC } from "../functions/manage/sns.ts"
import { createWorld, must } from "../functions/manage/world.ts"
import { acmeWorld } from "../functions/read/world.ts"
import { createReaderKeys, startEdge } from "../support/edge.ts"
import { EDGE_SECRET, startOrigin } from "../support/scripted-origin.ts"
import { CONSOLE, SENTINEL } from "./corpus.ts"

export interface Asked {
  method?: string
  path: string
  /** Of whom: one of the roles of acme, the platform's, or nobody. */
  by?: "viewer" | "engineer" | "manager" | "compliance" | "tenant_admin" | "platform" | null
  body?: unknown
  /** Sent as it is, in place of `body`. */
  raw?: string | Uint8Array
  headers?: Record<string, string>
}

export interface Through {
  status: number
  headers: IncomingHttpHeaders
  text: string
}

export interface Told {
  status: number
  code: string | null
  text: string
  headers: Headers
}

/** What names resolve to for whoever sends messages: nothing leaves this machine. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  "hooks.example.com": ["1.1.1.1"],
  "xn--mgbh0fb.example": ["1.1.1.1"],
  "inside.example.com": ["10.0.0.7"],
  "mixed.example.com": ["1.1.1.1", "192.168.0.1"],
  "metadata.example.com": ["169.254.169.254"],
  "six.example.com": ["fd00:ec2::254"],
  "mapped.example.com": ["::ffff:10.0.0.1"],
  "nat64.example.com": ["64:ff9b::a00:1"],
  "hooks.example.com.": ["1.1.1.1"],
  "inside.example.com.": ["10.0.0.7"],
  "localtest.me": ["127.0.0.1"],
}
const resolve = async (name: string): Promise<readonly string[]> => {
  const found = NAMES[name]
  if (found === undefined) throw new Error(`ENOTFOUND ${name}`)
  return found
}

/** Everything the cases are tried on: the management function over HTTP, the read function, and the Worker before them. */
export const createCorpusWorld = async () => {
  const certificate = makeCertificate(new Date())
  const visited: string[] = []
  const sns: Sns = {
    certificate: async (url) => {
      visited.push(url)
      return url === CERTIFICATE_URL ? certificate.pem : null
    },
    confirm: async (url) => void visited.push(url),
  }
  const messenger = createMessenger({
    outbound: createOutbound({ allowed: [], resolve }),
    mailer: { send: async () => [] },
    consoleUrl: CONSOLE,
  })
  const world = await createWorld({
    sns,
    messenger,
    settings: { edgeSecret: EDGE_SECRET, corsOrigins: [CONSOLE] },
  })
  const acme = await world.tenant("acme")
  const globex = await world.tenant("globex")
  const config = (tenantId: string, key: string, value: unknown, environment = "Staging") =>
    must(world.call("POST", "/api/v1/configs", { body: { tenantId, environment, key, value } }), 201)
  await config("acme", "plan", "gold")
  await config("globex", "plan", SENTINEL)

  const policy = "/api/v1/tenants/acme/environments/QA/policy"
  await must(world.call("PUT", policy, { body: { snsTopics: [TOPIC] } }), 200)

  const host = await startFunctionHost({
    route: () => ({ handler: world.manage.handler, timeoutMs: 10_000 }),
    port: 0,
    log: world.platform.log,
  })
  const read = acmeWorld()
  const origin = await startOrigin()
  const readerKeys = await createReaderKeys()
  const edge = await startEdge({ origin: origin.url, manageOrigin: host.url, jwks: readerKeys.jwks })

  const tokenOf = (by: Asked["by"] = "tenant_admin"): { token?: string | null } =>
    by === "platform" ? {} : { token: by === null ? null : acme.tokens[by] }

  const ask = async ({ method = "GET", path, by, body, raw, headers = {} }: Asked): Promise<Told> => {
    const sent = raw === undefined ? { body } : { raw }
    const answer = await world.call<{ code?: string }>(method, path, { ...tokenOf(by), headers, ...sent })
    return {
      status: answer.status,
      code: answer.body?.code ?? null,
      text: answer.text,
      headers: answer.headers,
    }
  }

  /**
   * Writes these bytes to a server, and reads all that it answers until it hangs up, which is for the last request to
   * ask for; or, of what has no end, says that no more will come.
   */
  const write = async (bytes: string | Buffer, { isCutOff = false } = {}): Promise<string> => {
    const { hostname, port } = new URL(host.url)
    const socket = connect(Number(port), hostname)
    const pieces: Buffer[] = []
    socket.on("data", (piece) => pieces.push(piece))
    // A server that has seen enough hangs up while there is still something on its way.
    socket.on("error", () => {})
    if (isCutOff) socket.end(bytes)
    else socket.write(bytes)
    await new Promise((resolve) => socket.on("close", resolve))
    return Buffer.concat(pieces).toString("latin1")
  }

  /** The Worker's whole answer to a path just as it is written. */
  const through = async (
    path: string,
    headers: Record<string, string> = {},
    method = "GET",
  ): Promise<Through> => {
    const { hostname, port } = new URL(edge.url)
    const asked = request({ hostname, port, path, method, headers, agent: false }).end()
    const [response] = (await once(asked, "response")) as [IncomingMessage]
    const pieces = (await response.toArray()) as Buffer[]
    return {
      status: response.statusCode!,
      headers: response.headers,
      text: Buffer.concat(pieces).toString("utf8"),
    }
  }

  return {
    ...world,
    through,
    acme,
    globex,
    read,
    origin,
    edge,
    readerKeys,
    host,
    certificate,
    visited,
    messenger,
    ask,
    write,
    close: async () => {
      await edge.dispose()
      await origin.close()
      await host.stop(0)
      await world.close()
    },
  }
}
export type World = Awaited<ReturnType<typeof createCorpusWorld>>
