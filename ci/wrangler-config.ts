import { readFileSync } from "node:fs"
import { join } from "node:path"
import { z } from "zod"
import type { Bindings } from "../functions/edge/runtime.ts"

const ROOT = join(import.meta.dirname, "..")

type Kind = "var" | "secret" | "kv" | "hub" | "version" | "optional" | "optional secret"

/** Whatever the Worker is deployed with, and as what; a binding more in its types is an error here. */
const KINDS = {
  READ_ORIGIN: "secret",
  MANAGE_ORIGIN: "secret",
  OUTCOMES_ORIGIN: "secret",
  ROUTER_ORIGIN: "secret",
  EDGE_SECRET: "secret",
  READER_PUBLIC_KEYS: "secret",
  AWS_ACCESS_KEY_ID: "secret",
  AWS_SECRET_ACCESS_KEY: "secret",
  AWS_REGION: "secret",
  UPSTASH_REDIS_REST_URL: "secret",
  UPSTASH_REDIS_REST_TOKEN: "secret",
  HOTSWAP_ENVIRONMENTS: "var",
  HOTSWAP_CORS_ORIGINS: "var",
  LAST_KNOWN_GOOD: "kv",
  STREAM_HUB: "hub",
  WORKER_VERSION: "version",
  // What these are when they are left out is well.
  STREAM_HUBS: "optional",
  STREAMS_MAX: "optional",
  ORIGIN_DEADLINE_MS: "optional",
  OTEL_EXPORTER_OTLP_ENDPOINT: "optional",
  OTEL_EXPORTER_OTLP_HEADERS: "optional secret",
  OTEL_TRACES_SAMPLER: "optional",
  OTEL_TRACES_SAMPLER_ARG: "optional",
} as const satisfies Record<keyof Bindings, Kind>

const Migration = z.strictObject({
  tag: z.string().min(1),
  new_sqlite_classes: z.array(z.string()).optional(),
  renamed_classes: z.array(z.strictObject({ from: z.string(), to: z.string() })).optional(),
  deleted_classes: z.array(z.string()).optional(),
})
export type Migration = z.infer<typeof Migration>

const StageConfig = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
  routes: z.tuple([
    z.strictObject({ pattern: z.string().regex(/^[a-z0-9.-]+\.[a-z]+$/), custom_domain: z.literal(true) }),
  ]),
  vars: z.record(z.string(), z.string()),
  secrets: z.strictObject({ required: z.array(z.string()) }),
  kv_namespaces: z.tuple([z.strictObject({ binding: z.string() })]),
  durable_objects: z.strictObject({
    bindings: z.tuple([z.strictObject({ name: z.string(), class_name: z.string() })]),
  }),
  version_metadata: z.strictObject({ binding: z.string() }),
})
type StageConfig = z.infer<typeof StageConfig>

const Configuration = z.strictObject({
  name: z.string(),
  main: z.string(),
  compatibility_date: z.iso.date(),
  minify: z.literal(true),
  workers_dev: z.literal(false),
  preview_urls: z.literal(false),
  observability: z.strictObject({ enabled: z.boolean(), head_sampling_rate: z.number().min(0).max(1) }),
  migrations: z.array(Migration).min(1),
  env: z.record(z.string(), StageConfig),
})

/** One stage's Worker, as `wrangler.jsonc` has it. */
export interface WorkerConfig extends StageConfig {
  stage: string
  /** From the repository's folder. */
  main: string
  compatibilityDate: string
  observability: { enabled: boolean; head_sampling_rate: number }
  /** Oldest first. */
  migrations: readonly Migration[]
  hostname: string
  /** The title of the KV namespace, as wrangler would name one that it makes. */
  namespaceTitle: string
}

const COMMENT_OR_TEXT = /"(?:[^"\\]|\\.)*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//g

/** JSON with comments; a comma too many is an error, as in JSON. */
const parseJsonc = (text: string): unknown =>
  JSON.parse(text.replace(COMMENT_OR_TEXT, (found) => (found.startsWith('"') ? found : "")))

const namesOf = (kind: Kind): string[] =>
  Object.entries(KINDS)
    .filter(([, is]) => is === kind)
    .map(([name]) => name)

const disagreements = (
  what: string,
  found: readonly string[],
  expected: readonly string[],
  also: readonly string[] = [],
): string[] => [
  ...expected.filter((name) => !found.includes(name)).map((name) => `${what} lack ${name}`),
  ...found
    .filter((name) => !expected.includes(name) && !also.includes(name))
    .map((name) => `${what} have ${name}, which the Worker does not know as such`),
]

const wrongBindings = (config: StageConfig): string[] => [
  ...disagreements("vars", Object.keys(config.vars), namesOf("var"), namesOf("optional")),
  ...disagreements("secrets", config.secrets.required, namesOf("secret"), namesOf("optional secret")),
  ...disagreements(
    "kv_namespaces",
    config.kv_namespaces.map(({ binding }) => binding),
    namesOf("kv"),
  ),
  ...disagreements(
    "durable_objects",
    config.durable_objects.bindings.map(({ name }) => name),
    namesOf("hub"),
  ),
  ...disagreements("version_metadata", [config.version_metadata.binding], namesOf("version")),
]

/** Reads the stage's part of it. Throws one error that says all that is wrong, where it is not what the Worker takes. */
export const parseWorkerConfig = (text: string, stage: string): WorkerConfig => {
  const parsed = Configuration.safeParse(parseJsonc(text))
  if (!parsed.success) throw new Error(`wrangler.jsonc: ${z.prettifyError(parsed.error)}`)
  const { env, main, compatibility_date, observability, migrations } = parsed.data
  const config = env[stage]
  if (config === undefined)
    throw new Error(`wrangler.jsonc has no stage ${stage}, but ${Object.keys(env).join(", ")}`)
  const wrong = wrongBindings(config)
  const classes = migrations.flatMap(({ new_sqlite_classes = [] }) => new_sqlite_classes)
  for (const { class_name } of config.durable_objects.bindings)
    if (!classes.includes(class_name)) wrong.push(`no migration makes ${class_name}`)
  if (wrong.length > 0) throw new Error(`wrangler.jsonc, ${stage}: ${wrong.join("; ")}`)
  return {
    ...config,
    stage,
    main,
    compatibilityDate: compatibility_date,
    observability,
    migrations,
    hostname: config.routes[0].pattern,
    namespaceTitle: `${config.name}-${config.kv_namespaces[0].binding.toLowerCase().replaceAll("_", "-")}`,
  }
}

export const readWorkerConfig = (stage: string): WorkerConfig =>
  parseWorkerConfig(readFileSync(join(ROOT, "wrangler.jsonc"), "utf8"), stage)
