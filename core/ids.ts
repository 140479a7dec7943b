import { type Environment, parseEnvironment } from "./environment.ts"

/** A string that has been checked to be what its name says. Made only by the parsers here. */
type Branded<Name extends string> = string & { readonly __brand: Name }

/** A tenant's slug: 1 to 63 of `a-z 0-9 -`, neither beginning nor ending with a dash. */
export type TenantId = Branded<"TenantId">
/** Whose configuration it is: a tenant's slug, `~platform`, or `~tier.{Tier}`. */
export type ScopeId = TenantId | Branded<"ScopeId">
/** 1 to 200 of `A-Z a-z 0-9 . _ -`, beginning with a letter or digit. */
export type ConfigKey = Branded<"ConfigKey">
/** `{scope}:{environment}:{key}`: names one config for ever, and carries its own address. */
export type ConfigId = Branded<"ConfigId">
/** `{scope}:chg_{32 hex digits of a UUIDv7}`. */
export type ChangeId = Branded<"ChangeId">
/** `{scope}:tok_{32 hex digits of a UUIDv7}`. */
export type TokenId = Branded<"TokenId">
/** `{scope}:job_{32 hex digits of a UUIDv7}`. */
export type JobId = Branded<"JobId">
/** `{scope}:bkp_{32 hex digits of a UUIDv7}`. */
export type BackupId = Branded<"BackupId">
/** SHA-256 of a release's manifest, 64 hex digits. */
export type ReleaseId = Branded<"ReleaseId">
/** SHA-256 of a chunk's canonical JSON, 64 hex digits. */
export type ChunkId = Branded<"ChunkId">
/** `{chunk bits}.{SHA-256 of the view's manifest, 64 hex digits}`. */
export type ViewId = Branded<"ViewId">

const SLUG = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const KEY = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/
const SCOPE_OF_ID = /^([^:]+):(chg|tok|job|bkp)_([0-9a-f]{32})$/
const UUID_DIGITS = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/

export const TIERS = ["Free", "Pro", "Enterprise"] as const
/** What a tenant has bought. */
export type Tier = (typeof TIERS)[number]

/** The tier of that name, whatever its case, or `null`. */
export const parseTier = (text: string): Tier | null =>
  TIERS.find((tier) => tier.toLowerCase() === text.toLowerCase()) ?? null

/** The scope every tenant inherits from. */
export const PLATFORM = "~platform" as ScopeId
/** The scope that every tenant of a tier inherits from. */
export const tierScope = (tier: Tier): ScopeId => `~tier.${tier}` as ScopeId

export const parseTenantId = (text: string): TenantId | null => (SLUG.test(text) ? (text as TenantId) : null)

export const parseScopeId = (text: string): ScopeId | null => {
  if (text === PLATFORM || TIERS.some((tier) => text === tierScope(tier))) return text as ScopeId
  return parseTenantId(text)
}

/** Which floor a scope is on; nearer floors win. */
export type Layer = "platform" | "tier" | "tenant"
export const layerOf = (scope: ScopeId): Layer =>
  scope === PLATFORM ? "platform" : scope.startsWith("~tier.") ? "tier" : "tenant"
export const isTenant = (scope: ScopeId): scope is TenantId => layerOf(scope) === "tenant"

export const parseConfigKey = (text: string): ConfigKey | null =>
  KEY.test(text) ? (text as ConfigKey) : null

export const configIdOf = (scope: ScopeId, environment: Environment, key: ConfigKey): ConfigId =>
  `${scope}:${environment}:${key}` as ConfigId

/** The address a config id carries, or `null` if it is not one. */
export const parseConfigId = (
  text: string,
  environments: readonly Environment[],
): { scope: ScopeId; environment: Environment; key: ConfigKey } | null => {
  const [scopeText = "", environmentText = "", keyText = "", ...rest] = text.split(":")
  const scope = parseScopeId(scopeText)
  const environment = parseEnvironment(environmentText, environments)
  const key = parseConfigKey(keyText)
  return scope && environment && key && rest.length === 0 ? { scope, environment, key } : null
}

/** A new change's id. `uuid` is a UUIDv7, handed in so that the rules stay free of randomness. */
export const changeIdOf = (scope: ScopeId, uuid: string): ChangeId =>
  `${scope}:chg_${uuid.replaceAll("-", "")}` as ChangeId
export const tokenIdOf = (scope: ScopeId, uuid: string): TokenId =>
  `${scope}:tok_${uuid.replaceAll("-", "")}` as TokenId

/** A job's or a backup's id as it is shown: its scope, and the UUID that it is kept under. */
export const jobIdOf = (scope: ScopeId, uuid: string): JobId =>
  `${scope}:job_${uuid.replaceAll("-", "")}` as JobId
export const backupIdOf = (scope: ScopeId, uuid: string): BackupId =>
  `${scope}:bkp_${uuid.replaceAll("-", "")}` as BackupId

type Kind = "chg" | "tok" | "job" | "bkp"

const parseOwned = (text: string, kind: Kind): ScopeId | null => {
  const match = SCOPE_OF_ID.exec(text)
  return match?.[2] === kind ? parseScopeId(match[1] ?? "") : null
}

const parseKept = (text: string, kind: Kind): { scope: ScopeId; uuid: string } | null => {
  const scope = parseOwned(text, kind)
  return scope && { scope, uuid: text.slice(-32).replace(UUID_DIGITS, "$1-$2-$3-$4-$5") }
}

/** The change's id with the scope it belongs to, or `null` if it is not one. */
export const parseChangeId = (text: string): { changeId: ChangeId; scope: ScopeId } | null => {
  const scope = parseOwned(text, "chg")
  return scope && { changeId: text as ChangeId, scope }
}
/** The token's id with the scope it belongs to, or `null` if it is not one. */
export const parseTokenId = (text: string): { tokenId: TokenId; scope: ScopeId } | null => {
  const scope = parseOwned(text, "tok")
  return scope && { tokenId: text as TokenId, scope }
}
/** The scope a job's id names and the UUID it is kept under, or `null` if it is not one. */
export const parseJobId = (text: string): { scope: ScopeId; uuid: string } | null => parseKept(text, "job")
/** The scope a backup's id names and the UUID it is kept under, or `null` if it is not one. */
export const parseBackupId = (text: string): { scope: ScopeId; uuid: string } | null => parseKept(text, "bkp")
