import { type Principal, sees } from "../../core/access.ts"
import type { Actor } from "../../core/change/change.ts"
import { type Environment, parseEnvironment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import {
  type ChangeId,
  type ConfigId,
  type ConfigKey,
  configIdOf,
  parseChangeId,
  parseConfigId,
  parseConfigKey,
  parseScopeId,
  parseTier,
  parseTokenId,
  type ScopeId,
  TIERS,
  type Tier,
  type TokenId,
} from "../../core/ids.ts"
import { tenantNotFound } from "../http/permit.ts"

/** Looks up a name that a tenant has elsewhere. */
export type FindExternal = (externalId: string) => Promise<ScopeId | null>

/** What kind of name it is shows in the name: slugs have no colon, external ids (`system:id`) have one. */
export const resolveScope = async (text: string, findExternal: FindExternal): Promise<ScopeId | null> =>
  text.includes(":") ? (text.includes("\0") ? null : await findExternal(text)) : parseScopeId(text)

const TIER_SCOPES = "~tier."
const TOLD_MAX = 200

/** What was sent, repeated in an answer: enough of it to be recognised. */
const clip = (text: string): string => (text.length > TOLD_MAX ? `${text.slice(0, TOLD_MAX)}…` : text)

/** The scope a request names. What the principal cannot see is named back just as it was given. */
export const scopeNamed = async (
  text: string,
  principal: Principal,
  findExternal: FindExternal,
): Promise<ScopeId> => {
  const scope = await resolveScope(text, findExternal)
  if (scope && sees(principal, scope)) return scope
  if (!scope && text.startsWith(TIER_SCOPES)) tierNamed(text.slice(TIER_SCOPES.length))
  if (!scope && !text.includes(":"))
    throw new Refusal("TENANT_ID_INVALID", `"${clip(text)}" is neither a slug nor an external id.`)
  throw tenantNotFound(clip(text))
}

export const environmentNamed = (text: string, environments: readonly Environment[]): Environment => {
  const environment = parseEnvironment(text, environments)
  if (!environment)
    throw new Refusal("ENVIRONMENT_UNKNOWN", `"${clip(text)}" is none of ${environments.join(", ")}.`)
  return environment
}

const A_KEY = "1 to 200 letters, digits, dots, dashes and underscores, beginning with a letter or digit"

export const keyNamed = (text: string): ConfigKey => {
  const key = parseConfigKey(text)
  if (!key) throw new Refusal("KEY_INVALID", `"${clip(text)}" is not a key: ${A_KEY}.`)
  return key
}

export const tierNamed = (text: string): Tier => {
  const tier = parseTier(text)
  if (!tier) throw new Refusal("TIER_UNKNOWN", `"${clip(text)}" is none of ${TIERS.join(", ")}.`)
  return tier
}

export interface ConfigAddress {
  configId: ConfigId
  scope: ScopeId
  environment: Environment
  key: ConfigKey
}

export const configNotFound = (configId: string): Refusal =>
  new Refusal("CONFIG_NOT_FOUND", `There is no config "${clip(configId)}".`)

export const configNamed = (text: string, environments: readonly Environment[]): ConfigAddress => {
  const address = parseConfigId(text, environments)
  if (!address) throw configNotFound(text)
  return { ...address, configId: configIdOf(address.scope, address.environment, address.key) }
}

export const changeNotFound = (changeId: string): Refusal =>
  new Refusal("CHANGE_NOT_FOUND", `There is no change "${clip(changeId)}".`)

export const changeNamed = (text: string): { changeId: ChangeId; scope: ScopeId } => {
  const parsed = parseChangeId(text)
  if (!parsed) throw changeNotFound(text)
  return parsed
}

export const tokenNotFound = (tokenId: string): Refusal =>
  new Refusal("TOKEN_NOT_FOUND", `There is no token "${clip(tokenId)}".`)

export const tokenNamed = (text: string): { tokenId: TokenId; scope: ScopeId } => {
  const parsed = parseTokenId(text)
  if (!parsed) throw tokenNotFound(text)
  return parsed
}

/**
 * Reads `If-Match`: a version, `any` for `*`, `undefined` without one. Throws IF_MATCH_INVALID. A weak tag is taken
 * for what it was: a proxy that compresses makes it weak, and a version is as exact as ever.
 */
export const ifMatchNamed = (header: string | undefined): number | "any" | undefined => {
  if (header === undefined) return undefined
  if (header.trim() === "*") return "any"
  const match = /^(?:W\/)?"(\d{1,9})"$/.exec(header.trim())
  if (!match)
    throw new Refusal(
      "IF_MATCH_INVALID",
      `Send one ETag as it was given, quotes and all: ${header.slice(0, 100)} is none.`,
    )
  return Number(match[1])
}

/** Does `If-None-Match` name this tag? Compared weakly, as RFC 9110 has it. */
export const noneMatches = (header: string | undefined, tag: string): boolean =>
  (header?.split(",") ?? []).some((one) => one.trim() === "*" || one.trim().replace(/^W\//, "") === tag)

export const actorOf = ({ subject, tokenId, ancestors }: Principal): Actor => ({
  subject,
  tokenId,
  ancestors,
})

export const isPlatformAdmin = (principal: Principal): boolean => principal.roles.includes("platform_admin")

/** The scope × environment that a path names. */
export const targetOfPath =
  (deps: { findExternal: FindExternal; settings: { readonly environments: readonly Environment[] } }) =>
  async ({ params }: { params: { tenantId: string; environment: string } }, principal: Principal) => ({
    scope: await scopeNamed(params.tenantId, principal, deps.findExternal),
    environment: environmentNamed(params.environment, deps.settings.environments),
  })
