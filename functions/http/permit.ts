import { type Action, may, PERMISSIONS, type Principal, sees } from "../../core/access.ts"
import type { Environment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import type { ScopeId } from "../../core/ids.ts"

// Apart from routes, so that who does jobs in somebody's name can ask the same without the library that reads requests.

/** Where a call acts: what the permissions are asked about. `null` = no one scope or environment. */
export interface Where {
  scope: ScopeId | null
  environment: Environment | null
}

/** The same bytes for a tenant that never was and one the token may not see. */
export const tenantNotFound = (named: string): Refusal =>
  new Refusal("TENANT_NOT_FOUND", `There is no tenant "${named}".`)

const forbidden = (principal: Principal, action: Action, where: Where): Refusal => {
  if (principal.environment && where.environment && principal.environment !== where.environment)
    return new Refusal("FORBIDDEN", `The token is bound to ${principal.environment}.`)
  if (principal.environment && may({ ...principal, environment: null }, action, where))
    return new Refusal(
      "FORBIDDEN",
      `The token is bound to ${principal.environment}, and this is about every environment.`,
    )
  const roles = [...PERMISSIONS[action].filter((role) => role !== "platform_admin"), "platform_admin"]
  return new Refusal("FORBIDDEN", `"${action}" takes one of the roles ${roles.join(", ")}.`)
}

/** Throws TENANT_NOT_FOUND for what the principal cannot see, FORBIDDEN for what it may not do there. */
export const permit = (principal: Principal, action: Action, where: Where): void => {
  if (where.scope && !sees(principal, where.scope)) throw tenantNotFound(where.scope)
  if (!may(principal, action, where)) throw forbidden(principal, action, where)
}
