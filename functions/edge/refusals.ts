import type { Environment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import type { ConfigKey, TenantId } from "../../core/ids.ts"
import { problemDocument, problemHeaders } from "../../core/problem.ts"
import { SECURITY_HEADERS } from "./security.ts"

// The edge says of a read what the origin would: the same codes in the same words.

export const unauthenticated = (): Refusal =>
  new Refusal(
    "UNAUTHENTICATED",
    "The request carries no bearer token that is known, unexpired and not revoked.",
  )

export const tenantNotFound = (tenantId: TenantId): Refusal =>
  new Refusal("TENANT_NOT_FOUND", `There is no tenant "${tenantId}".`)

export const otherEnvironment = (bound: Environment): Refusal =>
  new Refusal("FORBIDDEN", `The token is bound to ${bound}.`)

export const tenantSuspended = (tenantId: TenantId): Refusal =>
  new Refusal("TENANT_SUSPENDED", `The tenant "${tenantId}" is suspended.`)

export const configNotFound = (key: ConfigKey): Refusal =>
  new Refusal("CONFIG_NOT_FOUND", `There is no config "${key}".`)

export const tenantUnnamed = (): Refusal =>
  new Refusal("TENANT_UNNAMED", "The token is for several tenants, and X-Tenant-ID names none.")

export const routeUnknown = (path: string): Refusal =>
  new Refusal("ROUTE_UNKNOWN", `There is no route ${path}.`)

export const originUnavailable = (): Refusal =>
  new Refusal(
    "ORIGIN_UNAVAILABLE",
    "The origin could not be reached, and the edge has nothing to answer with.",
  )

export const methodNotAllowed = (method: string, allowed: string): Response => {
  const refusal = new Refusal("METHOD_NOT_ALLOWED", `${method} is not one of ${allowed}.`)
  const response = problemResponse(refusal)
  response.headers.set("allow", allowed)
  return response
}

/** A refusal as it goes out. */
export const problemResponse = (refusal: Refusal): Response => {
  const instance = crypto.randomUUID()
  const document = problemDocument(refusal, instance)
  return new Response(JSON.stringify(document), {
    status: document.status,
    headers: { ...SECURITY_HEADERS, ...problemHeaders(refusal.code), "hotswap-request-id": instance },
  })
}
