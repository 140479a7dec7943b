import { createHash } from "node:crypto"
import { isIP } from "node:net"
import { isAbsolute } from "node:path"
import type { JSONWebKeySet } from "jose"
import { DEFAULT_ENVIRONMENTS, type Environment, parseEnvironments } from "../../core/environment.ts"
import { isPublicKey } from "../../core/public-key.ts"
import { parseWebOrigins } from "../../core/web-origins.ts"
import { isDeployed, notToBeDeployed } from "./deployed.ts"
import { type JwtIssuer, parseJwtIssuers } from "./jwt-issuers.ts"
import { parseProcessing } from "./processing.ts"
import { parseMailbox, parseSmtpUrl } from "./smtp-url.ts"

type Variables = Readonly<Record<string, string | undefined>>

/** What is wrong with the environment variables, one line each. */
export class SettingsError extends Error {
  constructor(lines: readonly string[]) {
    super(lines.join("\n"))
    this.name = "SettingsError"
  }
}

const urlOf =
  (protocols: readonly string[], example: string) =>
  (text: string): string => {
    if (!URL.canParse(text) || !protocols.includes(new URL(text).protocol))
      throw new Error(`is not a URL like ${example}`)
    return text
  }

const postgresUrl = urlOf(["postgres:", "postgresql:"], "postgres://role:password@host:5432/database")
const httpUrl = urlOf(["https:", "http:"], "https://host")

const atLeast =
  (characters: number) =>
  (text: string): string => {
    if (text.length < characters) throw new Error(`is shorter than ${characters} characters`)
    return text
  }

const EDGE_SECRETS_MAX = 2

/** One, or two with a comma between: the next, and the one that is not known to all yet. */
const edgeSecrets = (text: string): string => {
  const secrets = text.split(",")
  if (secrets.length > EDGE_SECRETS_MAX) throw new Error(`holds more than ${EDGE_SECRETS_MAX} secrets`)
  return secrets.map(atLeast(20)).join(",")
}

const ADMIN_TOKEN_LENGTH = 20
/** What an Authorization header can carry, and is not taken for a reader token. */
const ADMIN_TOKEN = /^(?!hsr_)[\x21-\x7e]{1,8192}$/

/** Is a start-up token so short that it could be guessed? On AWS it is refused, elsewhere it is its owner's business. */
export const isWeakAdminToken = (token: string): boolean => token.length < ADMIN_TOKEN_LENGTH

const adminTokenHash = (text: string): string => {
  if (!ADMIN_TOKEN.test(text))
    throw new Error("is not 1 to 8192 printable ASCII characters without spaces, or begins with hsr_")
  return createHash("sha256").update(text).digest("hex")
}

const isKey = (key: unknown): key is Record<string, unknown> => typeof key === "object" && key !== null

const keySetOf = (curve: "Ed25519" | "X25519", text: string): JSONWebKeySet => {
  let keys: unknown
  try {
    keys = (JSON.parse(text) as { keys?: unknown } | null)?.keys
  } catch {
    throw new Error('is not JSON; give a JWK set like {"keys":[…]}')
  }
  if (!Array.isArray(keys) || keys.length === 0) throw new Error('is not a JWK set like {"keys":[…]}')
  for (const key of keys)
    if (!isKey(key) || key.kty !== "OKP" || key.crv !== curve || typeof key.kid !== "string")
      throw new Error(`holds a key that is not ${curve} with a kid`)
  return { keys: keys as JSONWebKeySet["keys"] }
}

const keySet = (text: string): JSONWebKeySet => keySetOf("Ed25519", text)

const receivingKeys = (text: string): JSONWebKeySet => {
  const set = keySetOf("X25519", text)
  if (!set.keys.every(({ d }) => typeof d === "string"))
    throw new Error("holds a key without its private part")
  return set
}

const trustedOf = (text: string): readonly string[] =>
  text.split(",").map((one) => {
    const key = one.trim()
    if (!isPublicKey(key))
      throw new Error("is not a list of signing keys, each as GET /api/v1/deployment shows it")
    return key
  })

const NAME = /^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$/

