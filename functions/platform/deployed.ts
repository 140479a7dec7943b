import { type JwtIssuer, parseJwtIssuers } from "./jwt-issuers.ts"

type Variables = Readonly<Record<string, string | undefined>>

/** Does it run for others, rather than on the machine of whoever tries it? */
export const isDeployed = (variables: Variables): boolean =>
  Boolean(variables.AWS_LAMBDA_FUNCTION_NAME || variables.HOTSWAP_STAGE)

const SECRET_LENGTH = 20
/** How many different characters chance puts into so many; a secret with fewer was typed. */
const VARIETY = 8
/** What stands in examples, in whole or as a part: everybody would try it. */
const FAMILIAR =
  /change.?me|example|default|password|passwort|secret|hunter2|letmein|qwerty|paste|0123456789|123456789/i
const FAMILIAR_PASSWORDS = new Set([
  "",
  "postgres",
  "password",
  "hotswap",
  "admin",
  "root",
  "secret",
  "owner",
])

const weaknessOf = (secret: string): string | null => {
  if (secret.length < SECRET_LENGTH) return `is shorter than ${SECRET_LENGTH} characters`
  if (new Set(secret).size < VARIETY || (FAMILIAR.test(secret) && secret.length < 2 * SECRET_LENGTH))
    return "is one that anybody would try: take one made by chance"
  return null
}

const weakestOf = (secrets: string): string | null =>
  secrets.split(",").reduce<string | null>((weakness, each) => weakness ?? weaknessOf(each), null)

const passwordWeakness = (text: string): string | null => {
  const password = URL.parse(text)?.password
  return password === undefined || !FAMILIAR_PASSWORDS.has(decodeURIComponent(password).toLowerCase())
    ? null
    : "holds no password, or one that anybody would try"
}

const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"])

/** The driver encrypts only when asked, and looks whom it speaks to only when asked for that. */
const databaseWeakness = (text: string): string | null => {
  const weakness = passwordWeakness(text)
  if (weakness !== null) return weakness
  const url = URL.parse(text)
  return url === null || LOOPBACK.has(url.hostname) || url.searchParams.get("sslmode") === "verify-full"
    ? null
    : "does not ask for sslmode=verify-full: whoever is on the way could read along, or answer in the database's place"
}

const inTheClear = (text: string): string | null =>
  URL.parse(text)?.protocol === "http:" ? "is not https: what is sent there could be read on the way" : null

/** Whoever is on the way to an issuer's keys could put their own in the place of them. */
const keysInTheClear = (text: string): string | null => {
  const isClear = ({ issuer, keys }: JwtIssuer): boolean =>
    keys.kind !== "set" && inTheClear(keys.kind === "url" ? keys.url : issuer) !== null
  return issuersIn(text).some(isClear)
    ? "has keys fetched without https: others could be put in their place"
    : null
}

/** What is wrong with the setting itself is told where it is read. */
const issuersIn = (text: string): readonly JwtIssuer[] => {
  try {
    return parseJwtIssuers(text)
  } catch {
    return []
  }
}

const CHECKS: Readonly<Record<string, (text: string) => string | null>> = {
  DATABASE_OWNER_URL: databaseWeakness,
  DATABASE_URL: databaseWeakness,
  DATABASE_READ_URL: databaseWeakness,
  DATABASE_SYSTEM_URL: databaseWeakness,
  UPSTASH_REDIS_REST_URL: inTheClear,
  UPSTASH_REDIS_REST_TOKEN: weaknessOf,
  HOTSWAP_EDGE_SECRET: weakestOf,
  HOTSWAP_ADMIN_TOKEN: weaknessOf,
  HOTSWAP_JWT_ISSUERS: keysInTheClear,
  HOTSWAP_BLOB_ENDPOINT: inTheClear,
}

/** What would do on a laptop and must not be deployed: one line each, without the values. Empty where nothing is. */
export const notToBeDeployed = (variables: Variables): readonly string[] => {
  if (!isDeployed(variables)) return []
  return Object.entries(CHECKS).flatMap(([name, check]) => {
    const text = variables[name]
    const weakness = text ? check(text) : null
    return weakness === null ? [] : [`${name} ${weakness}`]
  })
}
