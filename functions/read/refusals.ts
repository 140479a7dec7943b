import type { Environment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"

/** The same for a tenant that is not there and for one that the caller may not see. */
export const tenantNotFound = (tenantId: string): Refusal =>
  new Refusal("TENANT_NOT_FOUND", `There is no tenant "${tenantId.slice(0, 100)}".`)

export const environmentUnknown = (text: string, environments: readonly Environment[]): Refusal =>
  new Refusal(
    "ENVIRONMENT_UNKNOWN",
    `"${text.slice(0, 100)}" is none of the environments, which are ${environments.join(", ")}.`,
  )

export const configNotFound = (key: string): Refusal =>
  new Refusal("CONFIG_NOT_FOUND", `There is no config "${key}".`)