const deploymentName = (text: string): string => {
  if (!NAME.test(text)) throw new Error("is not a name of up to 100 letters, digits, dots, dashes and spaces")
  return text
}

const secondsOf = (text: string): number => {
  const seconds = Number(text)
  if (!Number.isInteger(seconds) || seconds < 30 || seconds > 86_400)
    throw new Error("is not a whole number of seconds from 30 to 86400")
  return seconds
}

const daysOf = (text: string): number => {
  const days = Number(text)
  if (!/^\d{1,3}$/.test(text) || days > 365) throw new Error("is not a whole number of days from 0 to 365")
  return days
}

const countOf =
  (min: number, max: number) =>
  (text: string): number => {
    const many = Number(text)
    if (!/^\d{1,9}$/.test(text) || many < min || many > max)
      throw new Error(`is not a whole number from ${min} to ${max}`)
    return many
  }

const mebibytesOf = (text: string): number => {
  const many = Number(text)
  if (!Number.isInteger(many) || many < 8 || many > 8_192)
    throw new Error("is not a whole number of mebibytes from 8 to 8192")
  return many
}

const isOn = (text: string): boolean => {
  if (text !== "on" && text !== "off") throw new Error("is neither on nor off")
  return text === "on"
}

const BITS: Readonly<Record<number, number>> = { 4: 32, 6: 128 }

/** Blocks of addresses, each as it was written. */
const blocksOf = (text: string): readonly string[] =>
  text.split(",").map((one) => {
    const [, address = "", bits] = /^(.*)\/(\d{1,3})$/.exec(one.trim()) ?? []
    if (!(Number(bits) <= (BITS[isIP(address)] ?? -1)))
      throw new Error("is not a list of blocks like 10.0.0.0/8,fd00::/8")
    return one.trim()
  })

const environmentsOf = (text: string): readonly Environment[] => parseEnvironments(text)

const directoryOf = (text: string): string => {
  if (!isAbsolute(text)) throw new Error("is not the whole path of a folder")
  return text
}

const BUCKET = /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/

/** Without dots, which S3's certificate does not cover. */
const bucketName = (text: string): string => {
  if (!BUCKET.test(text)) throw new Error("is not the name of a bucket")
  return text
}

const REGION = /^[a-z0-9][a-z0-9-]{1,39}$/

const regionName = (text: string): string => {
  if (!REGION.test(text)) throw new Error("is not the name of a region, like eu-central-1")
  return text
}

/** Without a path: the bucket's name comes behind it. */
const endpointOf = (text: string): string => {
  const { origin, pathname, search, hash, username } = new URL(httpUrl(text))
  if (pathname !== "/" || search + hash + username !== "")
    throw new Error("is not a URL like https://host:9000")
  return origin
}

const STATE_MACHINE = /^arn:[a-z-]+:states:[a-z0-9-]+:\d{12}:stateMachine:[A-Za-z0-9_-]{1,80}$/

const stateMachineArn = (text: string): string => {
  if (!STATE_MACHINE.test(text)) throw new Error("is not the ARN of a state machine")
  return text
}

const QUEUE = /^https?:\/\/[^/\s]+\/\d{12}\/[A-Za-z0-9_-]{1,80}$/

const queueUrl = (text: string): string => {
  if (!QUEUE.test(text)) throw new Error("is not the URL of a queue")
  return text
}

const ALIAS = /^[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-]+)*$/
const ALIAS_LENGTH_MAX = 150

const kmsAlias = (text: string): string => {
  if (!ALIAS.test(text) || text.startsWith("aws") || text.length > ALIAS_LENGTH_MAX)
    throw new Error("is not the beginning of an alias, like hotswap/prod")
  return text
}

