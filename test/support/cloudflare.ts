import { randomUUID } from "node:crypto"
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Readable } from "node:stream"
import { Log, LogLevel, Miniflare } from "miniflare"
import { z } from "zod"

/**
 * Cloudflare, as far as a Worker's deployment sees it, after its public API reference: it takes what that describes and
 * refuses the rest, runs every version that is uploaded in real workerd, and serves the site by the deployment's shares.
 */
export interface CloudflarePeer {
  apiUrl: string
  /** What the custom domain leads to. */
  siteUrl: string
  accountId: string
  token: string
  /** Method and path of each call that was answered, in order. */
  calls: string[]
  /** The shares by version, as they were deployed, oldest first. */
  deployments(): Record<string, number>[]
  /** Ids, oldest first. */
  versions(): string[]
  bindings(versionId: string): Record<string, string>
  domains(): ReadonlyMap<string, string>
  namespaces(): string[]
  /** The next calls are answered 503, as a busy API does. */
  failsNext(calls: number): void
  /** Requests to the site that still see the deployment before, after each one. */
  lags(requests: number): void
  /** Runs before a deployment is answered. */
  onDeployed(hook: (shares: Record<string, number>) => void): void
  close(): Promise<void>
}

const Name = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
const Binding = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("plain_text"), name: Name, text: z.string() }),
  z.strictObject({ type: z.literal("secret_text"), name: Name, text: z.string().min(1) }),
  z.strictObject({ type: z.literal("inherit"), name: Name }),
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

interface Version {
  id: string
  number: number
  bindings: Exclude<Binding, { type: "inherit" }>[]
  tag: string | null
  miniflare: Miniflare
  origin: string
}
interface Script {
  versions: Version[]
  /** Oldest first. */
  deployments: Record<string, number>[]
  migrationTag: string | null
  classes: string[]
}

class Refused extends Error {
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
    await miniflare.dispose()
    throw new Refused(400, 10021, String(error))
  }
}

const parse = <T>(schema: z.ZodType<T>, value: unknown): T => {
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw new Refused(400, 10026, z.prettifyError(parsed.error))
  return parsed.data
}

const queryOf = (url: URL, ...known: string[]): URLSearchParams => {
  for (const name of url.searchParams.keys())
    if (!known.includes(name)) throw new Refused(400, 10001, `unknown parameter ${name}`)
  return url.searchParams
}

