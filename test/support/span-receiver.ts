import { once } from "node:events"
import { createServer, type IncomingHttpHeaders } from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"

/** A span as a receiver of OTLP's JSON finds it. */
export interface ToldSpan {
  service: string
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  kind: number
  startTimeUnixNano: string
  endTimeUnixNano: string
  attributes: Record<string, string | number | boolean>
  links?: { traceId: string; spanId: string }[]
  status?: { code: number }
}

interface AnyValue {
  stringValue?: string
  intValue?: string
  doubleValue?: number
  boolValue?: boolean
}
type Told = Omit<ToldSpan, "service" | "attributes"> & { attributes: { key: string; value: AnyValue }[] }
interface Request {
  resourceSpans: {
    resource: { attributes: Told["attributes"] }
    scopeSpans: { spans: Told[] }[]
  }[]
}

export interface SpanReceiver {
  url: string
  spans: ToldSpan[]
  /** All that was sent, as it was sent. */
  bodies: string[]
  headers: IncomingHttpHeaders[]
  /** From now on nobody is answered. */
  hold(): void
  /** And now they are. */
  release(): void
  close(): Promise<void>
}

const plain = ({ stringValue, intValue, doubleValue, boolValue }: AnyValue) =>
  stringValue ?? doubleValue ?? boolValue ?? Number(intValue)

const attributesOf = (attributes: Told["attributes"]) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, plain(value)]))

const spansOf = ({ resourceSpans }: Request): ToldSpan[] =>
  resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = String(attributesOf(resource.attributes)["service.name"])
    return scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({ ...span, service, attributes: attributesOf(span.attributes) })),
    )
  })

/** Takes what is exported over OTLP/HTTP in JSON, as a collector does. */
export const startSpanReceiver = async (): Promise<SpanReceiver> => {
  let held = Promise.resolve()
  let release = () => {}
  const receiver = { spans: [] as ToldSpan[], bodies: [] as string[], headers: [] as IncomingHttpHeaders[] }
  const server = createServer(async (request, response) => {
    const body = await text(request)
    await held
    const isTraces = request.method === "POST" && request.url === "/v1/traces"
    if (!isTraces || request.headers["content-type"] !== "application/json") {
      response.writeHead(404).end()
      return
    }
    receiver.headers.push(request.headers)
    receiver.bodies.push(body)
    receiver.spans.push(...spansOf(JSON.parse(body) as Request))
    response.writeHead(200, { "content-type": "application/json" }).end("{}")
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    ...receiver,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hold: () => {
      held = new Promise((resolve) => {
        release = resolve
      })
    },
    release: () => release(),
    close: async () => {
      release()
      server.closeAllConnections()
      server.close()
      await once(server, "close")
    },
  }
}
