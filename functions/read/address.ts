import { parseOfrepPath } from "../../core/flag/ofrep.ts"
import { parseScopeId } from "../../core/ids.ts"
import type { Address } from "../http/answer-span.ts"
import type { FunctionUrlEvent } from "../http/events.ts"

const VIEWS = "/api/v1/configs/tenant/"
const FLAGS = "/ofrep/v1/evaluate/flags"
const PLAIN = new Set(["/health", "/ready"])

const named = (route: string, text = ""): Address => {
  const tenant = parseScopeId(text)
  return tenant === null ? { route } : { route, tenant }
}

/** What a request is about, for whoever traces it: of what its path says nothing but a template and the name of a tenant. */
export const addressOf = ({ rawPath }: FunctionUrlEvent): Address => {
  if (rawPath.startsWith(VIEWS)) return named(`${VIEWS}{tenantId}`, rawPath.slice(VIEWS.length))
  const [, internal, kind, tenant] = rawPath.split("/")
  if (internal === "internal" && kind === "pointer")
    return named("/internal/pointer/{tenantId}/{environment}", tenant)
  if (internal === "internal" && kind === "view")
    return named("/internal/view/{tenantId}/{environment}/{view}", tenant)
  const asked = parseOfrepPath(rawPath)
  if (asked) return { route: asked.key === null ? FLAGS : `${FLAGS}/{key}` }
  return PLAIN.has(rawPath) ? { route: rawPath } : {}
}
