import { currentSpan } from "../../db/span.ts"

/** Says of the request that is being answered which route it takes: a template, as paths hold what callers put there. */
export const noteRoute = (method: string, route: string): void => {
  const span = currentSpan()
  span?.rename(`${method} ${route}`)
  span?.set("http.route", route)
}

/** And which tenant it is about. */
export const noteTenant = (tenant: string): void => currentSpan()?.set("hotswap.tenant.id", tenant)