const listen = async (
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ url: string; close: () => Promise<void> }> => {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export const startCloudflare = async (): Promise<CloudflarePeer> => {
  const accountId = "0123456789abcdef0123456789abcdef"
  const token = `token-${randomUUID()}`
  const scripts = new Map<string, Script>()
  const namespaces = new Map<string, string>()
  const domains = new Map<string, string>()
  const calls: string[] = []
  let failures = 0
  let lag = 0
  let lagLeft = 0
  let served = 0
  let hook: (shares: Record<string, number>) => void = () => {}

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
      const before = script.versions.at(-1)?.bindings.find(({ name }) => name === binding.name)
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
    lagLeft = lag
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
    deploy(script, shares)
    hook(shares)
    return { id: randomUUID() }
  }

  type Route = readonly [RegExp, (request: Request, url: URL, name: string, id: string) => unknown]
  const json = async (request: Request): Promise<unknown> => {
    if (request.headers.get("content-type") !== "application/json")
      throw new Refused(415, 10000, "not application/json")
    return await request.json()
  }
  const ROUTES: readonly Route[] = [
    [
      /^GET \/workers\/scripts\/([\w-]+)\/deployments$/,
      (_, _url, name) => ({
        deployments: scriptOf(name)
          .deployments.toReversed()
          .map((shares) => ({
            id: randomUUID(),
            strategy: "percentage",
            versions: Object.entries(shares).map(([version_id, percentage]) => ({ version_id, percentage })),
          })),
      }),
    ],
    [
      /^POST \/workers\/scripts\/([\w-]+)\/deployments$/,
      async (request, url, name) =>
        deployAsked(scriptOf(name), await json(request), queryOf(url, "force").get("force") === "true"),
    ],
    [
      /^GET \/workers\/scripts\/([\w-]+)\/versions\/([\w-]+)$/,
      (_, _url, name, id) => {
        const version = scriptOf(name).versions.find((one) => one.id === id)
        if (!version) throw new Refused(404, 10215, `no version ${id}`)
        return {
          id,
          resources: { script_runtime: version.tag === null ? {} : { migration_tag: version.tag } },
        }
      },
    ],
    [
      /^POST \/workers\/scripts\/([\w-]+)\/versions$/,
      async (request, url, name) => {
        const strict = queryOf(url, "bindings_inherit").get("bindings_inherit") === "strict"
        return { id: (await upload(scriptOf(name), request, strict, false)).id }
      },
    ],
    [
      /^PUT \/workers\/scripts\/([\w-]+)$/,
      async (request, url, name) => {
        const strict = queryOf(url, "bindings_inherit").get("bindings_inherit") === "strict"
        const empty: Script = { versions: [], deployments: [], migrationTag: null, classes: [] }
        const script = scripts.get(name) ?? empty
        const { id } = await upload(script, request, strict, true)
        scripts.set(name, script)
        deploy(script, { [id]: 100 })
        return { id: name }
      },
    ],
    [
      /^POST \/workers\/scripts\/([\w-]+)\/subdomain$/,
      async (request, _url, name) => {
        scriptOf(name)
        const Hidden = z.strictObject({ enabled: z.literal(false), previews_enabled: z.literal(false) })
        return parse(Hidden, await json(request))
      },
    ],
    [
      /^PATCH \/workers\/scripts\/([\w-]+)\/script-settings$/,
      async (request, _url, name) => {
        scriptOf(name)
        const observability = z.strictObject({ enabled: z.boolean(), head_sampling_rate: z.number() })
        return parse(z.strictObject({ observability }), await json(request))
      },
    ],
    [
      /^GET \/storage\/kv\/namespaces$/,
      (_, url) => {
        const query = queryOf(url, "per_page", "page")
        const [size, page] = [Number(query.get("per_page") ?? 20), Number(query.get("page") ?? 1)]
        const all = [...namespaces].map(([id, title]) => ({ id, title }))
        return all.slice(size * (page - 1), size * page)
      },
    ],
    [
      /^POST \/storage\/kv\/namespaces$/,
      async (request) => {
        const { title } = parse(z.strictObject({ title: z.string() }), await json(request))
        if ([...namespaces.values()].includes(title)) throw new Refused(400, 10014, "the title exists")
        const id = randomUUID().replaceAll("-", "")
        namespaces.set(id, title)
        return { id, title }
      },
    ],
    [
      /^GET \/workers\/domains$/,
      (_, url) => {
        const hostname = queryOf(url, "hostname").get("hostname")
        return [...domains].flatMap(([name, service]) => (name === hostname ? [{ hostname, service }] : []))
      },
    ],
    [
      /^PUT \/workers\/domains$/,
      async (request) => {
        const Attached = z.strictObject({ hostname: z.string(), service: z.string() })
        const { hostname, service } = parse(Attached, await json(request))
        scriptOf(service)
        domains.set(hostname, service)
        return { hostname, service }
      },
    ],
  ]

  const answer = async (request: Request): Promise<{ status: number; body: object }> => {
    const url = new URL(request.url)
    const prefix = `/accounts/${accountId}`
    try {
      if (request.headers.get("authorization") !== `Bearer ${token}`)
        throw new Refused(403, 10000, "Authentication error")
      if (!url.pathname.startsWith(`${prefix}/`)) throw new Refused(403, 9109, "not your account")
      const asked = `${request.method} ${url.pathname.slice(prefix.length)}`
      if (failures > 0) {
        failures -= 1
        throw new Refused(503, 10013, "busy")
      }
      for (const [pattern, handle] of ROUTES) {
        const match = pattern.exec(asked)
        if (!match) continue
        const result = await handle(request, url, match[1] ?? "", match[2] ?? "")
        calls.push(asked)
        return { status: 200, body: { success: true, errors: [], messages: [], result } }
      }
      throw new Refused(404, 7003, `no route ${asked}`)
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      const { status, code, message } = error
      return { status, body: { success: false, errors: [{ code, message }], messages: [], result: null } }
    }
  }

  const api = await listen((incoming, response) => {
    const hasBody = incoming.method !== "GET"
    const request = new Request(`http://api${incoming.url}`, {
      method: incoming.method ?? "GET",
      headers: incoming.headers as Record<string, string>,
      ...(hasBody ? { body: Readable.toWeb(incoming) as ReadableStream, duplex: "half" } : {}),
    } as RequestInit)
    answer(request)
      .catch((error) => ({ status: 500, body: { told: String(error) } }))
      .then(({ status, body }) =>
        response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body)),
      )
      .catch(() => response.destroy())
  })

  /** The version that serves this request: the one it names, if that is deployed, else by the shares. */
  const versionFor = (name: string, script: Script, override: string | undefined): Version => {
    const sees =
      lagLeft > 0 ? (script.deployments.at(-2) ?? script.deployments.at(-1)!) : script.deployments.at(-1)!
    if (lagLeft > 0) lagLeft -= 1
    const named = /^([\w-]+)="([\w-]+)"$/.exec(override ?? "")
    let chosen = named?.[1] === name && named[2]! in sees ? named[2] : undefined
    // Spread evenly, so that a tenth is each tenth.
    let place = (served * 37) % 100
    if (chosen === undefined) served += 1
    for (const [id, percentage] of Object.entries(sees)) {
      if (place < percentage) chosen ??= id
      place -= percentage
    }
    return script.versions.find(({ id }) => id === chosen)!
  }

  const site = await listen((incoming, response) => {
    const [name] = [...domains.values()]
    const script = name === undefined ? undefined : scripts.get(name)
    if (!name || !script) {
      response.writeHead(530).end("no Worker")
      return
    }
    const override = incoming.headers["cloudflare-workers-version-overrides"]
    const { origin } = versionFor(name, script, override?.toString())
    const headers = { ...incoming.headers, host: new URL(origin).host }
    const passed = httpRequest(origin + incoming.url, { method: incoming.method, headers }, (answered) => {
      response.writeHead(answered.statusCode ?? 502, answered.headers)
      answered.pipe(response)
    })
    passed.on("error", () => response.destroy())
    response.on("close", () => passed.destroy())
    incoming.pipe(passed)
  })

  const only = (): Script =>
    [...scripts.values()][0] ?? { versions: [], deployments: [], migrationTag: null, classes: [] }
  return {
    apiUrl: api.url,
    siteUrl: site.url,
    accountId,
    token,
    calls,
    deployments: () => only().deployments,
    versions: () => only().versions.map(({ id }) => id),
    bindings: (versionId) =>
      Object.fromEntries(
        only()
          .versions.find(({ id }) => id === versionId)!
          .bindings.map((one) => [one.name, "text" in one ? one.text : one.type]),
      ),
    domains: () => domains,
    namespaces: () => [...namespaces.values()],
    failsNext: (count) => {
      failures = count
    },
    lags: (requests) => {
      lag = requests
    },
    onDeployed: (next) => {
      hook = next
    },
    close: async () => {
      await Promise.all([api.close(), site.close()])
      await Promise.all(
        [...scripts.values()].flatMap(({ versions }) => versions).map((one) => one.miniflare.dispose()),
      )
    },
  }
}
