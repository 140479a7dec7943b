/** Cloudflare's REST API, as far as a Worker's deployment needs it (developers.cloudflare.com/api, Workers Scripts, KV). */
export interface Cloudflare {
  /** What serves the Worker's traffic; `null`: there is no such Worker, or nothing serves it. */
  deployment(script: string): Promise<Deployment | null>
  /** The tag of the last Durable Object migration that was applied; `null`: none was. */
  migrationTag(script: string, versionId: string): Promise<string | null>
  /** Uploads without deploying; answers the version's id. */
  uploadVersion(script: string, form: FormData): Promise<string>
  /** Uploads and deploys to everybody at once: what makes a Worker, and the only way to migrate its Durable Objects. */
  replaceScript(script: string, form: FormData): Promise<void>
  /** `force` also where secrets are others now than they were with a version. */
  deploy(script: string, versions: readonly Share[], message: string, force?: "force"): Promise<void>
  /** The id of the KV namespace of this title, which is made when it is not there. */
  namespace(title: string): Promise<string>
  /** Has the host name's traffic go to the Worker; again does nothing. Resolves to whether it went nowhere before. */
  attachDomain(hostname: string, script: string): Promise<boolean>
  /** No address at workers.dev, for the Worker or for its versions. */
  hide(script: string): Promise<void>
  observe(script: string, observability: object): Promise<void>
}

export interface Share {
  version_id: string
  percentage: number
}

interface Deployment {
  versions: readonly Share[]
}

/** What Cloudflare refused, and why in its own words. */
class CloudflareError extends Error {
  readonly status: number
  readonly codes: readonly number[]
  constructor(what: string, status: number, errors: readonly ApiError[]) {
    const told = errors.map(({ code, message }) => `${message} (${code})`).join("; ")
    super(`${what}: Cloudflare answered ${status}${told === "" ? "" : `, ${told}`}`)
    this.status = status
    this.codes = errors.map(({ code }) => code)
  }
}

interface ApiError {
  code: number
  message: string
}

interface Envelope {
  success: boolean
  errors: readonly ApiError[]
  result: unknown
}

export interface CloudflareOptions {
  accountId: string
  token: string
  baseUrl?: string
  pause: (ms: number) => Promise<void>
}

const BASE_URL = "https://api.cloudflare.com/client/v4"
const ATTEMPTS = 4
const FIRST_PAUSE_MS = 1_000
const ANSWER_WITHIN_MS = 60_000
const NAMESPACES_A_PAGE = 100

/** There is no Worker of that name; the second is what older routes say. */
const NO_SUCH_WORKER = [10007, 10090]
const isNoSuchWorker = (error: unknown): boolean =>
  error instanceof CloudflareError && error.codes.some((code) => NO_SUCH_WORKER.includes(code))

const isPassing = (status: number): boolean => status === 429 || status >= 500

const envelopeOf = async (response: Response): Promise<Envelope> => {
  const found = (await response.json().catch(() => null)) as Partial<Envelope> | null
  const { success = false, errors = [], result = null } = found ?? {}
  return { success, errors, result }
}

/** Each call is tried again after a passing failure: what is done twice here is done once, or leaves a version that nobody uses. */
const createCall = ({ accountId, token, baseUrl = BASE_URL, pause }: CloudflareOptions) => {
  const once = async (method: string, path: string, body: FormData | object | undefined) => {
    const isForm = body instanceof FormData
    const response = await fetch(`${baseUrl}/accounts/${accountId}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined || isForm ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
      redirect: "error",
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    })
    const { success, errors, result } = await envelopeOf(response)
    if (!response.ok || !success) throw new CloudflareError(`${method} ${path}`, response.status, errors)
    return result
  }
  return async (method: string, path: string, body?: FormData | object): Promise<unknown> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await once(method, path, body)
      } catch (error) {
        const final = error instanceof CloudflareError && !isPassing(error.status)
        if (final || attempt === ATTEMPTS) throw error
        await pause(FIRST_PAUSE_MS * 2 ** (attempt - 1))
      }
    }
  }
}

export const createCloudflare = (options: CloudflareOptions): Cloudflare => {
  const call = createCall(options)

  const namespaceId = async (title: string): Promise<string | null> => {
    for (let page = 1; ; page++) {
      const found = (await call(
        "GET",
        `/storage/kv/namespaces?per_page=${NAMESPACES_A_PAGE}&page=${page}`,
      )) as { id: string; title: string }[]
      const named = found.find((one) => one.title === title)
      if (named) return named.id
      if (found.length < NAMESPACES_A_PAGE) return null
    }
  }

  return {
    deployment: async (script) => {
      try {
        const { deployments } = (await call("GET", `/workers/scripts/${script}/deployments`)) as {
          deployments: Deployment[]
        }
        return deployments[0] ?? null
      } catch (error) {
        if (isNoSuchWorker(error)) return null
        throw error
      }
    },
    migrationTag: async (script, versionId) => {
      const version = (await call("GET", `/workers/scripts/${script}/versions/${versionId}`)) as {
        resources?: { script_runtime?: { migration_tag?: string } }
      }
      return version.resources?.script_runtime?.migration_tag ?? null
    },
    uploadVersion: async (script, form) => {
      // Without "strict" a secret that no version before had is left out in silence.
      const path = `/workers/scripts/${script}/versions?bindings_inherit=strict`
      return ((await call("POST", path, form)) as { id: string }).id
    },
    replaceScript: async (script, form) => {
      await call("PUT", `/workers/scripts/${script}?bindings_inherit=strict`, form)
    },
    deploy: async (script, versions, message, force) => {
      const path = `/workers/scripts/${script}/deployments${force ? "?force=true" : ""}`
      await call("POST", path, {
        strategy: "percentage",
        versions,
        annotations: { "workers/message": message },
      })
    },
    namespace: async (title) => {
      const known = await namespaceId(title)
      return known ?? ((await call("POST", "/storage/kv/namespaces", { title })) as { id: string }).id
    },
    attachDomain: async (hostname, service) => {
      const attached = (await call("GET", `/workers/domains?hostname=${hostname}`)) as {
        hostname: string
        service: string
      }[]
      const other = attached.find((one) => one.hostname === hostname && one.service !== service)
      if (other) throw new Error(`${hostname} belongs to the Worker ${other.service}: detach it there first`)
      if (attached.some((one) => one.hostname === hostname)) return false
      await call("PUT", "/workers/domains", { hostname, service })
      return true
    },
    hide: async (script) => {
      await call("POST", `/workers/scripts/${script}/subdomain`, { enabled: false, previews_enabled: false })
    },
    observe: async (script, observability) => {
      await call("PATCH", `/workers/scripts/${script}/script-settings`, { observability })
    },
  }
}