const SETTINGS = {
  /** Only of what migrates. */
  databaseOwnerUrl: { variable: "DATABASE_OWNER_URL", parse: postgresUrl },
  databaseUrl: { variable: "DATABASE_URL", parse: postgresUrl },
  databaseReadUrl: { variable: "DATABASE_READ_URL", parse: postgresUrl },
  databaseSystemUrl: { variable: "DATABASE_SYSTEM_URL", parse: postgresUrl },
  redisUrl: { variable: "UPSTASH_REDIS_REST_URL", parse: httpUrl },
  redisToken: { variable: "UPSTASH_REDIS_REST_TOKEN", parse: atLeast(1) },
  readerKeys: { variable: "HOTSWAP_READER_KEYS", parse: keySet },
  readerPublicKeys: { variable: "HOTSWAP_READER_PUBLIC_KEYS", parse: keySet },
  edgeSecret: { variable: "HOTSWAP_EDGE_SECRET", parse: edgeSecrets },
  /** SHA-256 of the start-up token, hex: the token itself is not kept. */
  adminTokenHash: { variable: "HOTSWAP_ADMIN_TOKEN", parse: adminTokenHash },
  /** What paces rollouts on AWS; elsewhere a clock in the same process does. */
  stateMachineArn: { variable: "HOTSWAP_STATE_MACHINE_ARN", parse: stateMachineArn },
  /** What signs the audit's checkpoints, and what they are checked with. */
  auditKey: { variable: "HOTSWAP_AUDIT_KEY", parse: keySet },
  auditPublicKey: { variable: "HOTSWAP_AUDIT_PUBLIC_KEY", parse: keySet },
  /** Opens what other deployments hand over: the first key is the one they are told, the others open what was made before. */
  handOverKey: { variable: "HOTSWAP_HAND_OVER_KEY", parse: receivingKeys },
  /** Signing keys of the deployments whose tenants are taken in; unset, whoever takes one in says which. */
  trustedDeployments: { variable: "HOTSWAP_TRUSTED_DEPLOYMENTS", parse: trustedOf },
  /** Where what is written once is kept: a folder, or a bucket. */
  blobDirectory: { variable: "HOTSWAP_BLOB_DIRECTORY", parse: directoryOf },
  blobBucket: { variable: "HOTSWAP_BLOB_BUCKET", parse: bucketName },
  /** What speaks S3 in the place of AWS. */
  blobEndpoint: { variable: "HOTSWAP_BLOB_ENDPOINT", parse: endpointOf },
  /** Where archives are kept, and where a second time: a folder, or a bucket. */
  backupDirectory: { variable: "HOTSWAP_BACKUP_DIRECTORY", parse: directoryOf },
  backupBucket: { variable: "HOTSWAP_BACKUP_BUCKET", parse: bucketName },
  backupRegion: { variable: "HOTSWAP_BACKUP_REGION", parse: regionName },
  backupCopyDirectory: { variable: "HOTSWAP_BACKUP_COPY_DIRECTORY", parse: directoryOf },
  backupCopyBucket: { variable: "HOTSWAP_BACKUP_COPY_BUCKET", parse: bucketName },
  backupCopyRegion: { variable: "HOTSWAP_BACKUP_COPY_REGION", parse: regionName },
  /** What wakes whoever works on jobs on AWS; elsewhere a clock in the same process does. */
  backupQueueUrl: { variable: "HOTSWAP_BACKUP_QUEUE_URL", parse: queueUrl },
  /** What secrets are sealed under: a folder with the master key, or what KMS keys' aliases begin with. */
  keyDirectory: { variable: "HOTSWAP_KEY_DIRECTORY", parse: directoryOf },
  kmsAlias: { variable: "HOTSWAP_KMS_ALIAS", parse: kmsAlias },
  /** What the operator says for records of processing. */
  processing: { variable: "HOTSWAP_PROCESSING", parse: parseProcessing },
  /** Where what routes to tenants' backends runs; on AWS the runtime says it. */
  region: { variable: "HOTSWAP_REGION", parse: regionName },
  /** Where a message's link leads. */
  consoleUrl: { variable: "HOTSWAP_CONSOLE_URL", parse: httpUrl },
  smtpServer: { variable: "SMTP_URL", parse: parseSmtpUrl },
  smtpFrom: { variable: "SMTP_FROM", parse: parseMailbox },
} as const

