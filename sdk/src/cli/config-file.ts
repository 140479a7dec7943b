import { readFile } from "node:fs/promises"
import { basename, extname } from "node:path"
import { text as textOf } from "node:stream/consumers"
import { parse, stringify } from "yaml"
import { type Json, type JsonObject, parseJson } from "../../../core/json.ts"
import { isHeldExactly } from "../../../core/json-number.ts"
import { readDotenv, writeDotenv } from "./dotenv.ts"
import { wrongUsage } from "./failure.ts"

/** A config as a file has it. `value` may be missing of a secret only, and all else of a file that has values only. */
export interface FileConfig {
  value?: Json
  schema?: Json
  description?: string
  owner?: string
  locked?: boolean
  secret?: boolean
}

export interface ConfigFile {
  tenantId?: string
  environment?: string
  configs: ReadonlyMap<string, FileConfig>
  /** What is not said of a config stays as it is, as the file could not say it. */
  valuesOnly: boolean
}

export const FORMATS = ["json", "yaml", "env"] as const
export type Format = (typeof FORMATS)[number]

/** By the option, or else by the file's name. Throws Failure. */
export const formatOf = (path: string | undefined, given: string | undefined): Format => {
  if (given !== undefined) {
    const format = FORMATS.find((one) => one === given)
    if (format === undefined) throw wrongUsage(`--format is one of ${FORMATS.join(", ")}, not "${given}"`)
    return format
  }
  if (path === undefined || path === "-") return "json"
  const name = basename(path)
  if (name.startsWith(".env") || name.endsWith(".env")) return "env"
  if ([".yaml", ".yml"].includes(extname(name))) return "yaml"
  if (extname(name) === ".json") return "json"
  throw wrongUsage(`${name} ends in none of .json, .yaml, .yml, .env: say what it is with --format`)
}

/** YAML has numbers that JSON has not, and more than JavaScript holds: told, instead of altered. */
const asJson = (value: unknown, path: string): Json => {
  if (typeof value === "bigint") {
    if (!isHeldExactly(String(value))) throw new Error(`${path}: ${value} cannot be held exactly`)
    return Number(value)
  }
  if (typeof value === "number" && !Number.isFinite(value))
    throw new Error(`${path}: ${value} is not of JSON`)
  if (Array.isArray(value)) return value.map((item, index) => asJson(item, `${path}/${index}`))
  if (typeof value !== "object" || value === null) return value as Json
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, asJson(member, `${path}/${name}`)]),
  )
}

const parsed = (text: string, format: "json" | "yaml"): Json =>
  format === "json"
    ? parseJson(text)
    : asJson(parse(text, { version: "1.2", schema: "core", intAsBigInt: true, maxAliasCount: 100 }), "")

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const MEMBERS: Readonly<Record<string, (value: Json) => boolean>> = {
  value: () => true,
  schema: (value) => isObject(value) || typeof value === "boolean",
  description: (value) => typeof value === "string",
  owner: (value) => typeof value === "string",
  locked: (value) => typeof value === "boolean",
  secret: (value) => typeof value === "boolean",
}

const configOf = (key: string, given: Json): FileConfig => {
  if (!isObject(given)) throw new Error(`configs/${key}: expected an object like {"value": …}`)
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(MEMBERS, name))
      throw new Error(`configs/${key}: there is no "${name}"; it takes ${Object.keys(MEMBERS).join(", ")}`)
    if (!MEMBERS[name]!(value)) throw new Error(`configs/${key}/${name} is not what it should be`)
  }
  if (!Object.hasOwn(given, "value") && given.secret !== true)
    throw new Error(`configs/${key}: it has no value`)
  return given as FileConfig
}

const documentOf = (given: Json): ConfigFile => {
  if (!isObject(given) || !isObject(given.configs))
    throw new Error('expected {"tenantId", "environment", "configs": {"<key>": {"value": …}}}')
  const { tenantId, environment, configs, ...others } = given
  const [other] = Object.keys(others)
  if (other !== undefined) throw new Error(`there is no "${other}" in such a file`)
  for (const [name, value] of Object.entries({ tenantId, environment }))
    if (value !== undefined && typeof value !== "string") throw new Error(`${name} is not a text`)
  return {
    ...(tenantId === undefined ? {} : { tenantId: tenantId as string }),
    ...(environment === undefined ? {} : { environment: environment as string }),
    configs: new Map(Object.entries(configs).map(([key, config]) => [key, configOf(key, config)])),
    valuesOnly: false,
  }
}

const valuesOf = (values: Iterable<[string, Json]>): ConfigFile => ({
  configs: new Map([...values].map(([key, value]) => [key, { value }])),
  valuesOnly: true,
})

/** `isPlain`: keys with their values and nothing else, as from elsewhere. Throws Failure where it is not understood. */
export const readConfigText = (text: string, format: Format, isPlain: boolean): ConfigFile => {
  if (format === "env") return valuesOf(readDotenv(text))
  try {
    const given = parsed(text, format)
    if (!isPlain) return documentOf(given)
    if (!isObject(given)) throw new Error("expected an object of keys and values")
    return valuesOf(Object.entries(given))
  } catch (error) {
    throw wrongUsage((error as Error).message)
  }
}

/** `-` is standard input. Throws Failure. */
const readText = async (path: string): Promise<string> => {
  try {
    return path === "-" ? await textOf(process.stdin) : await readFile(path, "utf8")
  } catch (error) {
    throw wrongUsage(`${path} cannot be read: ${(error as Error).message}`)
  }
}

/** A file that is one value, of JSON or YAML. Throws Failure. */
export const readDocument = async (path: string, format: Format): Promise<Json> => {
  if (format === "env") throw wrongUsage(`${path} has to be JSON or YAML`)
  const text = await readText(path)
  try {
    return parsed(text, format)
  } catch (error) {
    throw wrongUsage(`${path}: ${(error as Error).message}`)
  }
}

export const writeDocument = (value: unknown, format: Format): string => {
  if (format === "env") throw wrongUsage("it has to be JSON or YAML")
  if (format === "json") return `${JSON.stringify(value, null, 2)}\n`
  return stringify(value, { version: "1.2", schema: "core", lineWidth: 0 })
}

/** Throws Failure. */
export const readConfigFile = async (path: string, format: Format, isPlain: boolean): Promise<ConfigFile> => {
  const text = await readText(path)
  try {
    return readConfigText(text, format, isPlain)
  } catch (error) {
    throw wrongUsage(`${path}: ${(error as Error).message}`)
  }
}

export const writeConfigText = ({ tenantId, environment, configs }: ConfigFile, format: Format): string => {
  const document = { tenantId, environment, configs: Object.fromEntries(configs) }
  if (format !== "env") return writeDocument(document, format)
  const values = [...configs].flatMap(([key, { value }]): [string, Json][] =>
    value === undefined ? [] : [[key, value]],
  )
  return `# ${tenantId}, ${environment}\n${writeDotenv(new Map(values))}`
}
