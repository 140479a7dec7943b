import { randomUUID } from "node:crypto"
import { z } from "zod"
import { type Account, emptyScript, parse, Refused } from "./cloudflare-account.ts"

export interface ApiOptions {
  account: Account
  accountId: string
  token: string
  /** Method and path of each call that was answered well. */
  calls: string[]
  /** Is this call to be answered 503? */
  isBusy: () => boolean
}

const queryOf = (url: URL, ...known: string[]): URLSearchParams => {
  for (const name of url.searchParams.keys())
    if (!known.includes(name)) throw new Refused(400, 10001, `unknown parameter ${name}`)
  return url.searchParams
}

/** The API's routes, as its reference describes them; anything else is refused. */
export const createApi = ({ account, accountId, token, calls, isBusy }: ApiOptions) => {
  const { scripts, namespaces, domains } = account

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
        deployments: account
          .script(name)
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
        account.deployAsked(
          account.script(name),
          await json(request),
          queryOf(url, "force").get("force") === "true",
        ),
    ],
    [
      /^GET \/workers\/scripts\/([\w-]+)\/versions\/([\w-]+)$/,
      (_, _url, name, id) => {
        const version = account.script(name).versions.find((one) => one.id === id)
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
        return { id: (await account.upload(account.script(name), request, strict, false)).id }
      },
    ],
    [
      /^PUT \/workers\/scripts\/([\w-]+)$/,
      async (request, url, name) => {
        const strict = queryOf(url, "bindings_inherit").get("bindings_inherit") === "strict"
        const script = scripts.get(name) ?? emptyScript()
        const { id } = await account.upload(script, request, strict, true)
        scripts.set(name, script)
        account.deploy(script, { [id]: 100 })
        return { id: name }
      },
    ],
    [
      /^POST \/workers\/scripts\/([\w-]+)\/subdomain$/,
      async (request, _url, name) => {
        account.script(name)
        const Hidden = z.strictObject({ enabled: z.literal(false), previews_enabled: z.literal(false) })
        return parse(Hidden, await json(request))
      },
    ],
    [
      /^PATCH \/workers\/scripts\/([\w-]+)\/script-settings$/,
      async (request, _url, name) => {
        account.script(name)
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
        account.script(service)
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
      if (isBusy()) throw new Refused(503, 10013, "busy")
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

  return answer
}
