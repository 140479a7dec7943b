import { isIP } from "node:net"
import ipaddr from "ipaddr.js"
import type { FunctionUrlEvent } from "./events.ts"
import { isEdge } from "./from-edge.ts"

/** What the edge says of who called it; whatever the caller said under this name it has taken away. */
const CLIENT_HEADER = "hotswap-client"
/** A customer of IPv6 has at least a network of this size, and may change addresses within it at will. */
const NETWORK_BYTES = 8

/** One spelling for all of one client's addresses: IPv4 also when it is written as IPv6, and IPv6 by its network. */
const clientOf = (address: string): string | null => {
  if (isIP(address) === 0) return null
  const parsed = ipaddr.process(address)
  if (parsed.kind() === "ipv4") return parsed.toString()
  return Buffer.from(parsed.toByteArray().slice(0, NETWORK_BYTES)).toString("hex")
}

/** Who called, as the connection or our own edge says: nothing the caller writes alters it. `null`: not known. */
export const clientOfEvent = (
  event: FunctionUrlEvent | undefined,
  edgeSecret: string | null,
): string | null => {
  if (event === undefined) return null
  const told = isEdge(event, edgeSecret) ? event.headers[CLIENT_HEADER] : undefined
  return clientOf(told ?? event.requestContext.http.sourceIp)
}