const DEFAULTED = {
  environments: { variable: "HOTSWAP_ENVIRONMENTS", parse: environmentsOf, fallback: DEFAULT_ENVIRONMENTS },
  cacheTtlSeconds: { variable: "HOTSWAP_CACHE_TTL_SECONDS", parse: secondsOf, fallback: 300 },
  /** What the read function remembers of views; the rest of its memory is for the runtime. */
  viewMemoryMebibytes: { variable: "HOTSWAP_VIEW_MEMORY_MIB", parse: mebibytesOf, fallback: 192 },
  /** What other deployments are told it is called. */
  deploymentName: { variable: "HOTSWAP_DEPLOYMENT_NAME", parse: deploymentName, fallback: "hotswap" },
  /** From a tenant's deletion until all of it is destroyed. */
  eraseAfterDays: { variable: "HOTSWAP_ERASE_AFTER_DAYS", parse: daysOf, fallback: 7 },
  /** How many days events and statistics of tenants are kept. */
  eventDays: { variable: "HOTSWAP_EVENT_DAYS", parse: countOf(1, 3_650), fallback: 90 },
  /** So many tenants have metrics under their own name. */
  metricTenants: { variable: "HOTSWAP_METRIC_TENANTS", parse: countOf(0, 100_000), fallback: 1_000 },
  /** Are a tenant's requests to what manages limited, by its tier? */
  managementLimits: { variable: "HOTSWAP_MANAGEMENT_LIMITS", parse: isOn, fallback: true },
  /** Whose word about people is taken. */
  jwtIssuers: {
    variable: "HOTSWAP_JWT_ISSUERS",
    parse: parseJwtIssuers,
    fallback: [] as readonly JwtIssuer[],
  },
  /** Web pages of these origins may call from a browser. */
  corsOrigins: {
    variable: "HOTSWAP_CORS_ORIGINS",
    parse: parseWebOrigins,
    fallback: [] as readonly string[],
  },
  /** Addresses that messages are sent to although they are not public. */
  outboundAllow: { variable: "HOTSWAP_OUTBOUND_ALLOW", parse: blocksOf, fallback: [] as readonly string[] },
} as const

export type SettingName = keyof typeof SETTINGS
type Value<Name extends SettingName> = ReturnType<(typeof SETTINGS)[Name]["parse"]>

/** Settings of which those a function needs are there for certain. */
export type Settings<Required extends SettingName = never> = {
  readonly [Name in SettingName]: Name extends Required ? Value<Name> : Value<Name> | null
} & {
  readonly environments: readonly Environment[]
  readonly cacheTtlSeconds: number
  readonly viewMemoryMebibytes: number
  readonly deploymentName: string
  readonly eraseAfterDays: number
  readonly eventDays: number
  readonly metricTenants: number
  readonly managementLimits: boolean
  readonly outboundAllow: readonly string[]
  readonly jwtIssuers: readonly JwtIssuer[]
  readonly corsOrigins: readonly string[]
}

/**
 * Reads the environment variables once, at the start. Throws {@link SettingsError} with one line for each
 * that is missing though required, always or `whenDeployed`, or is not what it should be; the values themselves are never told.
 */
export const readSettings = <Required extends SettingName>(
  variables: Variables,
  required: readonly Required[],
  whenDeployed: readonly SettingName[] = [],
): Settings<Required> => {
  const problems: string[] = []
  const read = <T>(
    setting: { variable: string; parse: (text: string) => T },
    isRequired: boolean,
  ): T | null => {
    const text = variables[setting.variable]
    if (text === undefined || text === "") {
      if (isRequired) problems.push(`${setting.variable} is not set`)
      return null
    }
    try {
      return setting.parse(text)
    } catch (error) {
      problems.push(`${setting.variable} ${(error as Error).message}`)
      return null
    }
  }
  const needed: readonly string[] = isDeployed(variables) ? [...required, ...whenDeployed] : required
  const plain = Object.entries(SETTINGS).map(([name, setting]) => [
    name,
    read<unknown>(setting, needed.includes(name)),
  ])
  const defaulted = Object.entries(DEFAULTED).map(([name, setting]) => [
    name,
    read<unknown>(setting, false) ?? setting.fallback,
  ])
  problems.push(...notToBeDeployed(variables))
  if (problems.length > 0) throw new SettingsError(problems)
  return Object.fromEntries([...plain, ...defaulted]) as Settings<Required>
}
