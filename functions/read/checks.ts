import type { Principal } from "../../core/access.ts"
import { type Environment, parseEnvironment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import type { Entry } from "./entry.ts"
import { queryRefusal } from "./query.ts"
import { environmentUnknown } from "./refusals.ts"

// What every read of a tenant's views is held to.

/** The environment asked for, or the one a token is bound to. */
export const environmentOf = (
  text: string | null,
  principal: Principal,
  environments: readonly Environment[],
): Environment => {
  if (text === null || text === "") {
    if (principal.environment === null) throw queryRefusal("environment", "is missing")
    return principal.environment
  }
  // Spelt as declared it costs nothing; folding case costs more than everything else here.
  const exact = text as Environment
  const environment = environments.includes(exact) ? exact : parseEnvironment(text, environments)
  if (environment === null) throw environmentUnknown(text, environments)
  if (principal.environment !== null && principal.environment !== environment)
    throw new Refusal("FORBIDDEN", `The token is bound to ${principal.environment}.`)
  return environment
}

/** Refuses a token that was revoked, and a suspended tenant's own tokens. */
export const checkPointer = ({ pointer }: Entry, principal: Principal): void => {
  if (
    pointer.revoked.length > 0 &&
    principal.tokenId !== "startup" &&
    pointer.revoked.includes(principal.tokenId)
  )
    throw new Refusal(
      "UNAUTHENTICATED",
      "The request carries no bearer token that is known, unexpired and not revoked.",
    )
  if (pointer.status === "suspended" && !principal.roles.includes("platform_admin"))
    throw new Refusal("TENANT_SUSPENDED", `The tenant "${pointer.tenantId}" is suspended.`)
}
