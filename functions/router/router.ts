import { once } from "node:events"
import type { IncomingMessage } from "node:http"
import { Refusal } from "../../core/errors.ts"
import { findDeployments } from "../../db/queries/deployments.ts"
import { answeredWithin, LIMITS_MS } from "../http/deadline.ts"
import type { FunctionUrlEvent, FunctionUrlHandler, FunctionUrlResult } from "../http/events.ts"
import { asCalled } from "../http/from-edge.ts"
import { tenantNotFound } from "../http/permit.ts"
import { problemReply } from "../http/problem.ts"
import type { RouterPlatform } from "../platform/compose-router.ts"
import type { BackendClient, TenantClients } from "../platform/deployments/clients.ts"
import { type Asked, askedOf, doorOf, type RouterDoor } from "./asked.ts"
import { passOn, type Surroundings } from "./pass-on.ts"

/** What of a backend's answer its caller is told. Whatever else there is, is about the connection or the backend itself. */
const RETURNED = [
  "content-type",
  "content-encoding",
  "content-language",
  "etag",
  "last-modified",
  "retry-after",
  "vary",
] as const

/** What comes from a backend is data: a browser that is shown it must take it for nothing else. */
const GUARDS = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
}

const headersOf = ({ headers }: IncomingMessage): Record<string, string> => ({
  ...Object.fromEntries(
    RETURNED.flatMap((name) => {
      const value = headers[name]
      return value === undefined ? [] : [[name, value]]
    }),
  ),
  ...GUARDS,
})

interface Found {
  asked: Asked
  backend: BackendClient
  clients: TenantClients
  statuses: Surroundings["statuses"]
}

/** The tenant's backend as it is now: its row is read for every request, and what was made of it kept by its version. */
const find = async (platform: RouterPlatform, door: RouterDoor, event: FunctionUrlEvent): Promise<Found> => {
  const asked = await askedOf(platform, door, event)
  const readAtMs = performance.now()
  const row = await findDeployments(platform.db, asked.tenantId)
  if (!row) throw tenantNotFound(asked.tenantId)
  if (row.status === "suspended")
    throw new Refusal("TENANT_SUSPENDED", `The tenant "${asked.tenantId}" is suspended.`)
  if (row.deployments[asked.backend] === undefined)
    throw new Refusal("BACKEND_NOT_FOUND", `"${asked.tenantId}" has no backend for ${asked.backend}.`)
  const clients = await platform.clients.of(row, readAtMs)
  const backend = clients.backends[asked.backend]!
  return { asked, backend, clients, statuses: row.statuses[asked.backend] }
}

/** The body as it comes. Where it breaks off, so does the answer; whoever stops reading ends it at the backend too. */
async function* piecesOf(response: IncomingMessage): AsyncGenerator<Uint8Array, undefined> {
  for await (const piece of response) yield piece as Uint8Array
}

const answer = async (
  platform: RouterPlatform,
  door: RouterDoor,
  event: FunctionUrlEvent,
): Promise<FunctionUrlResult> => {
  const found = await answeredWithin(LIMITS_MS.write, () => find(platform, door, event))
  const { asked, backend, clients, statuses } = found
  const surroundings = { region: platform.region, statuses, nowMs: () => platform.clock.nowMs() }
  let response: IncomingMessage
  try {
    response = await passOn(asked, backend, surroundings)
  } catch (error) {
    clients.release()
    throw error
  }
  // However it ends, and whether or not anybody reads it.
  response.once("close", () => clients.release())
  response.setTimeout(backend.settings.timeoutMs, () =>
    response.destroy(new Error("the backend fell silent in the middle of its answer")),
  )
  const head = {
    statusCode: response.statusCode!,
    headers: headersOf(response),
    body: "",
    isBase64Encoded: false,
  }
  if (asked.method !== "HEAD") return { ...head, pieces: piecesOf(response) }
  response.resume()
  // A head is all there is to it, however the connection ends.
  await once(response, "close").catch(() => {})
  return head
}

/** Passes requests on to the backends of the tenant that they are about. */
export const createRouter = (platform: RouterPlatform): FunctionUrlHandler => {
  const door = doorOf(platform)
  return async (given) => {
    const event = asCalled(given, platform.settings.edgeSecret)
    const { requestId } = event.requestContext
    try {
      const { headers, ...result } = await answer(platform, door, event)
      return { ...result, headers: { ...headers, "hotswap-request-id": requestId } }
    } catch (thrown) {
      const { status, headers, body } = problemReply(thrown, requestId, platform.log)
      return {
        statusCode: status,
        headers: { ...headers, "hotswap-request-id": requestId },
        body,
        isBase64Encoded: false,
      }
    }
  }
}
