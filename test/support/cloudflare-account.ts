import { randomUUID } from "node:crypto"
import type { Readable } from "node:stream"
import { Log, LogLevel, Miniflare } from "miniflare"
import { z } from "zod"

const Name = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
const Binding = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("plain_text"), name: Name, text: z.string() }),
  z.strictObject({ type: z.literal("secret_text"), name: Name, text: z.string().min(1) }),
  z.strictObject({ type: z.literal("inherit"), name: Name, version_id: z.string().default("latest") }),
  z.strictObject({ type: z.literal("kv_namespace"), name: Name, namespace_id: z.string() }),
  z.strictObject({ type: z.literal("durable_object_namespace"), name: Name, class_name: z.string() }),
  z.strictObject({ type: z.literal("version_metadata"), name: Name }),
])
type Binding = z.infer<typeof Binding>
const Metadata = z.strictObject({
  main_module: z.string(),
  compatibility_date: z.iso.date(),
  bindings: z.array(Binding),
  migrations: z
    .strictObject({
      old_tag: z.string().optional(),
      new_tag: z.string(),
      steps: z.array(z.strictObject({ new_sqlite_classes: z.array(z.string()).optional() })),
    })
    .optional(),
  annotations: z.strictObject({
    "workers/tag": z.string().max(100),
    "workers/message": z.string().max(100),
  }),
})
const Deployed = z.strictObject({
  strategy: z.literal("percentage"),
  versions: z
    .array(z.strictObject({ version_id: z.uuid(), percentage: z.number().min(0).max(100) }))
    .min(1)
    .max(2),
  annotations: z.strictObject({ "workers/message": z.string().max(100) }),
})

export interface Version {
  id: string
  number: number
  bindings: Exclude<Binding, { type: "inherit" }>[]
  tag: string | null
  miniflare: Miniflare
  origin: string
}
export interface Script {
  versions: Version[]
  /** Oldest first. */
  deployments: Record<string, number>[]
  migrationTag: string | null
  classes: string[]
}

