import { type Action, may, type Principal, sees } from "../../core/access.ts"
import { BACKENDS, type BackendName } from "../../core/deployment/deployments.ts"
import { methodsOf, type PassedPath, passedPath } from "../../core/deployment/paths.ts"
import { Refusal } from "../../core/errors.ts"
import { parseTenantId, parseTokenId, type TenantId } from "../../core/ids.ts"
import { findDeployments } from "../../db/queries/deployments.ts"
import { findToken } from "../../db/queries/find-token.ts"
import { resolveExternalId } from "../../db/system.ts"
import { authenticate, type Door, keptToken } from "../http/auth.ts"
import type { FunctionUrlEvent } from "../http/events.ts"
import { createFailures, type Failures } from "../http/failures.ts"
import { jwtVerifierOf } from "../http/jwt-door.ts"
import { permit, tenantNotFound } from "../http/permit.ts"
import { readerVerifier } from "../http/tokens.ts"
import type { RouterPlatform } from "../platform/compose-router.ts"

/** A request to a tenant's backend, judged: who asks may ask that there. */
export interface Asked {
  tenantId: TenantId
  backend: BackendName
  passed: PassedPath
  method: string
  /** As it came, escaped. */
  query: string
  headers: Readonly<Record<string, string | undefined>>
  body: Uint8Array | null
}

/** A door that counts who is turned away. */
export type RouterDoor = Door & { failures: Failures }

export const doorOf = (platform: RouterPlatform): RouterDoor => {
  const { settings, clock, db, attempts, tokenUses } = platform
  const verify = readerVerifier(settings.readerPublicKeys)
  return {
    failures: createFailures({ attempts, edgeSecret: settings.edgeSecret }),
    startupTokenHash: settings.adminTokenHash,
    // The signature outlives the revocation: the row is asked.
    verifyReader: async (token, now) => {
      const claims = await verify(token, now)
      const id = claims && parseTokenId(claims.tokenId)
      const kept = id && (await findToken(db, id.scope, id.tokenId))
      return kept && kept.token.revokedAt === null ? claims : null
    },
    verifyJwt: jwtVerifierOf(platform),
    tenantStatus: async (tenantId) => (await findDeployments(db, tenantId))?.status ?? null,
    now: () => clock.now(),
    used: (scope, tokenId) => tokenUses.note(scope, tokenId),
    findToken: async (scope, tokenId) => {
      const found = await findToken(db, scope, tokenId)
      return found && { ...keptToken(found.token, scope), suspended: found.tenantStatus === "suspended" }
    },
  }
}

const PATH = /^\/api\/v1\/route\/([^/]+)(\/.*)$/
const TOLD_MAX = 100

/** A header that is given twice comes with a comma, and is then no name of anything. */
const tenantOf = async (
  { system }: RouterPlatform,
  principal: Principal,
  named: string | undefined,
): Promise<TenantId> => {
  const { tenants } = principal
  if (named === undefined) {
    if (tenants !== "*" && tenants.length === 1) return tenants[0]!
    throw new Refusal("TENANT_UNNAMED", "The token is for several tenants, and X-Tenant-ID names none.")
  }
  const tenantId = named.includes(":") ? await resolveExternalId(system, named) : parseTenantId(named)
  if (tenantId === null || !sees(principal, tenantId)) throw tenantNotFound(named.slice(0, TOLD_MAX))
  return tenantId
}

const ACTIONS = { query: "backend.query", write: "backend.write" } as const satisfies Record<string, Action>

const isBackend = (text: string): text is BackendName => (BACKENDS as readonly string[]).includes(text)

/** What a URL may hold unescaped, and whatever is escaped. */
const QUERY = /^[\x21-\x7e]*$/

const bodyOf = ({ body, isBase64Encoded }: FunctionUrlEvent): Uint8Array | null =>
  body === undefined ? null : Buffer.from(body, isBase64Encoded ? "base64" : "utf8")

/**
 * Judges a request before anything is looked up for it. Throws ROUTE_UNKNOWN, UNAUTHENTICATED, AUTHENTICATION_LIMITED,
 * TENANT_UNNAMED, TENANT_NOT_FOUND, FORBIDDEN, BACKEND_PATH_FORBIDDEN, METHOD_NOT_ALLOWED, QUERY_INVALID.
 */
export const askedOf = async (
  platform: RouterPlatform,
  door: RouterDoor,
  event: FunctionUrlEvent,
): Promise<Asked> => {
  const { headers, rawPath, rawQueryString: query } = event
  const principal = await door.failures.watch(event, headers.authorization, () =>
    authenticate(door, headers.authorization),
  )
  const [, backend = "", path = ""] = PATH.exec(rawPath) ?? []
  if (!isBackend(backend))
    throw new Refusal("ROUTE_UNKNOWN", "What is routed is /api/v1/route/{metrics|logs|traces}/{path}.")
  const tenantId = await tenantOf(platform, principal, headers["x-tenant-id"])
  const where = { scope: tenantId, environment: null }
  const passed = passedPath(backend, path)
  if (passed === null) {
    // Nobody is told what there is who may do nothing there.
    if (!Object.values(ACTIONS).some((action) => may(principal, action, where)))
      permit(principal, ACTIONS.query, where)
    throw new Refusal("BACKEND_PATH_FORBIDDEN", `This is not passed on to a tenant's ${backend}.`)
  }
  permit(principal, ACTIONS[passed.use], where)
  const { method } = event.requestContext.http
  const methods = methodsOf(passed.use)
  if (!methods.includes(method))
    throw new Refusal("METHOD_NOT_ALLOWED", `${passed.path} does not take ${method}.`, {
      headers: { allow: methods.join(", ") },
    })
  if (!QUERY.test(query)) throw new Refusal("QUERY_INVALID", "The query holds what has to be escaped.")
  return { tenantId, backend, passed, method, query, headers, body: method === "POST" ? bodyOf(event) : null }
}