/** Why something is not taken, as the API says it. */
export class Refused extends Error {
  readonly status: number
  readonly code: number
  constructor(status: number, code: number, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

const secretsOf = ({ bindings }: Version): string =>
  JSON.stringify(
    bindings.filter(({ type }) => type === "secret_text").sort((a, b) => (a.name < b.name ? -1 : 1)),
  )

const entriesOf =
  (id: string, tag: string) =>
  (binding: Version["bindings"][number]): [string, string | object][] => {
    if (binding.type === "plain_text" || binding.type === "secret_text") return [[binding.name, binding.text]]
    if (binding.type === "version_metadata")
      return [[binding.name, { id, tag, timestamp: "2026-01-01T00:00:00Z" }]]
    return []
  }

/** Starts the module as it was uploaded; one that does not start is refused as Cloudflare's validation does. */
const run = async (
  id: string,
  metadata: z.infer<typeof Metadata>,
  text: string,
  bindings: Version["bindings"],
) => {
  const entries = bindings.flatMap(entriesOf(id, metadata.annotations["workers/tag"]))
  const hubs = bindings.filter((one) => one.type === "durable_object_namespace")
  const kv = bindings.filter((one) => one.type === "kv_namespace")
  const miniflare = new Miniflare({
    modules: [{ type: "ESModule", path: metadata.main_module, contents: text }],
    compatibilityDate: metadata.compatibility_date,
    bindings: Object.fromEntries(entries) as Record<string, string>,
    durableObjects: Object.fromEntries(
      hubs.map(({ name, class_name }) => [name, { className: class_name, useSQLite: true }]),
    ),
    kvNamespaces: Object.fromEntries(kv.map(({ name, namespace_id }) => [name, namespace_id])),
    cf: false,
    log: new Log(LogLevel.NONE),
    handleRuntimeStdio: (stdout: Readable, stderr: Readable) => {
      stdout.resume()
      stderr.resume()
    },
  })
  try {
    return { miniflare, origin: (await miniflare.ready).origin }
  } catch (error) {
    await miniflare.dispose().catch(() => {})
    throw new Refused(400, 10021, String(error))
  }
}

export const parse = <T>(schema: z.ZodType<T>, value: unknown): T => {
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw new Refused(400, 10026, z.prettifyError(parsed.error))
  return parsed.data
}

/** What one account keeps of its Workers. */
export interface Account {
  scripts: Map<string, Script>
  /** Titles by id. */
  namespaces: Map<string, string>
  /** The Worker by host name. */
  domains: Map<string, string>
  script(name: string): Script
  upload(script: Script, request: Request, strict: boolean, replaces: boolean): Promise<Version>
  deploy(script: Script, shares: Record<string, number>): void
  deployAsked(script: Script, body: unknown, force: boolean): { id: string }
}

export const emptyScript = (): Script => ({ versions: [], deployments: [], migrationTag: null, classes: [] })

export const createAccount = (
  onDeployed: (shares: Record<string, number>, asked: boolean) => void,
): Account => {
  const scripts = new Map<string, Script>()
  const namespaces = new Map<string, string>()
  const domains = new Map<string, string>()

  const scriptOf = (name: string): Script => {
    const script = scripts.get(name)
    if (!script) throw new Refused(404, 10007, "This Worker does not exist on your account.")
    return script
  }

  const resolved = (script: Script, asked: readonly Binding[], strict: boolean): Version["bindings"] =>
    asked.flatMap((binding) => {
      if (binding.type === "kv_namespace" && !namespaces.has(binding.namespace_id))
        throw new Refused(400, 10041, `KV namespace '${binding.namespace_id}' not found`)
      if (binding.type === "durable_object_namespace" && !script.classes.includes(binding.class_name))
        throw new Refused(400, 10123, `binding ${binding.name} depends on a migration`)
      if (binding.type !== "inherit") return [binding]
      const { name: wanted, version_id: from } = binding
      const source = script.versions.findLast(({ id }) => from === "latest" || id === from)
      const before = source?.bindings.find(({ name }) => name === wanted)
      if (before) return [before]
      if (strict) throw new Refused(400, 10057, `inherit binding '${binding.name}' is invalid`)
      return []
    })

  const upload = async (
    script: Script,
    request: Request,
    strict: boolean,
    replaces: boolean,
  ): Promise<Version> => {
    const form = await request.formData()
    const metadata = parse(Metadata, JSON.parse(String(form.get("metadata"))))
    const { migrations } = metadata
    if (migrations && !replaces)
      throw new Refused(400, 10211, "migrations must be fully applied via a non-versioned deployment")
    const main = form.get(metadata.main_module)
    if (!(main instanceof File) || main.type !== "application/javascript+module")
      throw new Refused(400, 10021, `no module ${metadata.main_module}`)
    if (new Set(metadata.bindings.map(({ name }) => name)).size < metadata.bindings.length)
      throw new Refused(400, 10021, "a binding's name is there twice")
    if (migrations) {
      if ((migrations.old_tag ?? null) !== script.migrationTag)
        throw new Refused(412, 10079, `the last migration is ${script.migrationTag}`)
      script.classes.push(...migrations.steps.flatMap((step) => step.new_sqlite_classes ?? []))
    }
    const bindings = resolved(script, metadata.bindings, strict)
    const id = randomUUID()
    const running = await run(id, metadata, await main.text(), bindings)
    if (migrations) script.migrationTag = migrations.new_tag
    const version = { id, number: script.versions.length, bindings, tag: script.migrationTag, ...running }
    script.versions.push(version)
    return version
  }

  const deploy = (script: Script, shares: Record<string, number>): void => {
    script.deployments.push(shares)
    onDeployed(shares, false)
  }

  const newest = (script: Script, shares: Record<string, number>): Version =>
    script.versions.findLast(({ id }) => id in shares)!

  const deployAsked = (script: Script, body: unknown, force: boolean): { id: string } => {
    const { versions } = parse(Deployed, body)
    const shares = Object.fromEntries(versions.map((one) => [one.version_id, one.percentage]))
    if (Object.keys(shares).length < versions.length)
      throw new Refused(400, 10218, "a version is there twice")
    if (versions.reduce((sum, { percentage }) => sum + percentage, 0) !== 100)
      throw new Refused(400, 10216, "percentages do not add up to 100")
    for (const id of Object.keys(shares))
      if (!script.versions.some((one) => one.id === id)) throw new Refused(404, 10215, `no version ${id}`)
    const [target, now] = [newest(script, shares), newest(script, script.deployments.at(-1) ?? {})]
    const goesBack = now !== undefined && target.number < now.number
    if (goesBack && target.tag !== now.tag) throw new Refused(400, 10217, "a migration is in between")
    if (goesBack && !force && secretsOf(target) !== secretsOf(now))
      throw new Refused(400, 10220, "The following secrets have changed: some")
    script.deployments.push(shares)
    onDeployed(shares, true)
    return { id: randomUUID() }
  }

  return { scripts, namespaces, domains, script: scriptOf, upload, deploy, deployAsked }
}
